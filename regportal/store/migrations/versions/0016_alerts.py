"""
Alerts: which moves somebody is told of, and how often each wants to hear; links into the CRM.

Expand: safe while the previous release is still running, because it knows neither table, and the
new column may be empty.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

MOMENT = sa.DateTime(timezone=True)
WAITS = sa.text("due IS NOT NULL")


def upgrade() -> None:
    """Add both tables and the column."""
    op.add_column("opportunity", sa.Column("url", sa.Text(), nullable=True))
    op.create_table(
        "alert_reader",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("choice", sa.String(length=32), nullable=True),
        sa.Column("chosen_at", MOMENT, nullable=True),
        sa.Column("since", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alert_reader"),
        sa.UniqueConstraint("address_hash", name="uq_alert_reader_address_hash"),
    )
    op.create_table(
        "alert",
        sa.Column("move_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("interaction_id", sa.Uuid(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("due", MOMENT, nullable=True),
        sa.Column("reader_id", sa.Uuid(), nullable=True),
        sa.Column("letter_id", sa.Uuid(), nullable=True),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.Column("because", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name="fk_alert_contact_id"),
        sa.ForeignKeyConstraint(["move_id"], ["move.id"], name="fk_alert_move_id"),
        sa.ForeignKeyConstraint(["reader_id"], ["alert_reader.id"], name="fk_alert_reader_id"),
        sa.PrimaryKeyConstraint("move_id", name="pk_alert"),
    )
    op.create_index("ix_alert_due", "alert", ["due"], sqlite_where=WAITS, postgresql_where=WAITS)
    op.create_index("ix_alert_reader", "alert", ["reader_id", "told_at"])
    op.create_index("ix_alert_contact_id", "alert", ["contact_id"])
