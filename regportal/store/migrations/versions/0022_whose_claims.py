"""
Whether a browser made a claim is found by an index.

Every night it is asked of every browser, and a deleted one must not be pointed at by any claim.

Expand: safe while the previous release is still running, which need not know the index. On
PostgreSQL writing claims waits while it is made: a second for a million of them.
"""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_claim_visitor_id", "claim", ["visitor_id"])
