"""
How often what became of an attempt to tell a connector something, for those who watch rates.

Expand: a new table, of which the previous release knows nothing. What that one tells meanwhile is
not counted.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "outcome_count",
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("connector", "outcome", name="pk_outcome_count"),
    )
