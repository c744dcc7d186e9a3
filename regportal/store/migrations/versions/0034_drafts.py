"""
Drafts of documents, and who published what.

Expand: new tables, and columns that may be empty; the previous release publishes without them. To
which publication older versions belong is known by their common moment.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables and the columns, and fill in what is known."""
    for name in ("by", "proposed_by", "note"):
        op.add_column("publication", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("document_version", sa.Column("publication", SEQUENCE, nullable=True))
    op.execute(
        "UPDATE document_version SET publication = (SELECT max(publication.number)"
        " FROM publication WHERE publication.at = document_version.published_at)"
    )
    op.create_table(
        "draft",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("begun_by", sa.Text(), nullable=False),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=True),
        sa.Column("scheduled_by", sa.Text(), nullable=True),
        sa.Column("due", MOMENT, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("publication", SEQUENCE, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_draft"),
        sa.ForeignKeyConstraint(
            ["publication"], ["publication.number"], name="fk_draft_publication"
        ),
    )
    op.create_index("ix_draft_due", "draft", ["due"])
    op.create_table(
        "draft_document",
        sa.Column("draft_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("base", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("draft_id", "kind", "key", name="pk_draft_document"),
        sa.ForeignKeyConstraint(["draft_id"], ["draft.id"], name="fk_draft_document_draft_id"),
    )
