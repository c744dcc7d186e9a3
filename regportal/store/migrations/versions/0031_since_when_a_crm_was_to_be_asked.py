"""
From when on a CRM should have been asked with success.

Expand: a column that may be empty; the previous release asks without it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Add it."""
    with op.batch_alter_table("poll") as poll:
        poll.add_column(sa.Column("awaited", sa.DateTime(timezone=True), nullable=True))
