"""
What is said over the rules keeps whether it said more or less than they did.

Rules that are published later may not know the phases any more, or put them in another order.

Expand: safe while the previous release is still running, which leaves it empty. What holds by
then gets it from the worker; of what ended with the purchase before, nobody can tell any more who
was right.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the column."""
    op.add_column("phase_override", sa.Column("is_further", sa.Boolean(), nullable=True))
