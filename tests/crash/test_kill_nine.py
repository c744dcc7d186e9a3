"""
Killed at any moment, nothing that was acknowledged is lost, and nothing has an effect twice.

The real processes, real HTTP in and out, SIGKILL at random moments, one process or all at once.
"""

import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from regportal.store.sessions import Store, make_engine
from tests.crash.accounts import left_to_do, violations
from tests.crash.clients import Book, Crm, Visitor
from tests.crash.processes import Cast, Process
from tests.crash.receiver import Receiver
from tests.crash.site import SECRET, documents
from tools.ports import free_port

VISITORS, CRMS = 5, 2
DRAINED_WITHIN = 200.0  # the longest lease, a letter's, and what waits behind it


@pytest.fixture
def tmp_path():
    """A folder on a disk, whose flushes take their time; other tests have theirs in memory."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def receiver():
    with closing(Receiver()) as one:
        yield one


@pytest.fixture
def place(tmp_path, database_url, receiver):
    """An installation with its documents published, nothing running yet."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper()}
    environment |= {
        "REGPORTAL_INSTANCE": str(tmp_path / "instance"),
        "REGPORTAL_DATABASE_URL": database_url,
        "REGPORTAL_BASE_URL": f"http://127.0.0.1:{port}",
        "REGPORTAL_ALLOW_PRIVATE_TARGETS": "127.0.0.0/8",
        "REGPORTAL_LIMITS": "off",
        "REGPORTAL_LOG_LEVEL": "WARNING",
        "CRM_SECRET": SECRET,
    }
    (tmp_path / "price-list.txt").write_text("A widget costs seven.\n")
    (tmp_path / "site.yaml").write_text(documents(receiver.url))
    for command in (["upgrade"], ["apply", "site.yaml"]):
        subprocess.run(
            [sys.executable, "-m", "regportal", *command],
            cwd=tmp_path,
            env=environment,
            check=True,
            capture_output=True,
            timeout=60,
        )
    return SimpleNamespace(
        url=f"http://127.0.0.1:{port}",
        port=port,
        environment=environment,
        folder=tmp_path,
        database_url=database_url,
        mailbox=tmp_path / "instance" / "mail",
    )


@pytest.fixture
def cast(place):
    """`serve` on SQLite; `serve` and a worker of its own on PostgreSQL."""
    serve = ["serve", "--port", str(place.port)]
    rest = (place.environment, place.folder)
    if place.database_url.startswith("sqlite"):
        processes = [Process(serve, "is ready at", *rest)]
    else:
        processes = [
            Process([*serve, "--without-worker"], "is ready at", *rest),
            Process(["worker"], "regportal works", *rest),
        ]
    cast = Cast(processes)
    yield cast
    for process in processes:
        process.kill()


def survive(place, cast, receiver, kills):
    """Kill so many times under load, let it come to rest, and return what was broken."""
    book, ending = Book(place.mailbox), threading.Event()
    assert cast.start(), "it did not start"
    clients = [Visitor(place.url, book, ending) for _ in range(VISITORS)]
    clients += [Crm(place.url, book, ending) for _ in range(CRMS)]
    for client in clients:
        client.start()
    cast.kill_some(kills)
    assert cast.start(), "it did not start again"
    ending.set()
    for client in clients:
        client.join(30)

    store = Store(make_engine(place.database_url))
    try:
        until = time.monotonic() + DRAINED_WITHIN
        while any(left(store).values()) and time.monotonic() < until:
            time.sleep(0.2)
        codes = [process.stop() for process in cast.processes]
        with store.read() as session:
            broken = list(violations(session, book, receiver))
            if store.engine.dialect.name == "sqlite":
                says = session.scalar(sa.text("PRAGMA integrity_check"))
                broken += [] if says == "ok" else [f"the file is damaged: {says}"]
        broken += [f"{name}: {number}" for name, number in left(store).items() if number]
        broken += [f"it ended with {code}" for code in codes if code]
    finally:
        store.close()
    logging.getLogger("crash").info(
        "%d kills, %d acknowledged, %d unanswered, %d told, %d told again",
        cast.kills,
        book.acknowledged,
        book.unanswered,
        len(receiver.effects),
        receiver.again,
    )
    assert book.acknowledged > kills, "the clients came to nothing"
    return broken


def left(store):
    with store.read() as session:
        return left_to_do(session)


def test_kills_at_any_moment_lose_nothing_and_tell_nothing_twice(place, cast, receiver):
    assert survive(place, cast, receiver, kills=12) == []


@pytest.mark.soak
def test_five_hundred_kills_lose_nothing_and_tell_nothing_twice(place, cast, receiver):
    assert survive(place, cast, receiver, kills=500) == []
