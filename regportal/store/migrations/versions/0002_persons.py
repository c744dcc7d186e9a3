"""
People have several addresses, and browsers several people.

Expand: safe while the previous release is still running. Every new column may be left open; a
contact it adds is its own person, by a trigger.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
)


def upgrade() -> None:
    """Add persons, links between contacts, choices, and codes beside links."""
    op.add_column("contact", sa.Column("person_id", sa.Uuid(), nullable=True))
    op.execute("UPDATE contact SET person_id = id")
    op.create_index(op.f("ix_contact_person_id"), "contact", ["person_id"], unique=False)
    _own_person()
    op.create_table(
        "contact_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("undone_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_contact_link_contact_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_link")),
    )
    op.create_index(op.f("ix_contact_link_contact_id"), "contact_link", ["contact_id"])
    op.create_index(op.f("ix_contact_link_person_id"), "contact_link", ["person_id"])
    op.create_index(
        "ix_contact_link_one",
        "contact_link",
        ["contact_id"],
        unique=True,
        sqlite_where=sa.text("undone_at IS NULL"),
        postgresql_where=sa.text("undone_at IS NULL"),
    )
    op.add_column(
        "visitor", sa.Column("tracks", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("visitor", sa.Column("family", sa.Text(), nullable=True))
    op.create_table(
        "choice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("visitor_id", sa.Uuid(), nullable=False),
        sa.Column("recognise", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("track", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("signals", JSON, nullable=False),
        sa.ForeignKeyConstraint(["visitor_id"], ["visitor.id"], name=op.f("fk_choice_visitor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_choice")),
    )
    op.create_index(op.f("ix_choice_visitor_id"), "choice", ["visitor_id"])
    op.add_column("proof", sa.Column("visitor_id", sa.Uuid(), nullable=True))
    op.create_index(op.f("ix_proof_visitor_id"), "proof", ["visitor_id"])
    op.add_column("proof", sa.Column("tries", sa.Integer(), server_default="0", nullable=False))
    op.add_column("proof", sa.Column("code_until", MOMENT, nullable=True))


def _own_person() -> None:
    """Let a contact that names no person be its own."""
    if op.get_context().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER contact_own_person AFTER INSERT ON contact "
            "WHEN NEW.person_id IS NULL "
            "BEGIN UPDATE contact SET person_id = NEW.id WHERE id = NEW.id; END"
        )
        return
    op.execute(
        "CREATE FUNCTION contact_own_person() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.person_id := COALESCE(NEW.person_id, NEW.id); RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER contact_own_person BEFORE INSERT ON contact "
        "FOR EACH ROW EXECUTE FUNCTION contact_own_person()"
    )
