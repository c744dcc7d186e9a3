"""The fixtures that make worlds; real servers are started once for all tests that ask for them."""

import contextlib
import sqlite3

import psycopg
import pytest
from sqlalchemy import make_url

from tests.connectors.between import between
from tests.connectors.tryton import server as tryton
from tests.connectors.worlds.dynamics import dynamics
from tests.connectors.worlds.hubspot import hubspot
from tests.connectors.worlds.made import MadeCrm, NoNewsletters
from tests.connectors.worlds.real import real_worlds
from tests.connectors.worlds.salesforce import SalesforceWorld
from tests.connectors.worlds.tryton import TrytonWorld
from tests.databases import made

REAL = real_worlds()  # now: a test sees no settings of the developer
MADE = {
    "made": lambda: contextlib.nullcontext(MadeCrm()),
    "made without newsletters": lambda: contextlib.nullcontext(NoNewsletters()),
    "dynamics made": dynamics,
    "hubspot made": hubspot,
    "salesforce": lambda: contextlib.closing(SalesforceWorld()),
}
"""The worlds that each test has made for itself: by name, what makes one for a ``with``."""
TRYTON = pytest.mark.xdist_group("tryton")  # one worker has the servers
WORLDS = [
    *MADE,
    pytest.param("tryton on sqlite", marks=TRYTON),
    pytest.param("tryton on postgresql", marks=[TRYTON, pytest.mark.soak]),
    *REAL,
]


@pytest.fixture(params=WORLDS)
def world(request):
    """A CRM with nobody in it yet."""
    if request.param in MADE:
        with MADE[request.param]() as world:
            yield world
    elif request.param in REAL:
        yield REAL[request.param]()
    else:
        yield request.getfixturevalue(request.param.replace(" ", "_"))


@pytest.fixture(scope="session")
def tryton_modules(request):
    """What Acme's Tryton has besides its own, and databases with it: made once a machine."""
    return tryton.modules(request.config.cache.mkdir("tryton"))


@pytest.fixture(scope="session")
def tryton_sqlite(tryton_modules, tmp_path_factory):
    """A server of Tryton on SQLite: its address, its database, and how that is emptied."""
    folder = tmp_path_factory.mktemp("tryton")
    path = tryton.on_sqlite(tryton_modules, folder)
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection,
        tryton.serving(tryton_modules, "sqlite://", path.stem, folder) as server,
    ):
        yield server, path.stem, tryton.Emptied(connection)


@pytest.fixture(scope="session")
def tryton_postgresql(tryton_modules, tmp_path_factory, _postgres):
    """The same on PostgreSQL."""
    folder = tmp_path_factory.mktemp("tryton")
    with made(_postgres, "tryton") as url:
        uri, name = tryton.on_postgresql(tryton_modules, url, folder), make_url(url).database
        address = url.replace("postgresql+psycopg://", "postgresql://")
        with (
            psycopg.connect(address, autocommit=True) as connection,
            tryton.serving(tryton_modules, uri, name, folder) as server,
        ):
            connection.execute("SET session_replication_role = replica")  # no keys, no triggers
            yield server, name, tryton.Emptied(connection)


@pytest.fixture
def tryton_on_sqlite(tryton_sqlite, tmp_path):
    """Acme's Tryton on SQLite."""
    with _world(*tryton_sqlite, tmp_path) as world:
        yield world


@pytest.fixture
def tryton_on_postgresql(tryton_postgresql, tmp_path):
    """Acme's Tryton on PostgreSQL."""
    with _world(*tryton_postgresql, tmp_path) as world:
        yield world


@contextlib.contextmanager
def _world(server, database, emptied, folder):
    """Give a Tryton with nobody in it."""
    with emptied, between(server, lambda *_: False) as line:
        yield TrytonWorld(server, database, line, folder)
