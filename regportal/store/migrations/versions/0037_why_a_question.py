"""
Why a question was asked, by which form, and what became of questions so far.

Expand: two columns that may be empty and a table; the previous release neither reads nor writes
them. Answers from before know no form, and forms from before no reason.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0037"
down_revision = "0036"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add them."""
    op.add_column("shown", sa.Column("because", JSON, nullable=True))
    op.add_column("answer", sa.Column("shown_id", sa.Uuid(), nullable=True))
    counts = [
        sa.Column(name, sa.Integer(), nullable=False, server_default="0")
        for name in ("shown", "answered", "declined")
    ]
    op.create_table(
        "counted",
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        *counts,
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("gate", "question", name="pk_counted"),
    )
