"""People who are made up stand in every list as the weigher would have written it."""

import time

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from regportal.buying.lists.keeping import LISTED, list_missing
from regportal.cli.bench import bench
from regportal.cli.bench.databases import publish
from regportal.cli.bench.grow import SCORE, bench_grow
from regportal.cli.bench.seed import new_mark, world_of
from regportal.cli.bench.seed import seed as write
from regportal.identity.models import Contact
from regportal.store.base import Base
from regportal.store.documents import Shelf
from regportal.store.sessions import Store, make_engine

PEOPLE = 400


@pytest.fixture
def here(database_url, monkeypatch, tmp_path):
    """An installation with a score, and nobody in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", database_url)
    store = Store(make_engine(database_url))
    store.write(lambda session: publish(session, SCORE))
    yield store
    store.close()


def seed(*options):
    return CliRunner().invoke(bench, ["seed", "--contacts", str(PEOPLE), *options])


def rows(store, table):
    with store.read() as session:
        return sorted(map(repr, session.execute(sa.select(table))))


def test_what_is_made_up_is_what_the_weigher_would_have_written(here):
    done = seed()
    kept = rows(here, LISTED)
    here.write(lambda session: session.execute(sa.delete(LISTED)))
    list_missing(here)

    assert done.exit_code == 0, done.output
    assert len(kept) == PEOPLE
    assert rows(here, LISTED) == kept


def leads_nowhere(table, key):
    """Count the rows whose key of another table is there for nothing."""
    child, parent = table.alias("child"), key.column.table.alias("parent")
    here, there = child.c[key.parent.name], parent.c[key.column.name]
    return (
        sa.select(sa.func.count())
        .select_from(child.outerjoin(parent, here == there))
        .where(here.is_not(None), there.is_(None))
    )


def test_every_kind_of_row_is_there_and_every_key_leads_somewhere(here):
    seed()
    tables = Base.metadata.tables
    with here.read() as session:
        count = {
            name: session.scalar(sa.select(sa.func.count()).select_from(tables[name]))
            for name in ("contact", "interaction", "opportunity", "score_state", "claim")
        }
        lost = [
            (table.name, key.target_fullname)
            for table in Base.metadata.sorted_tables
            for key in table.foreign_keys
            if session.scalar(leads_nowhere(table, key))
        ]
        indexes = {
            one["name"] for one in sa.inspect(session.connection()).get_indexes("interaction")
        }

    assert count == {
        "contact": PEOPLE,
        "interaction": 10 * PEOPLE,
        "opportunity": PEOPLE // 10,
        "score_state": PEOPLE,
        "claim": PEOPLE // 20,
    }
    assert lost == []
    assert indexes == {one.name for one in tables["interaction"].indexes}


def test_real_people_are_never_mixed_with_them_unasked(here):
    seed()
    again = seed()
    asked = seed("--even-if-used")

    assert (again.exit_code, asked.exit_code) == (1, 0)
    assert "the database is not empty" in str(again.exception)
    with here.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Contact)) == 2 * PEOPLE


@pytest.mark.parametrize("step", [1, 3, 8])
def test_one_that_is_stopped_wrote_nothing(here, step):
    told = []

    def stop(says):
        told.append(says)
        if len(told) == step:
            raise KeyboardInterrupt

    with here.read() as session:
        published = Shelf().published(session)
    world = world_of(published, PEOPLE, now=time.time(), mark=new_mark())
    with pytest.raises(KeyboardInterrupt):
        write(here.engine, world, is_new=True, progress=stop)

    with here.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Contact)) == 0
        made = {one["name"] for one in sa.inspect(session.connection()).get_indexes("interaction")}
    assert made == {one.name for one in Base.metadata.tables["interaction"].indexes}


def test_lists_are_measured_in_two_databases_of_different_size(tmp_path):
    report = bench_grow(
        tmp_path, 3, 20, (PEOPLE, 2 * PEOPLE), None, even_if_busy=True, progress=lambda _: None
    )
    told = report.told()

    assert len(told["rounds"]) == 3
    assert len(told["goals"]) * 2 == len(told["rounds"][0])
    assert {goal["wanted"] for goal in told["goals"]} == {1.5}
    assert any(goal["says"].startswith("one's interactions") for goal in told["goals"])
