"""
Whoever reads our letters chooses their language.

Expand: safe while the previous release is still running, because the new column may be NULL:
then nobody has chosen, and letters keep the language of the page an address was given on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the language."""
    op.add_column("contact", sa.Column("language", sa.Text(), nullable=True))
