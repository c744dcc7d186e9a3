"""
The log is weighed in shards: each line is in one, and each shard has a place of its own.

What was written before is in the first shard, and what was weighed of it stays weighed. Workers of
the previous release, which know of one place only, must be stopped first: they find none any more,
and weigh nothing. Its web processes may go on, but cannot erase anybody or say anything over the
rules of a phase; what they write is in the first shard.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
ORDER = ["shard", "transaction", "number"]


def upgrade() -> None:
    """Add the column, and make the table of places anew with the place that was kept."""
    op.add_column("log_entry", sa.Column("shard", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_log_entry_shard", "log_entry", ORDER)
    op.drop_index("ix_log_entry_order", "log_entry")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("LOCK TABLE log_place IN ACCESS EXCLUSIVE MODE")  # who weighs ends first
        op.execute("ALTER TABLE log_place RENAME CONSTRAINT pk_log_place TO pk_log_place_before")
    op.rename_table("log_place", "log_place_before")
    op.create_table(
        "log_place",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("transaction", SEQUENCE, nullable=False),
        sa.Column("number", SEQUENCE, nullable=False),
        sa.Column("at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("shard", name="pk_log_place"),
    )
    op.execute(
        'INSERT INTO log_place (shard, "transaction", number, at) '
        'SELECT 0, "transaction", number, at FROM log_place_before'
    )
    op.drop_table("log_place_before")
