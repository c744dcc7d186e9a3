"""
What a program says over the rules keeps through which key it was said.

Expand: safe while the previous release is still running, because of what it writes nobody knows
the key, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the name of the key."""
    op.add_column("phase_override", sa.Column("through", sa.Text(), nullable=True))
