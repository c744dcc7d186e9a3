"""
Which messages wait for nothing that is parked: withdrawals.

Expand: a column with a default; the previous release writes rows without it. What waits in the lane
of withdrawals may be there for the sake of one that comes after it: none of them passes anything.
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Add it."""
    op.add_column(
        "message", sa.Column("passes", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
