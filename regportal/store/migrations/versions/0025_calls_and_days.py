"""
How many calls a connector cost on a day, and what waits for the note about a contact's day.

Expand: new tables, of which the previous release knows nothing; what that one calls meanwhile is
not counted, and it gathers nothing.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "spent",
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("calls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("said_used", NUMBER, nullable=True),
        sa.Column("said_most", NUMBER, nullable=True),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connector", "day", name="pk_spent"),
    )
    op.create_table(
        "gathered",
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connector", "id", name="pk_gathered"),
    )
    op.create_index("ix_gathered_day", "gathered", ["connector", "day", "subject"])
