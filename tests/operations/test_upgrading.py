"""A new release comes while the old one serves; whatever cuts an upgrade short, it begins again."""

import io
import random
import subprocess
import sys
import tarfile
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.command import upgrade as upgrade_to
from alembic.script import ScriptDirectory

from regportal.store import migrate
from regportal.store.base import UtcMoment
from regportal.store.sessions import make_engine
from regportal.store.shape import PRESENT, shape_of
from tests.commands import REGPORTAL
from tests.databases import made
from tests.operations.load import under_load
from tests.operations.test_faults import missing, told_otherwise
from tests.patience import PATIENCE, until

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """A database with nothing in it: its shape is what the tests are about."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/regportal.db"
        return
    with made(request.getfixturevalue("_postgres"), "upgrading") as url:
        yield url


def names(url):
    """Return every table and column."""
    engine = make_engine(url)
    inspector = sa.inspect(engine)
    found = {
        (table, column["name"])
        for table in inspector.get_table_names()
        for column in inspector.get_columns(table)
    }
    engine.dispose()
    return found


class CutShortError(Exception):
    """The lights went out."""


def upgrade_until(url, statement):
    """Upgrade, and end at a statement; return how many there were until then."""
    engine = make_engine(url)
    count = 0

    @sa.event.listens_for(engine, "before_cursor_execute")
    def cut(*_):
        nonlocal count
        count += 1
        if count == statement:
            raise CutShortError

    try:
        with engine.connect().execution_options(regportal_writes=True) as connection:
            migrate.upgrade_on(connection)
            connection.commit()
    except CutShortError:
        pass
    finally:
        engine.dispose()
    return count


@pytest.mark.parametrize("points", [6, pytest.param(140, marks=pytest.mark.soak)])
def test_an_upgrade_that_is_cut_short_anywhere_has_changed_nothing(database_url, points):
    for statement in random.sample(range(5, 150), points):
        assert upgrade_until(database_url, statement) == statement
        assert names(database_url) == set()
    migrate.upgrade(database_url)
    engine = make_engine(database_url)
    shape = shape_of(engine)
    engine.dispose()

    assert shape == PRESENT


KILLED = """
import os, sys
import sqlalchemy as sa
from regportal.store import migrate, sessions

real, count = sessions.make_engine, 0

def cut(*_):
    global count
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), 9)

def make(url):
    engine = real(url)
    sa.event.listen(engine, "after_cursor_execute", cut)
    return engine

migrate.make_engine = make
migrate.upgrade(sys.argv[1])
"""


def test_an_upgrade_that_is_killed_is_begun_again(database_url):
    point = str(random.randrange(20, 200))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, database_url, point], check=False, timeout=PATIENCE * 2
    )
    left = names(database_url)
    migrate.upgrade(database_url)

    assert killed.returncode == -9
    assert left == set()
    assert ("message", "id") in names(database_url)


def the_release_before(folder):
    """Unpack the last commit before the newest migration; return its folder and its shape."""
    scripts = ScriptDirectory.from_config(migrate.config())
    newest = Path(scripts.get_revision(PRESENT).path).relative_to(ROOT)
    log = ["git", "log", "--diff-filter=A", "--format=%H", "-1", "--", str(newest)]
    commit = subprocess.run(log, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    archive = ["git", "archive", f"{commit.strip()}~1", "regportal", "templates", "static"]
    packed = subprocess.run(archive, cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(folder, filter="data")
    return folder


@pytest.mark.soak
def test_the_release_before_serves_on_while_this_one_is_rolled_out_and_back(
    tmp_path, database_url, crm, monkeypatch
):
    from tests.operations.conftest import Place

    old = the_release_before(tmp_path / "old")
    place = Place(tmp_path, database_url, crm)
    place.program = REGPORTAL
    before = {"PYTHONPATH": str(old)}
    for command in (["upgrade"], ["apply", "site.yaml"]):
        done = place.run(*command, **before)
        assert done.returncode == 0, done.stderr
    try:
        processes = place.serve(**before)
        engine = make_engine(database_url)
        assert shape_of(engine) < PRESENT
        with under_load(place) as load:
            assert until(lambda: load.answers), place.log()
            if place.sqlite:  # one process: stopped for the upgrade
                end_all(processes)
            assert place.run("upgrade").returncode == 0
            assert shape_of(engine) == PRESENT
            back = "shape_of" in (old / "regportal" / "store" / "shape.py").read_text()
            for settings in ({}, before) if back else ({},):  # and back, where that one can
                if not place.sqlite:
                    count = len(load.answers)  # the one before works on the new shape
                    assert until(lambda count=count: len(load.answers) > count), place.log()
                    end_all(processes)
                processes = place.serve(**settings)
                count = len(load.answers)
                assert until(lambda count=count: len(load.answers) > count), place.log()
                if place.sqlite:
                    end_all(processes)
            told = len(crm.news)
            processes = place.serve() if place.sqlite else processes
            assert until(lambda: len(crm.news) > told)
        engine.dispose()
        end_all(processes)
    finally:
        place.close()

    assert load.faults == []
    assert {status for status in load.statuses if status >= 500} == set()
    assert missing(place, load) == []
    assert told_otherwise(place) == []


def end_all(processes):
    """End processes gracefully."""
    for process in processes:
        process.terminate()
    assert [process.wait(PATIENCE) for process in processes] == [0] * len(processes)


MADE = sa.table("publication", sa.column("at", UtcMoment))
VERSIONS = sa.table(
    "document_version",
    sa.column("id", sa.Uuid),
    *(sa.column(name) for name in ("kind", "key", "number", "digest", "publication")),
    sa.column("body", sa.JSON),
    sa.column("published_at", UtcMoment),
)


def test_versions_of_an_older_release_know_with_which_publication_they_came(database_url):
    first, second = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 4, 12, 0, 0, 1, UTC)
    engine = make_engine(database_url)
    with engine.connect().execution_options(regportal_writes=True) as connection:
        upgrade_to(migrate.config(connection), "0033")
        connection.execute(sa.insert(MADE), [{"at": first}, {"at": second}])
        same = {"kind": "gate", "key": "g", "body": {}, "digest": ""}
        rows = [
            {**same, "id": uuid.uuid4(), "number": number, "published_at": at}
            for number, at in enumerate((second, first + timedelta(hours=1)), 1)
        ]
        connection.execute(sa.insert(VERSIONS), rows)
        connection.commit()
    migrate.upgrade(database_url)
    with engine.connect() as connection:
        asked = sa.select(VERSIONS.c.number, VERSIONS.c.publication).order_by(VERSIONS.c.number)
        found = connection.execute(asked).all()
    engine.dispose()

    assert [tuple(row) for row in found] == [(1, 2), (2, None)]
