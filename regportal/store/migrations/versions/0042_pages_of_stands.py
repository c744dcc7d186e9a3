"""
How far visitors came at a stand.

Expand: one new table; the previous release neither reads nor writes it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    """Add it."""
    op.create_table(
        "stand_page",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stand_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reached", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["stand_id"], ["stand.id"], name="fk_stand_page_stand_id"),
        sa.PrimaryKeyConstraint("id", name="pk_stand_page"),
    )
    op.create_index("ix_stand_page_stand_id", "stand_page", ["stand_id"])
    op.create_index("ix_stand_page_at", "stand_page", ["at"])
