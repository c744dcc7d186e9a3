"""What several callers write at once is done by one function, in one transaction."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.store.bulk import insert_all, insert_keys, keys_there
from regportal.store.ids import uuid7
from regportal.tracking.models import EntryKind, LogEntry, Told

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def test_what_comes_meanwhile_is_done_in_one_call_and_in_order(store):
    groups, held, free = [], threading.Event(), threading.Event()

    def kept(session, some):
        del session
        held.set()
        free.wait(10)
        groups.append(list(some))
        return [one * 10 for one in some]

    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(store.write_together, kept, 0)
        assert held.wait(10)
        rest = [threads.submit(store.write_together, kept, one) for one in range(1, 6)]
        until = time.monotonic() + 10
        while store._owed.qsize() < len(rest) and time.monotonic() < until:
            time.sleep(0.01)
        free.set()
        answers = [first.result(), *(one.result() for one in rest)]

    assert answers == [0, 10, 20, 30, 40, 50]
    assert [len(group) for group in groups] == [1, 5]


def test_one_that_fails_fails_alone(store):
    key, ready = uuid7(), threading.Barrier(3)

    def work(session, some):
        insert_all(session, Told, ("id", "at"), [(one, NOON) for one in some])
        return some

    store.write_together(work, key)

    def write(one):
        ready.wait(10)
        return store.write_together(work, one)

    others = [uuid7(), uuid7()]
    with ThreadPoolExecutor(3) as threads:
        bad, *good = [threads.submit(write, one) for one in (key, *others)]
        with pytest.raises(sa.exc.IntegrityError):
            bad.result()

        assert [one.result() for one in good] == others


def test_keys_are_new_once(store):
    keys = sorted(uuid7() for _ in range(5))
    new = [
        store.write(lambda session, some=some: insert_keys(session, Told, some, {"at": NOON}))
        for some in (keys[:3], keys)
    ]
    with store.read() as session:
        there = keys_there(session, Told, [keys[4], uuid7()])
        at = set(session.scalars(sa.select(Told.at)))

    assert new == [{*keys[:3]}, {*keys[3:]}]
    assert (there, at) == ({keys[4]}, {NOON})


def test_rows_are_read_as_they_were_written(store):
    rows = [
        (0, EntryKind.INTERACTION.value, uuid7(), NOON.replace(microsecond=7)) for _ in range(3)
    ]
    store.write(
        lambda session: insert_all(session, LogEntry, ("transaction", "kind", "ref", "at"), rows)
    )
    with store.read() as session:
        read = session.scalars(sa.select(LogEntry).order_by(LogEntry.number)).all()

    assert [(one.transaction, one.kind.value, one.ref, one.at) for one in read] == rows
