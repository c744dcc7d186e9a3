"""
The ledger says more, and who may be written to is asked by others.

Expand: safe while the previous release is still running. New columns of the ledger may be NULL,
and its lines say by their schema version which of them are hashed; columns are added one by one,
because making the table anew would lose its triggers.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

LEDGER = "consent_event"


def upgrade() -> None:
    """Widen the ledger, and make the tables beside it."""
    for column in (
        sa.Column("record_id", sa.Uuid(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("privacy_notice_version", sa.Text(), nullable=True),
        sa.Column("privacy_notice_hash", sa.Text(), nullable=True),
        sa.Column("valid_for", sa.Text(), nullable=True),
        sa.Column("valid_until", MOMENT, nullable=True),
        sa.Column("until", MOMENT, nullable=True),
        sa.Column("rhythm", sa.Text(), nullable=True),
        sa.Column("evidence_file", sa.Text(), nullable=True),
        sa.Column("network_hash", sa.Text(), nullable=True),
    ):
        op.add_column(LEDGER, column)
    op.create_table(
        "consent_network",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("network", sa.Text(), nullable=True),
        sa.Column("agent_hash", sa.Text(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_network")),
    )
    op.create_index("ix_consent_network_at", "consent_network", ["at"])
    op.create_table(
        "contact_token",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("newsletter", sa.Text(), nullable=True),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_contact_token_contact_id")
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_contact_token")),
    )
    op.create_index("ix_contact_token_contact_id", "contact_token", ["contact_id"])
    op.create_table(
        "suppression",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("newsletter", sa.Text(), nullable=True),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppression")),
    )
    op.create_index("ix_suppression_address", "suppression", ["address_hash", "newsletter"])
    op.create_table(
        "api_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_key_hash")),
    )
    op.create_table(
        "mail_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("api_key_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("permanent", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("newsletter", sa.Text(), nullable=True),
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["api_key_id"], ["api_key.id"], name=op.f("fk_mail_event_api_key_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_event")),
        sa.UniqueConstraint(
            "api_key_id", "event_id", name=op.f("uq_mail_event_api_key_id_event_id")
        ),
    )
    op.create_index("ix_mail_event_address", "mail_event", ["address_hash", "at"])
