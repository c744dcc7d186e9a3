"""
Who of the company may come into the Studio, and what they did there.

Expand: new tables only; the previous release does not know them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0033"
down_revision = "0032"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "studio_user",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password", sa.Text()),
        sa.Column("roles", JSON, nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("uniquifier", sa.Text(), nullable=False),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("tf_method", sa.Text()),
        sa.Column("totp_secret", sa.Text()),
        sa.Column("totp_counter", sa.BigInteger()),
        sa.Column("recovery_codes", JSON),
        sa.Column("locale", sa.Text()),
        sa.Column("theme", sa.Text()),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("password_set_at", MOMENT),
        sa.Column("last_login", MOMENT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_studio_user")),
        sa.UniqueConstraint("email", name=op.f("uq_studio_user_email")),
        sa.UniqueConstraint("uniquifier", name=op.f("uq_studio_user_uniquifier")),
        sa.UniqueConstraint("handle", name=op.f("uq_studio_user_handle")),
    )
    op.create_table(
        "studio_passkey",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("usage", sa.Text(), nullable=False),
        sa.Column("device_type", sa.Text(), nullable=False),
        sa.Column("backed_up", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("transports", JSON),
        sa.Column("extensions", sa.Text()),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=False),
        _of_user("studio_passkey"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_studio_passkey")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_studio_passkey_credential_id")),
    )
    op.create_index(op.f("ix_studio_passkey_user_id"), "studio_passkey", ["user_id"])
    op.create_table(
        "studio_session",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("network", sa.Text()),
        sa.Column("browser", sa.Text(), nullable=False),
        _of_user("studio_session"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_studio_session")),
        sa.UniqueConstraint("id", name=op.f("uq_studio_session_id")),
    )
    op.create_index(op.f("ix_studio_session_user_id"), "studio_session", ["user_id"])
    op.create_index(op.f("ix_studio_session_seen_at"), "studio_session", ["seen_at"])
    op.create_table(
        "studio_invite",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        _of_user("studio_invite"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_studio_invite")),
    )
    op.create_index(op.f("ix_studio_invite_user_id"), "studio_invite", ["user_id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("change", JSON, nullable=False),
        sa.Column("request_id", sa.Text()),
        _of_user("audit"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"])
    op.create_index(op.f("ix_audit_user_id"), "audit", ["user_id"])
    _append_only("audit")


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    """Return what ties a row to a person."""
    return sa.ForeignKeyConstraint(
        ["user_id"], ["studio_user.id"], name=op.f(f"fk_{table}_user_id")
    )


def _append_only(table: str) -> None:
    """Let the database itself refuse to change or delete a line."""
    if op.get_context().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()"
    )
