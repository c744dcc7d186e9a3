"""The three verbs of the engine: wake, every, run."""

import contextlib
import logging
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from dbos import DBOS
from sqlalchemy import make_url

from regportal.engine import Engine
from regportal.errors import ConfigError
from tests.databases import made
from tests.patience import FOR_EVER, PATIENCE, until


@contextmanager
def running(engine):
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture(autouse=True)
def nothing_by_itself(monkeypatch):
    """No task is asked that nobody woke, unless a test says after how long."""
    monkeypatch.setattr("regportal.engine.tasks.AT_LATEST", FOR_EVER)


@pytest.fixture
def engine(tmp_path):
    return Engine(f"sqlite:///{tmp_path}/regportal.db", tmp_path)


def test_a_task_runs_once_at_the_start_and_then_when_it_is_woken(engine):
    ran = []
    engine.add("task", ran.append)

    with running(engine):
        assert until(lambda: len(ran) == 1)
        engine.wake("task")
        assert until(lambda: len(ran) == 2)


def test_a_task_says_when_it_wants_to_be_called_next(engine):
    ran = []

    def task(now):
        ran.append(now)
        return now + timedelta(milliseconds=200) if len(ran) == 1 else None

    engine.add("task", task)
    with running(engine):
        assert until(lambda: len(ran) == 2)

    assert ran[1] - ran[0] >= timedelta(milliseconds=200)


def test_a_task_is_woken_for_a_later_time(engine):
    ran = []
    engine.add("task", ran.append)

    with running(engine):
        assert until(lambda: len(ran) == 1)
        at = datetime.now(UTC) + timedelta(milliseconds=300)
        engine.wake("task", at)
        assert until(lambda: len(ran) == 2)

    assert ran[1] >= at


def test_a_wake_while_the_task_runs_is_not_lost(engine):
    began, go_on, ran = threading.Event(), threading.Event(), []

    def task(now):
        began.set()
        go_on.wait(PATIENCE)
        ran.append(now)

    engine.add("task", task)
    with running(engine):
        assert began.wait(PATIENCE)
        engine.wake("task")
        go_on.set()

        assert until(lambda: len(ran) == 2)


def test_a_task_that_nobody_woke_is_asked_all_the_same(engine, monkeypatch):
    monkeypatch.setattr("regportal.engine.tasks.AT_LATEST", 0.1)
    ran = []
    engine.add("task", ran.append)

    with running(engine):
        assert until(lambda: len(ran) >= 3)


def test_a_clock_that_jumps_back_stops_no_task(tmp_path, monkeypatch):
    monkeypatch.setattr("regportal.engine.tasks.AT_LATEST", 0.1)
    times = iter([datetime(2030, 1, 1, tzinfo=UTC)] * 2)
    engine = Engine(
        "sqlite:///x.db", tmp_path, clock=lambda: next(times, datetime(2020, 1, 1, tzinfo=UTC))
    )
    ran = []
    engine.add("task", ran.append)

    with running(engine):
        assert until(lambda: len(ran) >= 3)


def test_a_task_that_fails_is_tried_again_and_later_every_time(engine, caplog):
    failed = []

    def fails(now):
        failed.append(now)
        if len(failed) < 3:
            raise ValueError("jane@acme.example")

    engine.add("fails", fails)
    with caplog.at_level(logging.WARNING), running(engine):
        assert until(lambda: len(failed) == 3)

    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(" at ")[0] for line in lines] == ["task fails failed (ValueError"] * 2
    assert [line.split(", ")[1] for line in lines] == ["again in 0.2 s", "again in 0.4 s"]
    assert failed[1] - failed[0] >= timedelta(seconds=0.2)
    assert failed[2] - failed[1] >= timedelta(seconds=0.4)
    assert "jane" not in caplog.text


