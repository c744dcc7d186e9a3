"""Several workers weigh shards of the log at once: nothing is lost, told twice, or out of order."""

import contextlib
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.orm import Session

from regportal.buying import actions
from regportal.buying.models import KeptStanding
from regportal.buying.passing import find_lost, pass_time
from regportal.buying.place import next_lines, own_place, unread
from regportal.buying.weigher import _weigh_some
from regportal.identity.models import Contact
from regportal.identity.people import join, split
from regportal.privacy.erasing import ADMINISTRATOR, erase
from regportal.privacy.whom import find_whom
from regportal.store.documents import Shelf
from regportal.store.migrate import config, upgrade
from regportal.store.sessions import Store, make_engine
from regportal.tracking.actions import log
from regportal.tracking.models import EntryKind, LogEntry
from regportal.tracking.shards import SHARDS, shard
from tests.buying.scene import CRM, NOON, PRICES, Scene
from tests.buying.test_state_is_replay import Life
from tests.buying.test_weigher import late, told_once
from tests.databases import made
from tests.patience import until
from tests.portal import patiently

pytestmark = pytest.mark.both

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
COMPANIES = ("acme.example", "vandelay.example", "hooli.example", "umbrella.example")
"""One in each shard of the log on PostgreSQL."""
on_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def test_each_of_these_companies_is_in_a_shard_of_its_own():
    shards = {shard(f"ann@{company}", SHARDS["postgresql"]) for company in COMPANIES}

    assert len(shards) == len(COMPANIES) == SHARDS["postgresql"]


def shard_of(company):
    return shard(f"ann@{company}", SHARDS["postgresql"])


class Workers:
    """So many workers that weigh, and let time pass, over and over until the ``with`` ends."""

    def __init__(self, url, clock, count=3):
        self.clock, self.failed = clock, []
        self.stores = [Store(make_engine(url)) for _ in range(count)]
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(one,)) for one in self.stores]

    def work(self, store):
        shelf, size = Shelf(), 1
        while not self.over.is_set():
            size = size % 5 + 1
            now = self.clock()
            try:
                if actions.weigh(store, shelf, now=now, limit=size) is None:
                    pass_time(store, shelf, now=now)
            except Exception as error:
                self.failed.append(error)
                raise
            self.over.wait(0.002)

    def __enter__(self):
        for one in self.threads:
            one.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for one in self.threads:
            one.join()
        for one in self.stores:
            one.close()


def live_beside_workers(life, database_url):
    """Let things happen while workers weigh them, and compare what they kept with a replay."""
    with Workers(database_url, lambda: life.now) as workers:
        for _ in range(40):
            life.happens()

    assert workers.failed == []
    assert life.differences() == []
    assert life.torn() == []
    told_once(life.scene)


@on_postgres
@pytest.mark.parametrize("seed", range(6))
def test_what_three_workers_keep_is_what_a_replay_gives(scene, database_url, seed):
    live_beside_workers(Life(scene, seed, COMPANIES), database_url)


@on_postgres
@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 150))
def test_what_three_workers_keep_is_what_a_replay_gives_however_long(scene, database_url, seed):
    life = Life(scene, seed, COMPANIES)
    for _ in range(5):
        live_beside_workers(life, database_url)


def weigh_shard(scene, shard, limit, now):
    """Weigh some lines of a shard in which lines wait, as soon as nobody else's holds them back."""

    def work(session):
        return _weigh_some(session, scene.shelf.published(session), shard, (limit,), now=now)

    assert until(lambda: scene.store.write(work))


def weigh_some(life):
    """Weigh some lines of any shard in which lines wait."""
    with life.scene.store.read() as session:
        waits = [shard for shard, at in next_lines(session).items() if at is not None]
    if waits:
        shard, limit = life.chance.choice(waits), life.chance.choice([1, 2, 3])
        weigh_shard(life.scene, shard, limit, life.now)


@on_postgres
@pytest.mark.parametrize("seed", [3, 8, 16, 28])
def test_who_deletes_all_standings_while_lines_wait_in_any_shard_loses_nothing(scene, seed):
    life = Life(scene, seed, COMPANIES)
    scene.weigh(now=life.now)
    for _ in range(6):
        for _ in range(10):
            life.happens()
            if life.chance.random() < 0.5:
                weigh_some(life)
        scene.store.write(lambda session: session.execute(sa.delete(KeptStanding)))
        scene.store.write(lambda session: find_lost(session, now=life.now))
        for _ in range(3):
            life.happens()
            weigh_some(life)

        assert life.differences() == []


