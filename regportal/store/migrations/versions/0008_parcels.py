"""
What browsers and servers tell is kept as it came, until the worker has unpacked it.

Expand: safe while the previous release is still running, because nothing of it knows the tables.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
NAMED = ("visitor", "claim", "contact")


def upgrade() -> None:
    """Add parcels, and the ids of what was told."""
    op.create_table(
        "parcel",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("unpacked_at", MOMENT, nullable=True),
        sa.Column("source", sa.String(32), nullable=False),
        *(sa.Column(f"{one}_id", sa.Uuid(), nullable=True) for one in (*NAMED, "api_key")),
        *(
            sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False)
            for name in ("proven", "own_staff")
        ),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("agent", "network", "purpose")),
        sa.Column("touch", JSON, nullable=False),
        sa.Column("events", JSON, nullable=False),
        *(
            sa.ForeignKeyConstraint([f"{one}_id"], [f"{one}.id"], name=f"fk_parcel_{one}_id")
            for one in NAMED
        ),
        sa.PrimaryKeyConstraint("id", name="pk_parcel"),
    )
    for one in NAMED:
        op.create_index(f"ix_parcel_{one}_id", "parcel", [f"{one}_id"])
    op.create_index("ix_parcel_received_at", "parcel", ["received_at"])
    waiting = sa.text("unpacked_at IS NULL")
    op.create_index(
        "ix_parcel_waiting", "parcel", ["id"], sqlite_where=waiting, postgresql_where=waiting
    )
    op.create_table(
        "told",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_told"),
    )
    op.create_index("ix_told_at", "told", ["at"])
