"""
What the last attempt to tell a message came to.

Expand: a column that may be empty; the previous release neither reads nor writes it. Conflicts that
are parked already are known by their sentence, which only they have.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"

MESSAGE = sa.table("message", *map(sa.column, ("state", "topic", "trouble", "outcome")))


def upgrade() -> None:
    """Add it, and say of conflicts that they are."""
    op.add_column("message", sa.Column("outcome", sa.Text(), nullable=True))
    op.execute(
        sa.update(MESSAGE)
        .where(
            MESSAGE.c.state == "parked",
            MESSAGE.c.topic == "phase.changed",
            MESSAGE.c.trouble.startswith("somebody set "),
        )
        .values(outcome="conflict")
    )
