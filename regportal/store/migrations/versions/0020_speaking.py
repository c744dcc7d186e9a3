"""
The recorder of a page may speak for the visitor of our frame in it.

Expand: safe while the previous release is still running, because the column may be empty. What
that release hears from such a page it keeps as nobody's, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add the column and its index."""
    op.add_column("visitor", sa.Column("speaks_for", sa.Uuid(), nullable=True))
    op.create_index("ix_visitor_speaks_for", "visitor", ["speaks_for"])
