"""
What is told is written into fewer indexes: none that no question of ours needs, and no empty ones.

Expand: an index only makes questions faster, so the previous release goes on. The ids of what was
told go into a table that is its own index; on SQLite that is a new one, under the same name.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

NARROW = (
    ("interaction", "contact", ["contact_id", "occurred_at"]),
    ("interaction", "visitor", ["visitor_id", "occurred_at"]),
    ("interaction", "claim_id", ["claim_id"]),
    ("interaction", "visit_id", ["visit_id"]),
    ("parcel", "visitor_id", ["visitor_id"]),
    ("parcel", "claim_id", ["claim_id"]),
    ("parcel", "contact_id", ["contact_id"]),
)


def upgrade() -> None:
    """Make the indexes narrow, and the ids of what was told a single tree."""
    op.drop_index("ix_interaction_once", "interaction")
    op.drop_index("ix_parcel_received_at", "parcel")
    op.drop_index("ix_told_at", "told")
    for table, name, columns in NARROW:
        index, there = f"ix_{table}_{name}", sa.text(f"{columns[0]} IS NOT NULL")
        if index != "ix_interaction_visitor":
            op.drop_index(index, table)
        op.create_index(index, table, columns, sqlite_where=there, postgresql_where=there)
    if op.get_bind().dialect.name == "sqlite":
        op.rename_table("told", "told_before")
        op.create_table(
            "told",
            sa.Column("id", sa.Uuid(), nullable=False),
            sa.Column("at", sa.DateTime(timezone=True), nullable=False),
            sa.PrimaryKeyConstraint("id", name="pk_told"),
            sqlite_with_rowid=False,
        )
        op.execute("INSERT INTO told (id, at) SELECT id, at FROM told_before ORDER BY id")
        op.drop_table("told_before")