@on_postgres
def test_an_erasure_lets_nothing_be_worked_out_to_a_moment_before_what_was_weighed(scene):
    scene.publish(CRM, PRICES)
    ann, bob, eve = (
        scene.contact(f"{who}@{of}") for who, of in zip("abe", COMPANIES, strict=False)
    )
    deal = scene.opportunity("006")
    for person in (ann, bob, eve):
        scene.role(deal, person)
    scene.weigh(now=NOON)
    scene.did(ann, "paper", now=NOON + SECOND)
    scene.did(bob, now=NOON + 2 * SECOND)
    weigh_shard(scene, shard_of(COMPANIES[1]), 100, NOON + 3 * SECOND)

    def leave(session):
        whom = find_whom(session, f"e@{COMPANIES[2]}")
        published = scene.shelf.published(session)
        erase(session, published, whom, pepper="p", by=ADMINISTRATOR, now=NOON + 4 * SECOND)

    scene.store.write(leave)
    weigh_shard(scene, shard_of(COMPANIES[0]), 1, NOON + 5 * SECOND)
    scene.weigh(now=NOON + 5 * SECOND)

    assert [move.to_phase for move in scene.moves()] == ["comparison"]


@contextlib.contextmanager
def in_hand(scene, company):
    """Let another worker have the shard of a company in hand; give its connection's number."""
    engine = make_engine(scene.store.engine.url.render_as_string(hide_password=False))
    session = Session(engine)
    assert own_place(session, shard_of(company)) is not None
    yield session.scalar(sa.text("SELECT pg_backend_pid()"))
    with contextlib.suppress(sa.exc.OperationalError):  # it may have been killed
        session.close()
    engine.dispose()


@pytest.fixture
def ann_and_bob(scene):
    """Two contacts of two companies, with a part in one opportunity; all of it weighed."""
    both = [
        scene.contact(f"{who}@{company}") for who, company in zip("ab", COMPANIES, strict=False)
    ]
    deal = scene.opportunity()
    for one in both:
        scene.role(deal, one)
    scene.weigh()
    return both


def told(scene):
    return {each.subject for each in scene.messages("interaction.recorded")}


@on_postgres
def test_while_one_shard_is_in_hand_another_worker_weighs_the_others(scene, ann_and_bob):
    ann, bob = ann_and_bob
    scene.did(ann, "paper", now=NOON + SECOND)
    scene.did(bob, now=NOON + 2 * SECOND)
    with in_hand(scene, COMPANIES[0]):
        patiently(lambda: scene.weigh_once() if told(scene) == set() else None)
        meanwhile, again = told(scene), scene.weigh_once()
        with scene.store.read() as session:
            waits = [at for at in next_lines(session).values() if at is not None]
    scene.weigh()

    assert meanwhile == {f"contact:{bob}"}
    assert again == NOON + timedelta(milliseconds=200)
    assert waits == [NOON + SECOND]
    assert told(scene) == {f"contact:{ann}", f"contact:{bob}"}
    assert Differences(scene, NOON + DAY).found() == []


@on_postgres
def test_the_shard_of_a_worker_that_is_killed_is_taken_over(scene, ann_and_bob):
    ann, _ = ann_and_bob
    scene.did(ann, now=NOON + SECOND)
    with in_hand(scene, COMPANIES[0]) as worker:
        before = scene.weigh_once()
        with scene.store.read() as session:
            session.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": worker})
        scene.weigh()

        assert before is not None
        assert told(scene) == {f"contact:{ann}"}
        assert [move.to_phase for move in scene.moves()] == ["comparison"]


@on_postgres
def test_time_does_not_pass_beyond_what_waits_in_another_shard(scene, ann_and_bob):
    ann, _ = ann_and_bob
    scene.did(ann, now=NOON + SECOND)
    scene.weigh(now=NOON + SECOND)
    silent = NOON + SECOND + 45 * DAY
    scene.did(ann, now=silent - SECOND)
    with in_hand(scene, COMPANIES[0]):
        scene.weigh_once(now=silent)
        pass_time(scene.store, scene.shelf, now=silent)
        held_back = [move.to_phase for move in scene.moves()]
    scene.weigh(now=silent)

    assert held_back == ["comparison"]
    assert [move.to_phase for move in scene.moves()] == ["comparison"]


