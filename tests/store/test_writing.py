"""Writing facts: what is answered is kept, and one bad write is its own affair."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from filelock import FileLock

from regportal.store.documents import Publication, Wording
from regportal.store.sessions import Store, make_engine
from tests.patience import PATIENCE

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
AT_ONCE = """
import sys
from datetime import UTC, datetime
from regportal.store.documents import Wording
from regportal.store.sessions import Store, make_engine

store = Store(make_engine(sys.argv[1]))
for number in range(100):
    text = f"{sys.argv[2]}-{number}"
    word = Wording(digest=text, locale="en", text=text, first_used=datetime.now(UTC))
    store.write(lambda session: session.add(word))
store.close()
"""


def writes(text):
    """Return a write that keeps this text."""

    def work(session):
        session.add(Wording(digest=text, locale="en", text=text, first_used=NOON))
        session.flush()
        return text

    return work


def kept(store):
    """Return every text that is kept, as another process would read it."""
    url = store.engine.url.render_as_string(hide_password=False)
    with closing(Store(make_engine(url))) as other, other.read() as session:
        return sorted(session.scalars(sa.select(Wording.text)))


class Group:
    """Writes that the writer finds waiting together."""

    def __init__(self, store):
        self.store = store
        self.threads = ThreadPoolExecutor(8)
        self.held, self.go = threading.Event(), threading.Event()

    def __enter__(self):
        self.first = self.threads.submit(self.store.write, self._hold)
        assert self.held.wait(PATIENCE)
        return self

    def _hold(self, session):
        self.held.set()
        self.go.wait(PATIENCE)

    def write(self, work):
        before = self.store._owed.qsize()
        answer = self.threads.submit(self.store.write, work)
        while self.store._grouped and self.store._owed.qsize() == before:
            time.sleep(0.001)
        return answer

    def __exit__(self, *_):
        self.go.set()
        self.threads.shutdown()


def test_what_is_answered_is_kept(store):
    said = store.write(writes("a fact"))

    assert said == "a fact"
    assert kept(store) == ["a fact"]


def test_nothing_is_seen_before_it_is_answered(store):
    seen = []

    def work(session):
        writes("a fact")(session)
        seen.extend(kept(store))

    store.write(work)

    assert seen == []
    assert kept(store) == ["a fact"]


def test_one_bad_write_does_not_hurt_its_group(store):
    def bad(session):
        writes("half a fact")(session)
        raise ValueError("half done")

    with Group(store) as group:
        good, wrong, last = map(group.write, (writes("one"), bad, writes("two")))

    assert (good.result(), last.result()) == ("one", "two")
    with pytest.raises(ValueError, match="half done"):
        wrong.result()
    assert kept(store) == ["one", "two"]


def test_a_write_the_database_refuses_does_not_hurt_its_group(store):
    with Group(store) as group:
        answers = [group.write(writes(text)) for text in ("one", "one", "two")]

    assert [type(answer.exception()) for answer in answers].count(sa.exc.IntegrityError) == 1
    assert answers[2].result() == "two"
    assert kept(store) == ["one", "two"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_where_the_commit_fails_the_whole_group_hears_it(store):
    def orphan(session):
        session.execute(sa.text("PRAGMA defer_foreign_keys=ON"))
        session.execute(
            sa.text(
                "INSERT INTO current_document (kind, key, position, version_id) "
                "VALUES ('gate', 'g', 0, 'nobody')"
            )
        )

    with Group(store) as group:
        answers = [group.write(writes("one")), group.write(orphan)]

    assert [type(answer.exception()) for answer in answers] == [sa.exc.IntegrityError] * 2
    assert kept(store) == []
    assert store.write(writes("the next")) == "the next"


def test_a_note_is_kept_though_nobody_waits_for_it(store):
    for number in range(20):
        store.note(writes(f"{number:02}"))
    store.catch_up()

    assert kept(store) == [f"{number:02}" for number in range(20)]


def test_a_note_that_fails_is_lost_alone(store):
    store.note(writes("one"))
    store.note(writes("one"))
    store.note(writes("two"))
    store.catch_up()

    assert kept(store) == ["one", "two"]


def test_what_was_noted_before_the_end_is_kept(store):
    store.note(writes("the last word"))
    store.close()

    assert kept(store) == ["the last word"]


def test_a_reader_changes_nothing(store):
    with store.read() as session:
        writes("a slip")(session)

    assert kept(store) == []


def test_many_threads_write_in_turn(store):
    with ThreadPoolExecutor(16) as threads:
        said = list(threads.map(lambda number: store.write(writes(f"{number:03}")), range(200)))

    assert said == [f"{number:03}" for number in range(200)]
    assert kept(store) == said


def test_two_processes_write_at_once(store, database_url):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", AT_ONCE, database_url, name], stderr=subprocess.PIPE, text=True
        )
        for name in ("left", "right")
    ]
    errors = [writer.communicate(timeout=PATIENCE)[1] for writer in writers]

    assert errors == ["", ""]
    assert len(kept(store)) == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_between_processes_a_lock_file_decides_whose_turn_it_is(store):
    with ThreadPoolExecutor(1) as threads, FileLock(f"{store.engine.url.database}.lock"):
        answer = threads.submit(store.write, writes("patient"))
        time.sleep(0.2)
        waited = not answer.done()
        before = kept(store)

    assert waited
    assert before == []
    assert kept(store) == ["patient"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_writes_that_lock_each_other_out_are_both_done(store):
    store.write(writes("left"))
    store.write(writes("right"))
    both = threading.Barrier(2)

    def embrace(first, second):
        def work(session):
            session.get_one(Wording, first, with_for_update=True)
            if not both.broken:
                both.wait(PATIENCE)
            session.get_one(Wording, second, with_for_update=True)
            both.abort()

        return work

    with ThreadPoolExecutor(2) as threads:
        answers = [
            threads.submit(store.write, embrace(*names))
            for names in (("left", "right"), ("right", "left"))
        ]

    assert [answer.exception() for answer in answers] == [None, None]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_is_durable_strict_and_forgets_what_was_erased(store):
    with store.read() as session:
        said = {
            name: session.scalar(sa.text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }

    assert said == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


def test_numbers_follow_each_other(store):
    def publish(session):
        row = Publication(at=NOON)
        session.add(row)
        session.flush()
        return row.number

    numbers = [store.write(publish) for _ in range(3)]

    assert numbers == [1, 2, 3]
