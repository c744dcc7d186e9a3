"""Every column of every table says what it is: of a person, with the reason, or not."""

import importlib
import pkgutil
from typing import get_args

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import regportal
from regportal.privacy.traces import every_model
from regportal.store.base import SPECIAL_KEYS, Base, Clock, Id


def declared_models():
    """Return every model of every room."""
    for module in pkgutil.walk_packages(regportal.__path__, "regportal."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)
    models = (mapper.class_ for mapper in Base.registry.mappers)
    return sorted(models, key=lambda model: model.__tablename__)


def faults_of(model):
    """Return what is missing in a model's declaration, one sentence each."""
    columns = {column.name for column in model.__table__.columns}
    personal, plain = set(model.personal), set(model.plain)
    name = model.__tablename__
    found = [f"{name}.{one}: personal or plain?" for one in columns - personal - plain]
    found += [f"{name}.{one}: personal and plain" for one in personal & plain]
    found += [f"{name}.{one}: no such column" for one in (personal | plain) - columns]
    found += [f"{name}.{one}: no such column" for one in set(model.person) - columns]
    if personal and not (model.clock or model.outlives):
        found.append(f"{name}: personal, and no clock ends it")
    if personal and not (model.person or model.outlives):
        found.append(f"{name}: say in person how somebody's rows are found, or in outlives why not")
    if model.clock is not None and model.clock not in get_args(Clock):
        found.append(f"{name}: no clock {model.clock!r}")
    if model.aged_by is not None and model.aged_by not in columns:
        found.append(f"{name}.{model.aged_by}: no such column to age by")
    if model.clock == "anonymous" and model.aged_by is None and not hangs(model):
        found.append(f"{name}: nothing to age by, and no row it always hangs on")
    if model.outlives and model.emptied:
        found.append(f"{name}: stays whole, or is emptied?")
    return found + [
        f"{name}.{column}: found by {key!r}, which is no column"
        for column, key in model.person.items()
        if not is_key(key)
    ]


def hangs(model):
    """Return whether each row hangs on another, with which it goes."""
    columns = model.__table__.columns
    return any(columns[one].foreign_keys and not columns[one].nullable for one in model.person)


def is_key(key):
    """Return whether a person's rows can be found by this."""
    table, _, column = key.partition(".")
    tables = Base.metadata.tables
    return key in SPECIAL_KEYS or (table in tables and column in tables[table].columns)


@pytest.mark.parametrize("model", declared_models(), ids=lambda model: model.__tablename__)
def test_every_column_is_declared_personal_or_plain(model):
    assert faults_of(model) == []


@pytest.mark.parametrize("model", declared_models(), ids=lambda model: model.__tablename__)
def test_every_reason_says_something(model):
    reasons = [*model.personal.values(), model.emptied, model.outlives]

    assert [why for why in reasons if why is not None and len(why.split()) < 3] == []


def test_the_models_of_every_room_are_among_them():
    assert {"answer", "claim", "contact", "interaction", "message", "notice"} <= {
        model.__tablename__ for model in declared_models()
    }


@pytest.fixture
def newcomer():
    """
    A model somebody has just written, in a registry of its own.

    SQLAlchemy forgets a class only when it is collected: in the house's registry it might be there
    still when another test, or the cache of :func:`every_model`, asks for all models.
    """

    class Elsewhere(DeclarativeBase):
        """Where models stand that are no part of the house; they declare as little."""

        metadata = sa.MetaData()
        type_annotation_map = Base.type_annotation_map
        person, clock, aged_by, emptied, outlives = Base.person, None, None, None, None

    class Newcomer(Elsewhere):
        """A row nobody has thought about."""

        __tablename__ = "newcomer"
        personal = {"email": "To write to you."}  # noqa: RUF012 - as a careless author would
        plain = frozenset({"id", "email"})

        id: Mapped[Id]
        email: Mapped[str]
        shoe_size: Mapped[int] = mapped_column(sa.Integer())

    return Newcomer


def test_what_a_test_makes_up_is_no_model_of_the_house(newcomer):
    assert newcomer.__table__.name == "newcomer"
    assert "newcomer" not in Base.metadata.tables
    assert newcomer not in declared_models()
    assert "newcomer" not in every_model()


def test_a_new_column_that_nobody_declared_is_noticed(newcomer):
    assert faults_of(newcomer) == [
        "newcomer.shoe_size: personal or plain?",
        "newcomer.email: personal and plain",
        "newcomer: personal, and no clock ends it",
        "newcomer: say in person how somebody's rows are found, or in outlives why not",
    ]
