"""
A log that PostgreSQL divides by month: nothing else is different, and an old month goes at once.

All other tests can be run on a divided log as well: ``REGPORTAL_TEST_DIVIDED=1 make test``.
"""

import uuid
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from regportal.buying.models import KnownInteraction
from regportal.errors import RegportalError
from regportal.identity.models import Contact
from regportal.store.base import Base
from regportal.store.ids import EPOCH, uuid7
from regportal.store.migrate import upgrade
from regportal.tracking import dividing
from regportal.tracking.dividing import BEFORE, OTHER, divide, drop, keep_ahead, parts, to_drop
from regportal.tracking.models import Attribution, EntryKind, LogEntry, Verdict
from tests.cli.conftest import installed, regportal  # noqa: F401 - fixtures
from tests.tracking.test_the_collector import (
    ann,  # noqa: F401 - a fixture
    event,
    followed,  # noqa: F401 - a fixture
    kept,
    tell,
)

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
TODAY = datetime.now(UTC)


def at(month, day=5):
    """Return a moment of a month, counted from this one."""
    whole = TODAY.year * 12 + TODAY.month - 1 + month
    return datetime(whole // 12, whole % 12 + 1, day, tzinfo=UTC)


def id_of(moment):
    """Return an id as a clock that shows this moment makes it."""
    return str(uuid7((moment - EPOCH) // timedelta(milliseconds=1)))


def divided_now(portal, now=TODAY):
    portal.store.write(partial(divide, now=now))


def where(portal):
    """Return how many interactions lie in each part that has any."""
    query = sa.text("SELECT tableoid::regclass::text, count(*) FROM interaction GROUP BY 1")
    with portal.store.read() as session:
        return dict(session.execute(query).all())


def listed(portal):
    """Return the parts, but for the one of no month."""
    with portal.store.read() as session:
        return parts(session)


def known(portal):
    """Return the keys of what is known to be somebody's own."""
    with portal.store.read() as session:
        return set(session.scalars(sa.select(KnownInteraction.interaction_id)))


def constraints(portal):
    """Return every foreign key to and from the log, and its indexes, by name."""
    keys = (
        "SELECT conname || ' ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid)"
        " FROM pg_constraint WHERE conparentid = 0 AND contype IN ('f', 'p') AND"
        " 'interaction'::regclass IN (conrelid, confrelid) UNION ALL"
        " SELECT replace(indexdef, ' ONLY ', ' ') FROM pg_indexes WHERE tablename = 'interaction'"
    )
    with portal.store.read() as session:
        return set(session.scalars(sa.text(keys)))


@ON_POSTGRESQL
def test_what_was_there_stays_uncopied_and_every_key_and_index_is_as_before(portal, ann):  # noqa: F811 - the fixture
    tell(ann, event())
    portal.work()
    shape, before = constraints(portal), [one.id for one in kept(portal)]
    divided_now(portal)

    assert constraints(portal) == shape
    assert [one.id for one in kept(portal)] == before
    assert where(portal) == {BEFORE: len(before)}
    assert [one.name for one in listed(portal)] == [
        BEFORE,
        *(f"interaction_{at(month):%Y_%m}" for month in (1, 2, 3)),
    ]


@ON_POSTGRESQL
def test_a_portal_that_runs_meanwhile_goes_on(portal, ann):  # noqa: F811 - the fixture
    """Its statements are prepared, and its connections open."""
    tell(ann, event())
    portal.work()
    divided_now(portal, at(-1))
    told = [event(about=f"/{number}", id=id_of(TODAY)) for number in range(3)]
    answers = [tell(ann, one)[1] for one in (*told, told[0])]
    portal.work()

    assert [one["accepted"] for one in answers] == [1, 1, 1, 0]
    assert sum(where(portal).values()) == 5
    assert where(portal)[f"interaction_{TODAY:%Y_%m}"] >= 3


@ON_POSTGRESQL
def test_a_divided_log_is_upgraded_like_any_other(portal, database_url):
    divided_now(portal)
    upgrade(database_url)
    with portal.store.engine.connect() as connection:
        columns = {one["name"] for one in sa.inspect(connection).get_columns("interaction")}

    assert columns == {one.name for one in Base.metadata.tables["interaction"].columns}


@ON_POSTGRESQL
def test_an_id_of_a_time_to_come_moves_in_when_its_month_is_made(portal, ann):  # noqa: F811 - the fixture
    """A browser's clock is fast by months, or somebody wants to be in the way."""
    divided_now(portal)
    early = id_of(at(5))
    tell(ann, event(id=early))
    tell(ann, event(id=id_of(at(70))))
    portal.work()
    by = {"judged": "machine", "judged_by": "person", "at": TODAY, "id": uuid7()}
    verdict = sa.insert(Verdict).values(interaction_id=uuid.UUID(early), **by)
    portal.store.write(lambda session: session.execute(verdict))
    lay = where(portal)
    theirs = known(portal)
    portal.store.write(partial(keep_ahead, now=at(4)))
    again = portal.store.write(partial(keep_ahead, now=at(4)))

    assert lay[OTHER] == 2
    assert where(portal) == {**lay, OTHER: 1, f"interaction_{at(5):%Y_%m}": 1}
    assert uuid.UUID(early) in theirs == known(portal)
    assert [str(one.interaction_id) for one in kept(portal, Verdict)] == [early]
    assert again == []


@ON_POSTGRESQL
def test_an_old_month_goes_whole_and_those_it_was_about_are_weighed_anew(portal, ann):  # noqa: F811 - the fixture
    old_one = id_of(at(-3))
    tell(ann, event(id=old_one))
    portal.work()
    divided_now(portal, at(-2))
    of_now = sum(where(portal).values())
    tell(ann, event(id=id_of(TODAY)))
    portal.work()
    with portal.store.read() as session:
        old = to_drop(session, at(0, day=1), now=TODAY)
        before = session.scalar(sa.select(sa.func.max(LogEntry.number)))
    for part in old:
        portal.store.write(partial(drop, part=part, now=TODAY))
    portal.work()
    with portal.store.read() as session:
        heard = session.execute(
            sa.select(LogEntry.kind, LogEntry.ref).where(LogEntry.number > before)
        ).all()
        contacts = session.scalars(sa.select(Contact.id)).all()

    assert of_now == 2
    assert old_one not in {str(one.id) for one in kept(portal)}
    assert heard == [(EntryKind.ATTRIBUTION, one) for one in contacts]
    assert known(portal) == {one.id for one in kept(portal)}
    assert old[0].name == BEFORE
    assert listed(portal)[0].name == f"interaction_{TODAY:%Y_%m}"
    assert {one.interaction_id for one in kept(portal, Attribution)} <= {
        one.id for one in kept(portal)
    }


@ON_POSTGRESQL
@pytest.mark.parametrize("before", [at(1, day=1), at(0, day=2)], ids=["to come", "no month"])
def test_only_months_that_are_over_are_dropped(portal, before):
    divided_now(portal)

    with portal.store.read() as session, pytest.raises(RegportalError, match="parts end where"):
        to_drop(session, before, now=TODAY)


@ON_POSTGRESQL
def test_the_commands_say_what_they_did(installed):  # noqa: F811 - the fixture
    first = installed("interactions", "divide")
    again = installed("interactions", "divide")
    told = installed("interactions", "parts", "--json").json()
    gone = installed("interactions", "drop", "--before", f"{TODAY:%Y-%m}-01", "--dry-run")

    assert (first.code, again.code, again.err) == (0, 1, "the log is divided already\n")
    assert len(first.out.splitlines()) == len(told) == 1 + dividing.AHEAD
    assert (told[0]["since"], told[0]["until"]) == (None, f"{at(1, day=1):%Y-%m-%dT00:00:00}Z")
    assert (gone.code, gone.out) == (0, "nothing is that old\n")


@ON_POSTGRESQL
def test_whoever_does_not_own_the_tables_is_told_so(installed, portal, monkeypatch):  # noqa: F811 - the fixture
    """Another user of the database, who may read and write."""
    name = f"reader_{uuid7().hex}"
    rights = f"CREATE ROLE {name} LOGIN;"
    rights += f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}"
    with portal.store.engine.begin() as connection:
        connection.exec_driver_sql(rights)
    url = sa.make_url(str(portal.settings.database_url.get_secret_value())).set(username=name)
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", url.render_as_string(hide_password=False))
    ran = installed("interactions", "divide")
    with portal.store.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {name}; DROP ROLE {name}")

    assert ran.code == 1
    assert ran.err == "the database refuses: must be owner of table attribution\n"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_divides_nothing(installed):  # noqa: F811 - the fixture
    ran = installed("interactions", "divide")

    assert (ran.code, ran.err) == (1, "only PostgreSQL divides tables\n")
