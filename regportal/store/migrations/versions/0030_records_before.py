"""
Which record a contact was until it was deleted over there.

Expand: a table that the previous release does not know.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Add it."""
    op.create_table(
        "linked_before",
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connector", "ref", "subject", name="pk_linked_before"),
    )
