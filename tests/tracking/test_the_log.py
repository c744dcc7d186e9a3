"""The log: what became known, in the order in which it did; and what holds now."""

import threading
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import make_url

from regportal.identity.actions import contact_from_crm
from regportal.identity.visitors import begin_visitor
from regportal.store.ids import uuid7
from regportal.tracking.actions import (
    Place,
    attribute,
    log,
    read_log,
    record,
    seen,
    seen_of_contacts,
)
from regportal.tracking.models import Attributed, Attribution, EntryKind, Interaction, Judged
from regportal.tracking.shards import shards_in
from tests.databases import made
from tests.patience import PATIENCE, until

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BEGINNING = Place()


@pytest.fixture
def elsewhere(_postgres):
    """Another database of the same server."""
    with made(_postgres, "elsewhere") as url:
        yield plain(url)


@pytest.fixture
def people(store):
    """Ann and Bob."""

    def meet(session):
        return [
            contact_from_crm(session, f"{name}@acme.example", now=NOON).id
            for name in ("ann", "bob")
        ]

    return store.write(meet)


def download(store, name="list", *, at=NOON, known=None):
    """Record an anonymous download that happened at a time and became known at another."""

    def work(session):
        interaction = Interaction(
            id=uuid7(),
            type="download",
            object=name,
            category="price-list",
            properties={},
            occurred_at=at,
            received_at=known or at,
            attribution=Attributed.ANONYMOUS,
            judged=Judged.PERSON,
        )
        return record(session, interaction, now=known or at).id

    return store.write(work)


def belongs(store, interactions, contact, *, at, how=Attributed.VERIFIED):
    store.write(lambda session: attribute(session, interactions, contact, how, "a test", now=at))


def of(store, *contacts, **narrowed):
    with store.read() as session:
        return [one.object for one in seen_of_contacts(session, contacts, **narrowed)]


def lines_of(store, count, after=BEGINNING, limit=100):
    """Read on once there is so much to read: whatever else the server writes is waited for."""
    lines = []

    def are_there():
        nonlocal lines
        with store.read() as session:
            lines = read_all(session, after, limit)
        lines = sorted(lines, key=lambda line: (line.transaction, line.number))[:limit]
        return len(lines) >= count

    until(are_there)
    return lines


def read_all(session, after=BEGINNING, limit=100):
    shards = range(shards_in(session))
    return [line for one in shards for line in read_log(session, one, after, limit)]


def plain(url):
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def places(lines):
    return [(line.transaction, line.number) for line in lines]


def test_what_is_recorded_is_in_the_log_in_its_order(store):
    recorded = [download(store, str(number)) for number in range(10)]
    lines = lines_of(store, 10)

    assert [line.ref for line in lines] == recorded
    assert {line.kind for line in lines} == {EntryKind.INTERACTION}
    assert places(lines) == sorted(places(lines))


def test_it_is_read_on_from_a_place_and_no_line_twice(store):
    recorded = [download(store, str(number)) for number in range(7)]
    read, place = [], BEGINNING
    for count in (3, 3, 1):
        lines = lines_of(store, count, place, limit=3)
        read.append([line.ref for line in lines])
        place = Place(*places(lines)[-1])

    assert list(lines_of(store, 0, place)) == []
    assert [ref for part in read for ref in part] == recorded


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_line_that_commits_late_is_not_passed_over(store):
    begun, go = threading.Event(), threading.Event()
    slow = uuid.uuid4()

    def late(session):
        log(session, EntryKind.OPPORTUNITY, slow, now=NOON)
        session.flush()
        begun.set()
        go.wait(PATIENCE)

    thread = threading.Thread(target=lambda: store.write(late))
    thread.start()
    assert begun.wait(PATIENCE)
    fast = download(store)
    meanwhile = lines_of(store, 0)
    go.set()
    thread.join()
    afterwards = lines_of(store, 2)

    assert list(meanwhile) == []
    assert [line.ref for line in afterwards] == [slow, fast]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_whoever_writes_for_long_in_another_database_holds_nothing_up(store, elsewhere):
    """And whoever begins here after the log was read once holds up what comes after."""
    with (
        psycopg.connect(elsewhere) as long,
        psycopg.connect(plain(store.engine.url)) as ours,
    ):
        long.execute("SELECT pg_current_xact_id()")
        kept = download(store)
        with store.read() as session:
            read = sorted(read_all(session))
            ours.execute("SELECT pg_current_xact_id()")
            late = download(store)
            then = sorted(read_all(session))
        ours.rollback()

    assert [line.ref for line in read] == [kept]
    assert then == read
    assert [line.ref for line in lines_of(store, 2)] == [kept, late]


