"""
Whom experiments showed which of their ways, and which are shown no longer.

Expand: two tables of which the previous release knows nothing.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0038"
down_revision = "0037"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "exposure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("experiment", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("shown_id", sa.Uuid(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_exposure"),
    )
    op.create_index("ix_exposure_experiment", "exposure", ["experiment", "version"])
    op.create_index("ix_exposure_visitor_id", "exposure", ["visitor_id"])
    op.create_table(
        "stopped_arm",
        sa.Column("experiment", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("because", JSON, nullable=False),
        sa.PrimaryKeyConstraint("experiment", "version", "arm", name="pk_stopped_arm"),
    )
