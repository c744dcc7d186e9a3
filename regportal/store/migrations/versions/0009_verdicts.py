"""
Who did something can be judged again: a later fact beside the interaction, like whose it is.

Expand: safe while the previous release is still running, because it knows neither the table nor
the column, and only a command of this one writes lines of the log about verdicts.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add verdicts, and by which version of the rules an interaction was judged first."""
    op.add_column("interaction", sa.Column("judged_by", sa.Text(), nullable=True))
    op.create_table(
        "verdict",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("interaction_id", sa.Uuid(), nullable=False),
        sa.Column("judged", sa.String(32), nullable=False),
        sa.Column("judged_because", sa.Text(), nullable=True),
        sa.Column("judged_by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["interaction_id"], ["interaction.id"], name="fk_verdict_interaction_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_verdict"),
    )
    op.create_index("ix_verdict_interaction_id", "verdict", ["interaction_id"])
