"""What several callers write at once is done by one function, in one transaction."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.store.bulk import insert_all, insert_keys, keys_there, update_all, write_all
from regportal.store.facts import table_of
from regportal.store.ids import uuid7
from regportal.tracking.models import EntryKind, Interaction, LogEntry, Told
from tests.patience import PATIENCE, until

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def test_what_comes_meanwhile_is_done_in_one_call_and_in_order(store):
    groups, held, free = [], threading.Event(), threading.Event()

    def kept(session, some):
        del session
        held.set()
        free.wait(PATIENCE)
        groups.append(list(some))
        return [one * 10 for one in some]

    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(store.write_together, kept, 0)
        assert held.wait(PATIENCE)
        rest = [threads.submit(store.write_together, kept, one) for one in range(1, 6)]
        assert until(lambda: store._owed.qsize() >= len(rest))
        free.set()
        answers = [first.result(), *(one.result() for one in rest)]

    assert answers == [0, 10, 20, 30, 40, 50]
    assert [len(group) for group in groups] == [1, 5]


def test_work_that_answers_too_few_is_refused_and_others_write_on(store):
    key = uuid7()

    def forgetful(session, some):
        insert_all(session, Told, ("id", "at"), [(key, NOON) for _ in some])
        return []

    with pytest.raises(ValueError, match="not enough values"):
        store.write_together(forgetful, 1)
    with store.read() as session:
        assert keys_there(session, Told, [str(key)]) == set()
    assert store.write_together(lambda _, some: some, 2) == 2


def test_one_that_fails_fails_alone(store):
    key, ready = uuid7(), threading.Barrier(3)

    def work(session, some):
        insert_all(session, Told, ("id", "at"), [(one, NOON) for one in some])
        return some

    store.write_together(work, key)

    def write(one):
        ready.wait(PATIENCE)
        return store.write_together(work, one)

    others = [uuid7(), uuid7()]
    with ThreadPoolExecutor(3) as threads:
        bad, *good = [threads.submit(write, one) for one in (key, *others)]
        with pytest.raises(sa.exc.IntegrityError):
            bad.result()

        assert [one.result() for one in good] == others


def told_anew(store, keys):
    """Tell these keys, and return which of them nobody told before."""
    return store.write(
        lambda session: insert_keys(session, Told, keys, {"at": NOON}, nor_in=Interaction)
    )


def test_keys_are_new_once(store):
    keys = sorted(str(uuid7()) for _ in range(5))
    new = [told_anew(store, some) for some in (keys[:3], keys)]
    with store.read() as session:
        there = keys_there(session, Told, [keys[4], str(uuid7())])
        at = set(session.scalars(sa.select(Told.at)))

    assert new == [{*keys[:3]}, {*keys[3:]}]
    assert (there, at) == ({keys[4]}, {NOON})


def test_a_key_that_another_table_has_is_not_new(store):
    old, new = str(uuid7()), str(uuid7())
    columns = (
        *("id", "type", "object", "properties", "occurred_at", "received_at"),
        *("attribution", "judged"),
    )
    done = (old, "page_view", "/prices", {}, NOON, NOON, "anonymous", "person")
    store.write(lambda session: insert_all(session, Interaction, columns, [done]))

    assert told_anew(store, [old, new]) == {new}
    assert told_anew(store, [old, new]) == set()


def test_rows_are_changed_as_they_were_said(store):
    keys = [uuid7() for _ in range(3)]
    later = [NOON + timedelta(microseconds=number) for number in range(3)]
    store.write(
        lambda session: insert_all(session, Told, ("id", "at"), [(one, NOON) for one in keys])
    )
    said = list(zip(later[1:], keys[1:], strict=True))
    for rows in (said, []):
        store.write(lambda session, rows=rows: update_all(session, Told, ("at",), rows))
    with store.read() as session:
        read = {one.id: one.at for one in session.scalars(sa.select(Told))}

    assert read == dict(zip(keys, later, strict=True))


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


@pytest.mark.parametrize(
    "said",
    [
        "2026-03-04T12:00:00.000007+00:00",
        "2026-03-04T12:00:00+00:00",
        "2026-03-04T13:30:00.000007+01:30",
        "2026-03-04T12:00:00.000007Z",
    ],
)
def test_keys_and_moments_may_be_text_already(store, said):
    key = uuid7()
    row = (0, EntryKind.INTERACTION.value, str(key), said)
    columns = ("transaction", "kind", "ref", "at")
    store.write(lambda session: insert_all(session, LogEntry, columns, [row]))
    with store.read() as session:
        (read,) = session.scalars(sa.select(LogEntry))
        found = session.scalars(sa.select(LogEntry.ref).where(LogEntry.at <= read.at)).all()

    assert (read.ref, read.at) == (key, datetime.fromisoformat(said))
    assert found == [key]


def test_values_that_come_again_and_again_are_written_each_time(store):
    one, other = uuid7(), uuid7()
    refs = [one, one, other, other, one]
    rows = [(0, EntryKind.INTERACTION.value, ref, NOON) for ref in refs]
    store.write(
        lambda session: insert_all(session, LogEntry, ("transaction", "kind", "ref", "at"), rows)
    )
    with store.read() as session:
        read = session.scalars(sa.select(LogEntry.ref).order_by(LogEntry.number)).all()

    assert read == refs


def test_rows_are_written_over_those_that_have_their_keys(store):
    columns, table = ("id", "at"), table_of(Told)
    one, other = uuid7(), uuid7()
    later = NOON + timedelta(seconds=1)
    store.write(lambda session: write_all(session, table, columns, [(one, NOON)]))
    store.write(lambda session: write_all(session, table, columns, []))
    store.write(lambda session: write_all(session, table, columns, [(other, NOON), (one, later)]))
    with store.read() as session:
        kept = dict(session.execute(sa.select(Told.id, Told.at)).all())

    assert kept == {one: later, other: NOON}


def test_what_a_thread_gathers_is_handed_on_at_the_end(store):
    groups = []

    def kept(session, some):
        del session
        groups.append(list(some))
        return some

    with store.gathering():
        begun = [store.begin_together(kept, one) for one in range(3)]
        assert store.write_together(kept, "at once") == "at once"
        assert not any(one.done() for one in begun)
    answers = [one.result(PATIENCE) for one in begun]

    assert answers == [0, 1, 2]
    assert groups == [["at once"], [0, 1, 2]]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_patient_write_lets_others_go_first_but_not_for_ever(store):
    order, held, free, over = [], threading.Event(), threading.Event(), threading.Event()

    def hold(session):
        del session
        held.set()
        free.wait(PATIENCE)

    def others():
        while not over.is_set():
            store.write(lambda session: order.append("other"))

    with ThreadPoolExecutor(8) as threads:
        threads.submit(store.write, hold)
        assert held.wait(PATIENCE)
        late = [
            threads.submit(store.write, lambda session: order.append("patient"), patient=True)
            for _ in range(3)
        ]
        assert until(lambda: store._owed.qsize() >= len(late))
        early = threads.submit(store.write, lambda session: order.append("early"))
        assert until(lambda: store._owed.qsize() > len(late))
        free.set()
        early.result(PATIENCE)
        threads.submit(others)
        for one in late:
            one.result(PATIENCE)
        over.set()

    assert order[0] == "early"
    assert order.count("patient") == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_patient_is_written_before_the_end(store):
    done, held, free = [], threading.Event(), threading.Event()

    def hold(session):
        del session
        held.set()
        free.wait(PATIENCE)

    with ThreadPoolExecutor(3) as threads:
        threads.submit(store.write, hold)
        assert held.wait(PATIENCE)
        late = threads.submit(store.write, lambda session: done.append(1), patient=True)
        assert until(store._owed.qsize)
        ending = threads.submit(store.close)
        free.set()
        ending.result(PATIENCE)
        late.result(PATIENCE)

    assert done == [1]
