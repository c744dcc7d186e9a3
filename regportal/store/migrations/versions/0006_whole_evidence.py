"""
Evidence says which mail was answered and when, and a refusal is kept where its claim is not.

The link to one's own page brings six digits, too, for the browser that asked for it.

Expand: safe while the previous release is still running. New columns may be NULL, or have a
default; the ledger's lines say by their schema version which of them are hashed, and columns are
added one by one, because making the table anew would lose its triggers. Wordings were never
changed or deleted by any release: now the database refuses it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

MOMENT = sa.DateTime(timezone=True)
WORDINGS = "wording"


def upgrade() -> None:
    """Widen the evidence, keep refusals, tell own staff, and guard the wordings."""
    op.add_column("consent_event", sa.Column("event_type", sa.Text(), nullable=True))
    op.add_column("consent_evidence", sa.Column("claim_id", sa.Uuid(), nullable=True))
    op.add_column("consent_evidence", sa.Column("message_id", sa.Text(), nullable=True))
    op.add_column("consent_evidence", sa.Column("confirmed_at", MOMENT, nullable=True))
    op.add_column("proof", sa.Column("message_id", sa.Text(), nullable=True))
    op.add_column(
        "claim", sa.Column("own_staff", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    for column in (
        sa.Column("asked_by", sa.LargeBinary(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("code_until", MOMENT, nullable=True),
    ):
        op.add_column("own_link", column)
    op.create_index("ix_own_link_asked_by", "own_link", ["asked_by"])
    op.create_table(
        "refusal",
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("newsletter", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("address_hash", "newsletter", name=op.f("pk_refusal")),
    )
    op.create_index("ix_refusal_at", "refusal", ["at"])
    _append_only(WORDINGS)


def _append_only(table: str) -> None:
    """Let the database itself refuse to change or delete a row (security.md R15)."""
    says = "wordings are append-only"
    if op.get_context().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{says}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{says}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()"
    )
