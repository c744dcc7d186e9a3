"""
Stands at events, and the forms they took.

Expand: two new tables; the previous release neither reads nor writes them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "stand",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("heard_at", MOMENT, nullable=True),
        sa.Column("waiting", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("taken", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_stand"),
    )
    op.create_index("ix_stand_gate", "stand", ["gate"])
    op.create_table(
        "stand_form",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stand_id", sa.Uuid(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("until", MOMENT, nullable=True),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["stand_id"], ["stand.id"], name="fk_stand_form_stand_id"),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_stand_form_claim_id"),
        sa.PrimaryKeyConstraint("id", name="pk_stand_form"),
        sa.UniqueConstraint("hash", name="uq_stand_form_hash"),
    )
    for one in ("stand_id", "claim_id"):
        op.create_index(f"ix_stand_form_{one}", "stand_form", [one])
