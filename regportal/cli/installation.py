"""The installation a command works on."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from regportal.config import Settings, load
from regportal.errors import ConfigError
from regportal.store.documents import Shelf
from regportal.store.sessions import Store, make_engine
from regportal.store.shape import first_line, is_current


@dataclass(frozen=True, slots=True)
class Installation:
    """Settings, database and documents, opened together."""

    settings: Settings
    store: Store
    shelf: Shelf


def _is_current(engine: sa.Engine) -> bool:
    """Return whether the database has the present shape; refuse one that does not answer."""
    try:
        return is_current(engine)
    except sa.exc.DBAPIError as error:
        raise ConfigError(f"the database does not answer: {first_line(error)}") from error


@contextlib.contextmanager
def opened() -> Iterator[Installation]:
    """Open the installation of this environment; refuse a database of another shape."""
    settings = load()
    store = Store(make_engine(settings.database_url.get_secret_value()))
    try:
        if not _is_current(store.engine):
            raise ConfigError("the database is not up to date: run `regportal upgrade` first")
        yield Installation(settings, store, Shelf())
    finally:
        store.close()
