"""
Whom a connector met on a day, whether somebody let it go on, and what is amiss in its CRM.

Expand: a new table, and new columns with a default; the previous release meets people without
counting them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Add them."""
    with op.batch_alter_table("spent") as spent:
        for name in ("told", "made", "known", "lost"):
            spent.add_column(sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "connection",
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("go_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("amiss", JSON, nullable=False),
        sa.PrimaryKeyConstraint("connector", name="pk_connection"),
    )
