"""
Scores: how every person stands under each, and every threshold that was passed.

Expand: safe while the previous release is still running, because it knows neither table.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
WAKES = sa.text("wake_at IS NOT NULL")


def upgrade() -> None:
    """Add both tables."""
    op.create_table(
        "score_state",
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fixed", sa.Integer(), nullable=False),
        sa.Column("sums", JSON, nullable=False),
        sa.Column("rank", sa.Double(), nullable=True),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("wake_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name="fk_score_state_contact_id"),
        sa.PrimaryKeyConstraint("contact_id", "score", name="pk_score_state"),
    )
    op.create_index("ix_score_state_rank", "score_state", ["score", "fixed", "rank"])
    op.create_index(
        "ix_score_state_wake_at",
        "score_state",
        ["wake_at"],
        sqlite_where=WAKES,
        postgresql_where=WAKES,
    )
    op.create_table(
        "score_crossing",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("from_level", sa.Text(), nullable=True),
        sa.Column("to_level", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name="fk_score_crossing_contact_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_score_crossing"),
    )
    op.create_index("ix_score_crossing_contact", "score_crossing", ["contact_id", "score", "at"])
