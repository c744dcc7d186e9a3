"""
Whom the company's own provider means when it says who signs in.

Expand: one new table; the previous release does not know it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add it."""
    op.create_table(
        "studio_identity",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["studio_user.id"], name="fk_studio_identity_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_studio_identity"),
        sa.UniqueConstraint("issuer", "subject", name="uq_studio_identity_issuer_subject"),
        sa.UniqueConstraint("user_id", "issuer", name="uq_studio_identity_user_id_issuer"),
    )
