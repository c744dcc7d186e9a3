"""The database's shape: what the migrations make is what the models say."""

import importlib
import pkgutil
import uuid
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import regportal
from regportal.outbox.models import Message, MessageState
from regportal.store.base import Base
from regportal.store.migrate import config, upgrade
from regportal.store.sessions import make_engine
from regportal.store.shape import PRESENT, is_current


@pytest.fixture
def models():
    """Every table that some room declares."""
    for module in pkgutil.walk_packages(regportal.__path__, "regportal."):
        if module.name.endswith((".models", ".documents", ".vault")):
            importlib.import_module(module.name)
    return Base.metadata


@pytest.fixture
def engine(database_url):
    opened = make_engine(database_url)
    yield opened
    opened.dispose()


def test_migrating_an_empty_database_gives_exactly_the_models(engine, models):
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        differences = compare_metadata(context, models)

    assert differences == []
    assert len(models.tables) > 20


def test_every_constraint_has_the_name_the_models_give_it(engine, models):
    found = sa.inspect(engine)
    made, said = set(), set()
    for table in models.sorted_tables:
        made |= {one["name"] for one in found.get_unique_constraints(table.name)}
        made |= {one["name"] for one in found.get_foreign_keys(table.name)}
        said |= {
            one.name
            for one in table.constraints
            if isinstance(one, sa.UniqueConstraint | sa.ForeignKeyConstraint)
        }

    assert made == said


def test_upgrading_what_is_in_shape_does_nothing(engine, database_url):
    before = sorted(sa.inspect(engine).get_table_names())
    upgrade(database_url)

    assert sorted(sa.inspect(engine).get_table_names()) == before
    assert is_current(engine)


def test_the_present_shape_is_that_of_the_last_migration():
    assert ScriptDirectory.from_config(config()).get_current_head() == PRESENT


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # others are lent again
@pytest.mark.parametrize(("number", "serves"), [("0001", False), ("9999", True)])
def test_an_older_database_is_not_in_shape_and_a_newer_one_is_good_enough(engine, number, serves):
    with engine.connect().execution_options(regportal_writes=True) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :n"), {"n": number})
        connection.commit()

    assert is_current(engine) is serves


def test_a_database_with_nothing_in_it_is_not_in_shape(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path}/empty.db")
    fresh = is_current(engine)
    upgrade(f"sqlite:///{tmp_path}/empty.db")

    assert (fresh, is_current(engine)) == (False, True)
    engine.dispose()


def test_conflicts_that_were_parked_before_are_known_for_such(tmp_path):
    now = datetime.now(UTC)
    common = {"connector": "crm", "subject": "opportunity:1", "payload": {}, "occurred_at": now}
    common |= {"topic": "phase.changed", "state": MessageState.PARKED, "due": now}
    says = ["somebody set buying_phase to 'b', which we had left at 'a'", "no such option"]
    rows = [
        common | {"id": uuid.uuid4(), "sequence": number, "trouble": one}
        for number, one in enumerate(says)
    ]
    url = f"sqlite:///{tmp_path}/older.db"
    engine = make_engine(url)
    with engine.connect().execution_options(regportal_writes=True) as connection:
        command.upgrade(config(connection), "0034")
        connection.execute(sa.insert(Message.__table__), rows)
        connection.commit()
    upgrade(url)
    with engine.connect() as connection:
        chosen = sa.select(Message.outcome).order_by(Message.sequence)
        found = connection.scalars(chosen).all()
    engine.dispose()

    assert found == ["conflict", None]
