"""
How many calls of a connector in a row came to nothing, and since when.

Expand: a column with a default and one that may be empty; the previous release pauses without them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Add them."""
    with op.batch_alter_table("pause") as pause:
        pause.add_column(sa.Column("failures", sa.Integer(), server_default="0", nullable=False))
        pause.add_column(sa.Column("since", sa.DateTime(timezone=True), nullable=True))
