"""
Standings: where every person and every opportunity stands under the rules.

Expand: safe while the previous release is still running, because it does not know the table. Every
open opportunity gets a row under no rules: the worker works it out from the log.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

MOMENT = sa.DateTime(timezone=True)
WAKES = sa.text("wake_at IS NOT NULL")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "standing",
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(32), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("since", MOMENT, nullable=True),
        sa.Column("as_of", MOMENT, nullable=False),
        sa.Column("wake_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("subject_id", name="pk_standing"),
    )
    op.create_index(
        "ix_standing_wake_at",
        "standing",
        ["wake_at"],
        sqlite_where=WAKES,
        postgresql_where=WAKES,
    )
    op.create_index("ix_standing_rules", "standing", ["rules"])
    op.execute(
        "INSERT INTO standing (subject_id, subject, rules, state, phase, since, as_of)"
        " SELECT id, 'opportunity', '', '', phase, phase_since, phase_since"
        " FROM opportunity WHERE NOT is_closed"
    )
