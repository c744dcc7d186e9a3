"""
People see, take and erase what we know.

Expand: safe while the previous release is still running; it only adds tables.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables of people's own pages."""
    op.create_table(
        "own_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("leads", sa.String(32), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("match_key", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_own_link_contact_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_own_link")),
        sa.UniqueConstraint("hash", name=op.f("uq_own_link_hash")),
    )
    op.create_index("ix_own_link_match_key", "own_link", ["match_key"])
    op.create_index("ix_own_link_contact_id", "own_link", ["contact_id"])
    op.create_table(
        "never_ask",
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_never_ask_contact_id")
        ),
        sa.PrimaryKeyConstraint("contact_id", "question", name=op.f("pk_never_ask")),
    )
    op.create_table(
        "erasure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("counts", JSON, nullable=False),
        sa.Column("told", JSON, nullable=False),
        sa.Column("newsletters", JSON, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
    )
    op.create_table(
        "chore",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("did", JSON, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_chore")),
    )