def test_a_task_that_fails_holds_up_nobody(engine, monkeypatch):
    monkeypatch.setattr("regportal.engine.tasks.FIRST_WAIT", FOR_EVER)
    monkeypatch.setattr("regportal.engine.tasks.LONGEST_WAIT", FOR_EVER)
    failed, other = [], []

    def fails(now):
        failed.append(now)
        raise ValueError

    def works(now):
        other.append(now)
        return now + timedelta(milliseconds=1)

    engine.add("fails", fails)
    engine.add("works", works)
    with running(engine):
        assert until(lambda: failed)
        before = len(other)
        assert until(lambda: len(other) > before + 20)

    assert len(failed) == 1


def test_a_failing_task_is_not_hurried_by_wakes(engine, monkeypatch):
    monkeypatch.setattr("regportal.engine.tasks.FIRST_WAIT", FOR_EVER)
    monkeypatch.setattr("regportal.engine.tasks.LONGEST_WAIT", FOR_EVER)
    failed = []

    def fails(now):
        failed.append(now)
        raise ConfigError("the environment variable CRM_SECRET is not set")

    engine.add("fails", fails)
    with running(engine):
        assert until(lambda: failed)
        for _ in range(100):
            engine.wake("fails")
        time.sleep(0.15)

    assert len(failed) == 1


def test_a_task_that_takes_long_is_cut_short_at_the_end(engine):
    begun, cut, ended = threading.Event(), threading.Event(), threading.Event()

    def task(now):
        begun.set()
        if cut.wait(FOR_EVER):
            ended.set()

    engine.add("slow", task)
    engine.start()
    assert begun.wait(PATIENCE)
    engine.stop(within=1, hurry=cut.set)

    assert ended.wait(PATIENCE)


def test_a_task_that_rests_goes_on_after_it_and_not_after_the_end(engine):
    went_on, rests = [], threading.Event()

    def task(_):
        went_on.append(engine.rest(0.01))
        rests.set()
        went_on.append(engine.rest(FOR_EVER))

    engine.add("task", task)
    with running(engine):
        assert rests.wait(PATIENCE)

    assert went_on == [True, False]


def test_where_nothing_runs_nobody_is_hurried_or_waited_for(engine):
    ran, hurried = [], []
    engine.add("idle", ran.append)
    engine.start()
    assert until(lambda: ran)
    engine.stop(within=4 * FOR_EVER, hurry=lambda: hurried.append(1))

    assert hurried == []


def test_a_task_that_hangs_holds_up_no_other_and_not_the_stop(engine):
    stuck, ended, ran = threading.Event(), [], []

    def hangs(now):
        stuck.wait(FOR_EVER)
        ended.append(now)

    engine.add("hangs", hangs)
    engine.add("works", ran.append)

    engine.start()
    assert until(lambda: ran)
    engine.wake("works")
    assert until(lambda: len(ran) == 2)
    engine.stop(within=1)

    assert ended == []
    stuck.set()


def test_a_task_may_be_added_while_the_engine_runs_and_only_once(engine):
    first, second = [], []
    with running(engine):
        engine.add("deliver:crm", first.append)
        engine.add("deliver:crm", second.append)

        assert until(lambda: first)

    assert not second


