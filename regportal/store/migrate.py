"""Bringing a database to the present shape."""

from importlib import resources

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from regportal.store.sessions import make_engine


def config(connection: sa.Connection | None = None) -> Config:
    """Return Alembic's configuration; the scripts travel inside the package."""
    settings = Config()
    scripts = resources.files("regportal.store") / "migrations"
    settings.set_main_option("script_location", str(scripts))
    settings.attributes["connection"] = connection
    return settings


def upgrade(url: str) -> None:
    """Bring the database at this URL to the present shape; does nothing when it is."""
    engine = make_engine(url)
    try:
        with engine.connect().execution_options(regportal_writes=True) as connection:
            upgrade_on(connection)
            connection.commit()
    finally:
        engine.dispose()


def upgrade_on(connection: sa.Connection) -> None:
    """Bring the database to the present shape in the transaction of this connection."""
    command.upgrade(config(connection), "head")
