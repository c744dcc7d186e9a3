"""
When it was looked last whether the records of a CRM that we know are still there.

Expand: a column that the previous release leaves empty.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Add it."""
    with op.batch_alter_table("connection") as connection:
        connection.add_column(sa.Column("compared_at", sa.DateTime(timezone=True), nullable=True))
