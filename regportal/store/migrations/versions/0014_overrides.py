"""
Overrides: what a colleague says over the rules of a phase, until when, and why.

Expand: safe while the previous release is still running, because it does not know the table. But
its workers would move what is overridden: stop them first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

MOMENT = sa.DateTime(timezone=True)
HOLDS = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "phase_override",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("opportunity_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended", sa.String(32), nullable=True),
        sa.Column("rules_phase", sa.Text(), nullable=False),
        sa.Column("came_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["opportunity_id"], ["opportunity.id"], name="fk_phase_override_opportunity_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_phase_override"),
    )
    op.create_index(
        "uq_phase_override_holding",
        "phase_override",
        ["opportunity_id"],
        unique=True,
        sqlite_where=HOLDS,
        postgresql_where=HOLDS,
    )
