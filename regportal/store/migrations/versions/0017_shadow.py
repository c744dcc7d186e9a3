"""
A draft of rules in shadow: itself, where it has everybody stand, and how it would have moved them.

Expand: safe while the previous release is still running, because it does not know the tables. But
what its workers weigh the draft does not hear: begin one when they have stopped.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
WAKES = sa.text("wake_at IS NOT NULL")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "shadow_rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shadow_rules"),
    )
    op.create_table(
        "shadow_standing",
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(32), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("since", MOMENT, nullable=True),
        sa.Column("as_of", MOMENT, nullable=False),
        sa.Column("wake_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("subject_id", name="pk_shadow_standing"),
    )
    op.create_index(
        "ix_shadow_standing_wake_at",
        "shadow_standing",
        ["wake_at"],
        sqlite_where=WAKES,
        postgresql_where=WAKES,
    )
    op.create_index("ix_shadow_standing_rules", "shadow_standing", ["rules"])
    op.create_table(
        "shadow_move",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("opportunity_id", sa.Uuid(), nullable=False),
        sa.Column("from_phase", sa.Text(), nullable=False),
        sa.Column("to_phase", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("evidence", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["opportunity_id"], ["opportunity.id"], name="fk_shadow_move_opportunity_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shadow_move"),
    )
