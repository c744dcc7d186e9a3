"""
For whom in a CRM somebody of the company sells, where the address there is another one.

Expand: one column that may be empty; the previous release does not know it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0040"
down_revision = "0039"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add it."""
    with op.batch_alter_table("studio_user") as user:
        user.add_column(sa.Column("sells_for", JSON))
