"""What breaks under us breaks nothing: disks, locks, connections (security.md R-12 to R-19)."""

import random
import resource
import sqlite3
import threading
import time
from contextlib import closing

import psutil
import psycopg
import pytest
import requests
import sqlalchemy as sa

from regportal.consent.ledger import broken_lines
from regportal.forms.models import Answer
from regportal.identity.models import Claim
from regportal.outbox.models import Message, MessageState
from regportal.store.sessions import Store, make_engine
from tests.databases import ALONE
from tests.operations.load import under_load
from tests.patience import PATIENCE, until

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


class Disk:
    """A disk of so many pages, as every connection to SQLite meets it."""

    def __init__(self, engine):
        self.pages = 2**30
        sa.event.listen(engine, "begin", self._begin)

    def _begin(self, connection):
        connection.exec_driver_sql(f"PRAGMA max_page_count = {self.pages}")

    def fill(self, store):
        """Leave no room, not even in pages that are free."""
        with closing(store.engine.raw_connection()) as raw:
            raw.cursor().execute("VACUUM")
        with store.read() as session:
            self.pages = session.scalar(sa.text("PRAGMA page_count"))

    def free(self):
        """Leave room again."""
        self.pages = 2**30


def rows(portal):
    """How many rows each table has."""
    with portal.store.read() as session:
        names = sa.inspect(portal.store.engine).get_table_names()
        return {
            name: session.scalar(sa.text(f'SELECT count(*) FROM "{name}"'))  # noqa: S608 - ours
            for name in names
        }


@on_sqlite
def test_on_a_full_disk_whoever_writes_is_told_to_come_again_and_nothing_is_half_written(portal):
    disk = Disk(portal.store.engine)
    browsers = [portal.browser() for _ in range(40)]
    pages = [browser.gate("guide") for browser in browsers]
    portal.store.catch_up()
    before = rows(portal)
    disk.fill(portal.store)
    answers = [
        browser.send("guide", page, email=f"ann{number}@{'x' * 50}.example", remember="yes")
        for number, (browser, page) in enumerate(zip(browsers, pages, strict=True))
    ]
    refused = [answer for answer in answers if answer.status == 503]
    read = portal.browser().gate("guide")
    with portal.store.read() as session:
        claims = session.scalar(sa.select(sa.func.count()).select_from(Claim))
    disk.free()
    again = browsers[-1].send("guide", pages[-1], email="ann@acme.example", remember="yes")

    assert refused
    assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
    assert {answer.status for answer in answers} <= {303, 503}
    assert claims == len(answers) - len(refused) == rows(portal)["claim"] - 1
    assert read.status == 200
    assert again.status == 303
    assert rows(portal)["message"] == before["message"] + 2 * rows(portal)["claim"]
    with portal.store.read() as session:
        assert session.scalar(sa.text("PRAGMA integrity_check")) == "ok"


