"""
Keys may end by themselves, and say when they were used last.

Expand: safe while the previous release is still running, because both columns may be NULL. It
goes on taking a key whose time is over, until it is upgraded itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add both moments."""
    for name in ("expires_at", "used_at"):
        op.add_column("api_key", sa.Column(name, MOMENT, nullable=True))
