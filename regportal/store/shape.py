"""The shape of a database; to know it, what changes it is not needed."""

from importlib import resources

import sqlalchemy as sa

VERSIONS = resources.files("regportal.store") / "migrations" / "versions"
PRESENT = max(step.name[:4] for step in VERSIONS.iterdir() if step.name[:4].isdigit())
"""The number of the last migration; Alembic, which knows it too, takes long to import."""


def is_current(engine: sa.Engine) -> bool:
    """
    Return whether the database has the present shape, or that of a newer release.

    What a release adds the one before does not mind (a migration says why), so both serve side by
    side while one replaces the other, in either direction.
    """
    return (shape_of(engine) or "") >= PRESENT


def shape_of(engine: sa.Engine) -> str | None:
    """Return the number of the last migration of a database; None where there was none."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        number: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return number


def first_line(error: Exception) -> str:
    """Return what a database says, without the statement and its values."""
    told = str(getattr(error, "orig", None) or error).strip().splitlines()
    return told[0] if told else type(error).__name__
