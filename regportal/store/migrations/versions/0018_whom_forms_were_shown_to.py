"""
What gates showed is judged like everything else: to a person, or to a machine, and why.

Expand: safe while the previous release is still running, because what it shows counts as shown to
a person, as it did, and it does not know the table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the verdict to each form that was shown, and how each was asked for."""
    judged = sa.Column("judged", sa.String(32), nullable=False, server_default="person")
    op.add_column("shown", judged)
    op.add_column("shown", sa.Column("judged_because", sa.Text(), nullable=True))
    op.add_column("shown", sa.Column("judged_by", sa.Text(), nullable=True))
    op.create_table(
        "shown_to",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("visitor_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_shown_to"),
    )
    op.create_index("ix_shown_to_visitor_id", "shown_to", ["visitor_id"])
