"""
What lists are found by: one row a person, who looks after an opportunity, and indexes.

Expand: safe while the previous release is still running, which knows neither the table nor the
column. The worker writes the rows of everybody who has none; whom an opportunity belongs to that
the previous release writes meanwhile is known once its CRM describes it again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"

MOMENT = sa.DateTime(timezone=True)
BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
OWNED = {
    "sqlite": "coalesce(nullif(json_extract(owner, '$.email'), ''), json_extract(owner, '$.name'))",
    "postgresql": "coalesce(nullif(owner ->> 'email', ''), owner ->> 'name')",
}


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "listed_person",
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("address", BYTEWISE, nullable=False),
        sa.Column("assurance", sa.String(32), nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("account", BYTEWISE, nullable=True),
        sa.Column("phase", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name="fk_listed_person_contact_id"),
        sa.PrimaryKeyConstraint("contact_id", name="pk_listed_person"),
    )
    for one in ("phase", "account", "assurance"):
        op.create_index(f"ix_listed_person_{one}", "listed_person", [one, "last_at", "contact_id"])
    op.create_index("ix_listed_person_last_at", "listed_person", ["last_at", "contact_id"])
    op.create_index("ix_listed_person_address", "listed_person", ["address"])
    op.add_column("opportunity", sa.Column("owner_key", sa.Text(), nullable=True))
    owned = OWNED[op.get_bind().dialect.name]
    op.execute(f"UPDATE opportunity SET owner_key = nullif(lower(trim({owned})), '')")  # noqa: S608 - ours
    since = ["is_closed", "phase_since", "id"]
    op.create_index("ix_opportunity_since", "opportunity", since)
    op.create_index("ix_opportunity_phase", "opportunity", ["phase", *since])
    op.create_index("ix_opportunity_owner", "opportunity", ["owner_key", *since])
    level = ["score", "version", "level", "rank", "contact_id"]
    op.create_index("ix_score_state_level", "score_state", level)