def test_what_is_taken_back_leaves_no_line(store):
    def fail(session):
        log(session, EntryKind.OPPORTUNITY, uuid.uuid4(), now=NOON)
        raise ValueError("taken back")

    with pytest.raises(ValueError, match="taken back"):
        store.write(fail)

    kept = download(store)
    assert [line.ref for line in lines_of(store, 1)] == [kept]


def test_the_newest_attribution_holds(store, people):
    ann, bob = people
    done = download(store)
    belongs(store, [done], ann, at=NOON + SECOND)
    first = of(store, ann), of(store, bob)
    belongs(store, [done], bob, at=NOON + 2 * SECOND)
    then = of(store, ann), of(store, bob)
    belongs(store, [done], None, at=NOON + 3 * SECOND, how=Attributed.ANONYMOUS)

    assert first == (["list"], [])
    assert then == ([], ["list"])
    assert (of(store, ann), of(store, bob)) == ([], [])
    with store.read() as session:
        now = seen(session, done)
        assert (now.contact_id, now.attribution) == (None, "anonymous")
        assert session.scalar(sa.select(sa.func.count()).select_from(Attribution)) == 3
        assert session.get_one(Interaction, done).attribution == "anonymous"


def test_of_two_attributions_of_one_moment_the_later_written_holds(store, people):
    ann, bob = people
    done = download(store)
    belongs(store, [done], bob, at=NOON)
    belongs(store, [done], ann, at=NOON)

    assert (of(store, ann), of(store, bob)) == (["list"], [])


def test_an_attribution_is_told_to_the_log_under_its_contact(store, people):
    ann, _ = people
    both = [download(store, "one"), download(store, "two")]
    belongs(store, both, ann, at=NOON + SECOND)
    belongs(store, [], ann, at=NOON + SECOND)
    lines = lines_of(store, 3)

    assert [line.kind for line in lines] == ["interaction", "interaction", "attribution"]
    assert lines[-1].ref == ann


def test_what_somebody_did_comes_in_the_order_it_became_known(store, people):
    ann, bob = people
    late = download(store, "done first, known last", at=NOON, known=NOON + 2 * SECOND)
    soon = download(store, "done last, known first", at=NOON + SECOND)
    belongs(store, [late], ann, at=NOON + 3 * SECOND)
    belongs(store, [soon], bob, at=NOON + 3 * SECOND)

    assert of(store, ann, bob) == ["done last, known first", "done first, known last"]
    assert of(store, ann, bob, since=NOON) == ["done last, known first"]


@pytest.mark.parametrize("lost", ["visitor_id", "contact_id"])
def test_an_interaction_of_nobody_we_know_is_refused(store, lost):
    def work(session):
        session.add(
            Interaction(
                id=uuid7(),
                type="download",
                object="list",
                properties={},
                occurred_at=NOON,
                received_at=NOON,
                attribution=Attributed.ANONYMOUS,
                judged=Judged.PERSON,
                **{lost: uuid7()},
            )
        )

    with pytest.raises(sa.exc.IntegrityError):
        store.write(work)


def test_a_visitor_alone_is_nobody(store, people):
    store.write(lambda session: begin_visitor(session, "token", now=NOON))
    download(store)

    assert of(store, *people) == []
