"""
Limits are counted, and secrets kept encrypted.

Expand: safe while the previous release is still running, which knows neither table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "tally",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "began_at", name=op.f("pk_tally")),
    )
    op.create_table(
        "secret",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_secret")),
    )
