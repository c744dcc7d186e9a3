"""
Killed at any moment, nothing that was acknowledged is lost, and nothing has an effect twice.

The real processes, real HTTP in and out, SIGKILL at random moments, one process or all at once;
and a CRM that fails three calls of ten in fourteen ways.
"""

import contextlib
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from regportal.store.sessions import Store, make_engine
from tests.commands import run
from tests.crash.accounts import violations
from tests.crash.clients import Book, Crm, Visitor
from tests.crash.clock import Clock
from tests.crash.processes import Cast, Process
from tests.crash.receiver import BAD, BAD_BUT_BRISK, receiving
from tests.crash.resting import Operator
from tests.crash.site import SECRET, documents
from tests.environment import environment_of
from tools.ports import free_port

VISITORS, CRMS = 5, 2


@pytest.fixture
def tmp_path():
    """A folder on a disk, whose flushes take their time; other tests have theirs in memory."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def clock(tmp_path):
    with closing(Clock(tmp_path / "clock")) as one:
        yield one


@pytest.fixture
def crm(clock):
    """What hears of everything, and the sandbox before it, which lets its calls fail."""
    with receiving(clock) as (receiver, sandbox):
        yield SimpleNamespace(receiver=receiver, luck=sandbox.luck, url=f"{sandbox.url}/in")


@pytest.fixture
def place(tmp_path, database_url, crm, clock):
    """An installation with its documents published, nothing running yet."""
    port = free_port()
    environment = environment_of(
        instance=tmp_path / "instance",
        database_url=database_url,
        base_url=f"http://127.0.0.1:{port}",
        allow_private_targets="127.0.0.0/8",
        limits="off",
        log_level="WARNING",
    ) | {"CRM_SECRET": SECRET}
    (tmp_path / "price-list.txt").write_text("A widget costs seven.\n")
    (tmp_path / "site.yaml").write_text(documents(crm.url))
    for command in (["upgrade"], ["apply", "site.yaml"]):
        done = run(*command, folder=tmp_path, environment=environment)
        assert done.returncode == 0, done.stderr
    return SimpleNamespace(
        url=f"http://127.0.0.1:{port}",
        port=port,
        environment=environment,
        folder=tmp_path,
        database_url=database_url,
        mailbox=tmp_path / "instance" / "mail",
        clock=clock,
    )


@pytest.fixture
def cast(place):
    """`serve` on SQLite; `serve` and a worker of its own on PostgreSQL."""
    serve = ["serve", "--port", str(place.port)]
    if place.database_url.startswith("sqlite"):
        processes = [Process(serve, "is ready at", place)]
    else:
        processes = [
            Process([*serve, "--without-worker"], "is ready at", place),
            Process(["worker"], "regportal works", place),
        ]
    yield Cast(processes, place.clock)
    for process in processes:
        process.kill()


@contextlib.contextmanager
def clients(place, book):
    """Let visitors and CRMs go on inside the ``with``."""
    ending = threading.Event()
    around = place.url, book, place.clock, ending
    everybody = [Visitor(*around) for _ in range(VISITORS)] + [Crm(*around) for _ in range(CRMS)]
    for one in everybody:
        one.start()
    try:
        yield
    finally:
        ending.set()
        for one in everybody:
            one.join(30)


def survive(place, cast, crm, kills, figures):
    """Kill so many times under load, let it come to rest, and return what was broken."""
    book = Book(place.mailbox)
    assert cast.start(), "it did not start"
    with closing(Store(make_engine(place.database_url))) as store:
        operator = Operator(store, place.clock)
        crm.luck.turn(BAD)
        with clients(place, book):
            cast.kill_some(kills, after_each=operator.resume)
            assert cast.start(), "it did not start again"
        crm.luck.turn(BAD_BUT_BRISK)
        teller = Crm(place.url, book, place.clock, threading.Event())
        operator.rest(teller.wake)
        broken = [f"{name}: {number}" for name, number in operator.left().items() if number]
        broken += [f"it ended with {code}" for code in map(Process.stop, cast.processes) if code]
        with store.read() as session:
            broken += violations(session, book, crm.receiver)
            if store.engine.dialect.name == "sqlite":
                says = session.scalar(sa.text("PRAGMA integrity_check"))
                broken += [] if says == "ok" else [f"the file is damaged: {says}"]
    figures(
        "kill -9 at random, a CRM that fails three calls of ten in fourteen ways",
        database=store.engine.dialect.name,
        kills=cast.kills,
        acknowledged=book.acknowledged,
        unanswered=book.unanswered,
        told=len(crm.receiver.effects),
        **{"told again": crm.receiver.again, "lost, twice, out of order": len(broken)},
    )
    assert book.acknowledged > kills, "the clients came to nothing"
    return broken


@pytest.mark.both
def test_kills_at_any_moment_lose_nothing_and_tell_nothing_twice(place, cast, crm, figures):
    assert survive(place, cast, crm, 50, figures) == []


@pytest.mark.soak
def test_a_thousand_kills_lose_nothing_and_tell_nothing_twice(place, cast, crm, figures):
    assert survive(place, cast, crm, 1000, figures) == []