@on_sqlite
def test_while_somebody_else_holds_the_file_everybody_is_told_to_come_again(portal, monkeypatch):
    monkeypatch.setattr("regportal.store.sessions.PATIENCE", 0.2)
    browsers = [portal.browser() for _ in range(12)]
    pages = [browser.gate("guide") for browser in browsers]
    portal.store.close()
    statuses = []

    def give(number):
        page = browsers[number].send("guide", pages[number], email=f"a{number}@acme.example")
        statuses.append((page.status, page.headers.get("Retry-After")))

    path = portal.store.engine.url.database
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        threads = [threading.Thread(target=give, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        reads = portal.browser().gate("guide").status
        other.execute("ROLLBACK")
    after = browsers[0].send("guide", pages[0], email="a@acme.example").status

    assert statuses == [(503, "5")] * 12
    assert (reads, after) == (200, 303)


@on_sqlite
def test_a_process_that_was_stopped_while_it_wrote_holds_up_nobody_for_ever(portal, monkeypatch):
    monkeypatch.setattr("regportal.store.sessions.PATIENCE", 0.2)
    page = portal.browser().gate("guide")
    portal.store.catch_up()
    stopped = Store(make_engine(f"sqlite:///{portal.store.engine.url.database}"))
    with stopped._turn():  # as a process holds it that got SIGSTOP
        refused = portal.browser().send("guide", page, email="ann@acme.example").status
    taken = portal.browser().claim("ann@acme.example").status
    stopped.close()

    assert (refused, taken) == (503, 303)


@on_sqlite
def test_behind_those_who_waited_in_vain_nobody_waits_anew(portal, monkeypatch):
    """As many as are in line wait once, not one after the other."""
    turns = []
    monkeypatch.setattr("regportal.store.sessions.PATIENCE", 0.2)
    store = portal.store
    real = store._turn
    monkeypatch.setattr(store, "_turn", lambda: turns.append(1) or real())
    other = Store(make_engine(f"sqlite:///{store.engine.url.database}"))
    with other._turn():
        owed = [store.begin_together(lambda _session, some: some, number) for number in range(200)]
        errors = [one.exception(PATIENCE) for one in owed]
    other.close()

    assert {type(error).__name__ for error in errors} == {"OperationalError"}
    assert len(turns) < 10


@on_sqlite
def test_a_disk_that_fails_now_and_then_loses_nothing(place):
    """Writes beyond a size that changes at random fail as on a broken disk, in the real process."""
    (server,) = place.serve()
    process = psutil.Process(server.pid)
    with under_load(place) as load:
        assert until(lambda: load.answers)
        for _ in range(8):
            size = random.randrange(4096, 2**20)
            process.rlimit(psutil.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            time.sleep(random.uniform(0.1, 0.5))
            process.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            count = load.acknowledged
            assert until(lambda count=count: load.acknowledged > count), place.log()
    server.terminate()

    assert server.wait(PATIENCE) == 0
    assert load.faults == []
    assert {status for status in load.statuses if status >= 500} <= {503}
    assert missing(place, load) == []


@on_postgresql
@pytest.mark.parametrize("times", [5, pytest.param(50, marks=pytest.mark.soak)])
def test_connections_that_are_all_cut_at_once_lose_nothing(place, times, figures):
    place.serve()
    address = sa.make_url(place.database_url).set(drivername="postgresql")
    with under_load(place) as load:
        assert until(lambda: load.answers)
        for _ in range(times):
            with psycopg.connect(
                address.render_as_string(hide_password=False), autocommit=True
            ) as connection:
                connection.execute(ALONE)
            count = load.acknowledged
            assert until(lambda count=count: load.acknowledged > count), place.log()
        told = len(place.crm.news)
        assert until(lambda: len(place.crm.news) > told), place.log()
    figures("every connection cut under load", times=times, **load.figures())

    assert load.faults == []
    assert {status for status in load.statuses if status >= 500} <= {503}
    assert missing(place, load) == []
    assert told_otherwise(place) == []


def missing(place, load):
    """What was acknowledged and is not there, or there twice."""
    with closing(Store(make_engine(place.database_url))) as store, store.read() as session:
        claims = session.scalars(sa.select(Claim.email)).all()
        answers = session.scalars(sa.select(Answer.value)).all()
        found = [one for one in load.claims if claims.count(one) != 1]
        found += [one for one in load.answers if answers.count(one) != 1]
        found += [f"line {number} of the ledger is broken" for number in broken_lines(session)]
        if place.sqlite:
            says = session.scalar(sa.text("PRAGMA integrity_check"))
            found += [] if says == "ok" else [says]
        return found


def told_otherwise(place):
    """Messages that said something else the second time."""
    said = {}
    return [one.id for one in place.crm.news if said.setdefault(one.id, one.data) != one.data]


# --- the end, and a new beginning


@pytest.mark.parametrize("times", [2, pytest.param(200, marks=pytest.mark.soak)])
def test_restarts_under_load_answer_nobody_with_an_error_and_lose_nothing(place, times, figures):
    processes = place.serve()
    with under_load(place) as load:
        for _ in range(times):
            count = load.acknowledged
            assert until(lambda count=count: load.acknowledged > count + 3), place.log()
            for process in processes:
                process.terminate()
            codes = [process.wait(PATIENCE) for process in processes]
            assert codes == [0] * len(processes), place.log()
            assert held(place) == 0
            processes = place.serve()
        assert requests.get(f"{place.url}/readyz", timeout=PATIENCE).status_code == 200
    figures("restarted under load", times=times, **load.figures())

    assert load.faults == []
    assert {status for status in load.statuses if status >= 500} == set()
    assert missing(place, load) == []
    assert told_otherwise(place) == []


def held(place):
    """How many messages somebody who has ended still holds."""
    chosen = sa.select(sa.func.count(Message.id)).where(
        Message.state == MessageState.DUE, Message.leased_until.is_not(None)
    )
    with closing(Store(make_engine(place.database_url))) as store, store.read() as session:
        return session.scalar(chosen)