def test_dbos_is_imported_in_the_background():
    program = (
        "import sys; from regportal.engine import Engine; from pathlib import Path;"
        "Engine('sqlite:///x.db', Path('.')).wake('settle'); sys.exit('dbos' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# --- on both databases


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """A database with nothing in it: the engine needs none of our tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/regportal.db"
        return
    with made(request.getfixturevalue("_postgres"), "engine") as url:
        yield url


@pytest.fixture
def engines(database_url, tmp_path):
    """Make engines on one database, and stop them."""
    ours = []

    def make():
        engine = Engine(database_url, tmp_path)
        ours.append(engine)
        return engine

    yield make
    for engine in ours:
        engine.stop()


def forget(database_url, tmp_path):
    """Delete everything that DBOS keeps."""
    if database_url.startswith("sqlite"):
        for file in tmp_path.glob("engine.db*"):
            file.unlink()
        return
    address = make_url(database_url).set(drivername="postgresql")
    with psycopg.connect(address.render_as_string(hide_password=False)) as connection:
        connection.execute("DROP SCHEMA engine CASCADE")


def test_a_long_work_is_done_once_for_the_same_ids(engines):
    did = []
    engine = engines()

    def first(id):
        did.append(f"first {id}")
        return id + "!"

    def work(step, id):
        told = step(first, id)
        step(did.append, f"second {told}")

    engine.offer("import", work)
    engine.start()
    engine.run("import", "a")
    engine.run("import", "a")
    engine.run("import", "b")

    assert until(lambda: len(did) == 4)
    time.sleep(0.2)
    assert sorted(did) == ["first a", "first b", "second a!", "second b!"]


def test_a_step_that_fails_is_tried_again_and_the_ones_before_it_are_not(engines):
    did = []
    engine = engines()

    def second(id):
        did.append("second")
        if did.count("second") == 1:
            raise OSError("no")

    def work(step, id):
        step(did.append, "first")
        step(second, id)
        step(did.append, "third")

    engine.offer("import", work)
    engine.start()
    engine.run("import", "a")

    assert until(lambda: "third" in did)
    assert did == ["first", "second", "second", "third"]


def test_fixed_times_are_kept(engines):
    ran = []
    engine = engines()
    engine.every("* * * * * *", "housekeeping", ran.append)
    engine.start()

    assert until(lambda: len(ran) >= 2)
    assert ran[0].tzinfo is not None


def test_deleting_all_that_dbos_keeps_loses_nothing(engines, database_url, tmp_path):
    owed, done = {"a", "b"}, []

    def work(step, id):
        if len(done) < 1 and id == "b":
            return  # as if the process had died before it: nothing is done, all is owed
        step(done.append, id)
        owed.discard(id)

    def begin_what_is_owed(engine):
        return lambda now: [engine.run("import", id) for id in sorted(owed)] and None

    def start():
        engine = engines()
        engine.offer("import", work)
        engine.add("imports", begin_what_is_owed(engine))
        engine.start()
        return engine

    owed.discard("a")
    first = start()
    assert until(first._durable._launched.is_set)
    with ThreadPoolExecutor(1) as beside:  # where no browser of another test has a loop running
        assert until(lambda: beside.submit(DBOS.list_workflows, status="SUCCESS").result())
    first.stop()
    assert owed == {"b"}
    done.append("nothing yet")
    forget(database_url, tmp_path)

    start()

    assert until(lambda: not owed)
    assert done == ["nothing yet", "b"]


def test_what_dbos_keeps_is_beside_our_tables(engines, database_url, tmp_path):
    engine = engines()
    engine.offer("import", lambda step, id: step(str.upper, id))
    engine.start()
    engine.run("import", "a1")
    query = (
        "SELECT i.inputs, s.serialization FROM {0}workflow_status s"
        " JOIN {0}workflow_input i USING (workflow_uuid) WHERE s.name = 'work'"
    )

    def kept():
        if database_url.startswith("sqlite"):
            with closing(sqlite3.connect(tmp_path / "engine.db")) as connection:
                return connection.execute(query.format("")).fetchall()
        address = make_url(database_url).set(drivername="postgresql")
        with psycopg.connect(address.render_as_string(hide_password=False)) as connection:
            return connection.execute(query.format("engine.")).fetchall()

    assert until(lambda: bool(kept()))
    (inputs, serialization) = kept()[0]
    assert serialization == "json"
    assert '"a1"' in inputs


# --- several processes on one PostgreSQL


@pytest.fixture
def postgres(_postgres):
    with made(_postgres, "engine") as url:
        yield url


def test_another_process_hears_of_a_wake_at_once(postgres, tmp_path):
    ran = []
    worker, web = Engine(postgres, tmp_path), Engine(postgres, tmp_path)
    worker.add("settle", ran.append)

    with running(worker):
        until(lambda: len(ran) >= 2)  # once at the start, once when it began to listen
        before = len(ran)
        web.wake("settle")
        assert until(lambda: len(ran) > before)
    web.stop()


def test_a_wake_that_nobody_knows_is_told_once(postgres, tmp_path):
    workers = [Engine(postgres, tmp_path / str(number)) for number in range(2)]
    ran = []
    for worker in workers:
        worker.add("settle", ran.append)
    address = make_url(postgres).set(drivername="postgresql").render_as_string(hide_password=False)

    with (
        running(workers[0]),
        running(workers[1]),
        psycopg.connect(address, autocommit=True) as connection,
    ):
        until(lambda: len(ran) >= 4)  # both listen
        connection.execute("LISTEN regportal")
        workers[0].wake("deliver:new")
        heard = [one.payload for one in connection.notifies(timeout=1)]
    assert heard == ["deliver:new"]


def test_a_lost_connection_is_made_anew_and_everything_is_looked_at(postgres, tmp_path):
    ran = []
    worker = Engine(postgres, tmp_path)
    worker.add("settle", ran.append)
    address = make_url(postgres).set(drivername="postgresql").render_as_string(hide_password=False)

    with running(worker):
        until(lambda: len(ran) >= 2)
        before = len(ran)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN regportal%' AND datname = current_database()"
            )
        assert until(lambda: len(ran) > before)


DIES = """
import os, sys, time
from pathlib import Path
from regportal.engine import Engine

engine = Engine(sys.argv[1], Path(sys.argv[2]))
did = Path(sys.argv[3])

def note(text):
    with did.open("a") as file:
        file.write(text + "\\n")

def second(id):
    note("second")
    if sys.argv[4] == "die":
        os.kill(os.getpid(), 9)

def work(step, id):
    step(note, "first")
    step(second, id)
    step(note, "third")

engine.offer("import", work)
engine.start()
if sys.argv[4] == "die":
    engine.run("import", "a")
while "third" not in (did.read_text() if did.exists() else ""):
    time.sleep(0.05)
engine.stop()
"""


def test_long_work_goes_on_after_a_kill(database_url, tmp_path):
    did = tmp_path / "did"
    arguments = [sys.executable, "-c", DIES, database_url, str(tmp_path), str(did)]

    killed = subprocess.run([*arguments, "die"], check=False, timeout=60)
    survived = subprocess.run([*arguments, "live"], check=False, timeout=60)

    assert killed.returncode == -9
    assert survived.returncode == 0
    assert did.read_text().split() == ["first", "second", "second", "third"]


TICKS = """
import sys, time
from pathlib import Path
from regportal.engine import Engine

engine = Engine(sys.argv[1], Path(sys.argv[2]))
ticks = Path(sys.argv[3])

def note(now):
    with ticks.open("a") as file:
        file.write(f"{int(time.time())} {sys.argv[4]}\\n")

engine.every("* * * * * *", "tick", note)
engine.start()
print("ready", flush=True)
sys.stdin.readline()
engine.stop()
"""


def test_however_many_workers_there_are_a_fixed_time_comes_once(postgres, tmp_path):
    ticks = tmp_path / "ticks"
    ticks.touch()
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", TICKS, postgres, str(tmp_path), str(ticks), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    try:
        assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 2
        assert until(lambda: len(ticks.read_text().splitlines()) > 5)
        count = len(ticks.read_text().splitlines())
        workers[0].kill()  # of what it would have done another one does the next
        assert until(lambda: len(ticks.read_text().splitlines()) > count + 3)
    finally:
        for worker in workers:
            with contextlib.suppress(BrokenPipeError):
                worker.communicate("\n", timeout=PATIENCE)
    times = times_of_ticks(postgres)

    assert len(times) > 5
    assert len(set(times)) == len(times)
    assert len(ticks.read_text().splitlines()) <= len(times)


def times_of_ticks(url):
    """Return for which time each tick was begun."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    statement = (
        "SELECT i.inputs FROM engine.workflow_status s"
        " JOIN engine.workflow_input i USING (workflow_uuid) WHERE s.name = 'tick'"
    )
    with psycopg.connect(address) as connection:
        return [inputs for (inputs,) in connection.execute(statement)]
