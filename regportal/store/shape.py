"""The shape of a database; to know it, what changes it is not needed."""

from importlib import resources

import sqlalchemy as sa

VERSIONS = resources.files("regportal.store") / "migrations" / "versions"
PRESENT = max(step.name[:4] for step in VERSIONS.iterdir() if step.name[:4].isdigit())
"""The number of the last migration; Alembic, which knows it too, takes long to import."""


def is_current(engine: sa.Engine) -> bool:
    """Return whether the database has the present shape."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return False
        kept = connection.scalars(sa.text("SELECT version_num FROM alembic_version"))
        return kept.all() == [PRESENT]


def first_line(error: sa.exc.SQLAlchemyError) -> str:
    """Return what a database says, without the statement and its values."""
    told = str(getattr(error, "orig", None) or error).strip().splitlines()
    return told[0] if told else type(error).__name__