@on_postgres
def test_a_line_that_commits_late_is_not_passed_over_in_any_shard(scene):
    people = [scene.contact(f"ann@{company}") for company in COMPANIES]
    scene.weigh()
    slow = [late(scene.store, one, NOON + SECOND) for one in people]
    for one in people:
        scene.did(one, "paper", now=NOON + 2 * SECOND)
    scene.weigh_once(now=NOON + 3 * SECOND)
    held = scene.messages("interaction.recorded")
    for one in slow:
        one.commit()
        one.close()
    scene.weigh(now=NOON + 4 * SECOND)

    assert held == []
    assert told_once(scene) == 2 * len(people)
    sequences = {}
    for each in scene.messages("interaction.recorded"):
        sequences.setdefault(each.subject, []).append((each.sequence, each.occurred_at))
    for steps in sequences.values():
        assert [at for _, at in sorted(steps)] == [NOON + SECOND, NOON + 2 * SECOND]


class Differences(Life):
    """The comparison of what is kept with the log, for a story told by hand."""

    def __init__(self, scene, now=NOON):
        self.scene, self.now = scene, now

    def found(self):
        return self.differences()


@on_postgres
@pytest.mark.parametrize("last", [0, 1])
def test_who_moves_from_one_shard_to_another_loses_nothing(scene, ann_and_bob, last):
    """Ann and Bob are found to be one person, and are not, while lines of both wait."""
    ann, bob = ann_and_bob
    number = 0

    def change(verb):
        def work(session):
            both = [session.get_one(Contact, one) for one in (ann, bob)]
            which = both if verb is join else both[1:]
            at = NOON + number * SECOND
            verb(session, *which, because="told", by="administrator", now=at)
            for one in both:
                log(session, EntryKind.ATTRIBUTION, one.id, now=at)

        scene.store.write(work)

    for verb in (join, split, join):
        for whose, category in ((ann, "paper"), (bob, "price-list")):
            number += 1
            scene.did(whose, category, now=NOON + number * SECOND)
        change(verb)
    with in_hand(scene, COMPANIES[last]):  # the other one is weighed first, to its end
        patiently(lambda: scene.weigh_once(now=NOON + DAY) if not told(scene) else None)
    scene.weigh(now=NOON + DAY)

    assert told_once(scene) == number
    assert Differences(scene, NOON + DAY).found() == []


# --- an upgrade in the middle of a log ---


@pytest.fixture(params=["sqlite", "postgresql"])
def old_database(request, tmp_path):
    """A database in the shape before the log had shards."""
    with contextlib.ExitStack() as used:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path}/old.db"
        else:
            url = used.enter_context(made(request.getfixturevalue("_postgres"), "old", "template0"))
        engine = make_engine(url)
        with engine.connect().execution_options(regportal_writes=True) as connection:
            command.upgrade(config(connection), "0020")
            connection.commit()
        engine.dispose()
        yield url


def test_an_upgrade_in_the_middle_of_a_log_loses_nothing_and_tells_nothing_twice(old_database):
    engine = make_engine(old_database)
    lines = [
        {"number": number, "ref": f"{number:032x}", "at": "2026-03-04 12:00:00"}
        for number in range(1, 6)
    ]
    with engine.connect().execution_options(regportal_writes=True) as connection:
        line = (
            'INSERT INTO log_entry (number, "transaction", kind, ref, at)'
            " VALUES (:number, 0, 'opportunity', :ref, :at)"
        )
        connection.execute(sa.text(line), lines)
        place = """INSERT INTO log_place (reader, "transaction", number) VALUES ('weigher', 0, 3)"""
        connection.execute(sa.text(place))
        connection.commit()
    engine.dispose()
    upgrade(old_database)
    store = Store(make_engine(old_database))
    scene = Scene(store)
    scene.publish(CRM, PRICES)
    with store.read() as session:
        shards = {line.shard for line in session.scalars(sa.select(LogEntry))}
        waits = unread(session)
    scene.weigh()
    with store.read() as session:
        left = unread(session)
    store.close()

    assert (shards, waits, left) == ({0}, 2, 0)
