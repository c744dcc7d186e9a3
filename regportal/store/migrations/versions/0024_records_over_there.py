"""
Which record of a CRM a subject is, what of ours it holds, and how far the CRM was asked.

Expand: new tables, of which the previous release knows nothing. What that one delivers meanwhile
is found again by the key or the address of the contact.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "linked",
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("wrote", JSON, nullable=False),
        sa.PrimaryKeyConstraint("connector", "subject", name="pk_linked"),
    )
    op.create_index("ix_linked_ref", "linked", ["connector", "ref"])
    op.create_table(
        "poll",
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("connector", name="pk_poll"),
    )
