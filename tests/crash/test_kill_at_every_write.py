"""
Killed when it is about to write, whatever it writes, everything is done or nothing.

Each act is done once to see by which calls to the system it writes, and then again and again,
killed at the first of them, at the second… Whoever was not answered asks again, and the next worker
goes on; then everything is as if nobody had died.
"""

import contextlib
import itertools
from collections import Counter
from contextlib import closing
from functools import partial

import pytest
import sqlalchemy as sa

from regportal.consent.ledger import broken_lines
from regportal.store.base import Base
from regportal.store.migrate import upgrade
from regportal.store.sessions import Store, make_engine
from tests.crash.acts import ACTS, Act
from tests.crash.clock import Clock
from tests.crash.performing import work
from tests.crash.receiver import receiving
from tests.crash.tracing import WRITES, Tracer
from tests.databases import made
from tests.environment import environment_of
from tests.portal import ORIGIN, SECRET, SITE, Portal, patiently

SOME = 3
"""Points of each act in `make test`; in the soak all."""
MANY = 60
"""Points of a migration in the soak: there are hundreds, all in one transaction."""


class House:
    """An installation, as whoever looks at it from another process."""

    def __init__(self, portal, tracer, receiver):
        self.portal, self.tracer, self.receiver = portal, tracer, receiver

    def works(self, task):
        """Let the worker do one of its tasks, until no transaction of others holds it back."""
        patiently(lambda: work(self.portal.app, task))

    def task(self, task):
        """Return the act that is one of the worker's tasks; another worker does what is left."""
        return Act({"act": "work", "task": task}, lambda: self.works(task))

    def rows(self):
        """Return how many rows each table has, by their states."""
        found = Counter()
        self.portal.store.catch_up()
        with self.portal.store.read() as session:
            for table in Base.metadata.sorted_tables:
                by = [one for one in table.c if isinstance(one.type, sa.Enum)]
                for *state, number in session.execute(
                    sa.select(*by, sa.func.count()).select_from(table).group_by(*by)
                ):
                    found[table.name, *map(str, state)] = number
        return found

    def faults(self):
        """Yield what is broken whatever was done."""
        yield from self.receiver.faults
        with self.portal.store.read() as session:
            yield from (f"line {line} of the ledger is broken" for line in broken_lines(session))
            if self.portal.store.engine.dialect.name == "sqlite":
                says = session.scalar(sa.text("PRAGMA integrity_check"))
                if says != "ok":
                    yield f"the file is damaged: {says}"


@pytest.fixture
def house(tmp_path, database_url, monkeypatch):
    """A site whose CRM is on this machine."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    settings = {
        "base_url": ORIGIN,
        "limits": "off",
        "allow_private_targets": "127.0.0.0/8",
    }
    environment = environment_of(
        instance=tmp_path / "instance", database_url=database_url, **settings
    )
    with contextlib.ExitStack() as stack:
        clock = stack.enter_context(closing(Clock(tmp_path / "clock")))
        receiver, sandbox = stack.enter_context(receiving(clock, SECRET))
        portal = stack.enter_context(closing(Portal(database_url, tmp_path, **settings)))
        portal.publish(SITE.replace("https://crm.acme.example", sandbox.url))
        yield House(portal, Tracer(environment, tmp_path), receiver)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path):
    """Makes databases with nothing in them, no table either."""
    if request.param == "sqlite":
        numbers = itertools.count()
        yield lambda: f"sqlite:///{tmp_path / str(next(numbers))}.db"
        return
    with contextlib.ExitStack() as stack:
        server = request.getfixturevalue("_postgres")
        yield lambda: stack.enter_context(made(server, "empty"))


def spread(points, most):
    """Return so many of them, from the first to the last."""
    if len(points) <= most:
        return points
    return [points[place * (len(points) - 1) // (most - 1)] for place in range(most)]


def killed_everywhere(house, act, most):
    """Kill an act at so many points; return how often it died, and what was broken."""
    calls = WRITES[house.portal.store.engine.dialect.name]
    for _ in range(2):  # the first time leaves behind what is kept once for all
        before, first = house.rows(), act(house)
        points = house.tracer.points(first.order, calls)
        first.again()
        house.portal.work()
    whole = house.rows() - before
    states, broken, kills = set(), [], 0
    for call, number in spread(points, most):
        before = house.rows()
        one = act(house)
        ready = house.rows()
        kills += house.tracer.killed(one.order, call, number)
        states.add(frozenset((house.rows() - ready).items()))
        one.again()
        house.portal.work()
        after = house.rows() - before
        if after != whole:
            broken.append(f"{call} {number}: {after - whole} too many, {whole - after} too few")
        broken += [f"{call} {number}: {fault}" for fault in house.faults()]
    if len(states) > 1 + ACTS[act]:
        broken.append(f"there is something between nothing and everything: {states}")
    return kills, broken


def tell(figures, database, act, points, broken):
    """Note what was found."""
    row = {"database": database, "act": act, "points": points, "violations": len(broken)}
    figures("kill -9 at every write of one act", **row)


def killed_while_migrating(empty, folder, most):
    """Kill `regportal upgrade` at so many points; return how often it died, and what broke."""
    order, url = {"command": ["upgrade"]}, empty()
    ours = partial(environment_of, instance=folder / "instance")
    tracer = Tracer(ours(database_url=url), folder)
    points = tracer.points(order, WRITES[kind_of(url)])
    shape, broken, kills = shape_of(url), [], 0
    for call, number in spread(points, most):
        url = empty()
        tracer.environment = ours(database_url=url)
        kills += tracer.killed(order, call, number)
        if shape_of(url) not in [[], shape]:
            broken.append(f"{call} {number}: it is neither the old shape nor the new one")
        upgrade(url)
        if shape_of(url) != shape:
            broken.append(f"{call} {number}: it has another shape")
    return kills, broken


def kind_of(url):
    """Return what kind of database is there."""
    return sa.make_url(url).get_backend_name()


def shape_of(url):
    """Return what tables there are, with their columns, and of which release they are."""
    with contextlib.closing(Store(make_engine(url))) as store, store.read() as session:
        seen = sa.inspect(session.connection())
        tables = sorted(seen.get_table_names())
        shape = [(one, [column["name"] for column in seen.get_columns(one)]) for one in tables]
        if "alembic_version" in tables:
            shape += session.execute(sa.text("SELECT version_num FROM alembic_version")).all()
        return shape


def test_killed_at_some_writes_of_a_migration_the_next_one_makes_it_whole(empty, tmp_path):
    points, broken = killed_while_migrating(empty, tmp_path, SOME)

    assert broken == []
    assert points >= SOME - 1


@pytest.mark.soak
def test_killed_at_many_writes_of_a_migration_the_next_one_makes_it_whole(empty, tmp_path, figures):
    points, broken = killed_while_migrating(empty, tmp_path, MANY)
    tell(
        figures,
        "sqlite" if empty().startswith("sqlite") else "postgresql",
        "The shape is made.",
        points,
        broken,
    )

    assert broken == []
    assert points > MANY / 2


@pytest.mark.parametrize("act", ACTS)
def test_killed_at_some_writes_everything_is_done_once(house, act):
    points, broken = killed_everywhere(house, act, SOME)

    assert broken == []
    assert points > 0


@pytest.mark.soak
@pytest.mark.parametrize("act", ACTS)
def test_killed_at_every_write_everything_is_done_once(house, act, figures):
    points, broken = killed_everywhere(house, act, 10**6)
    tell(figures, house.portal.store.engine.dialect.name, act.__doc__, points, broken)

    assert broken == []
