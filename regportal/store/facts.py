"""
Adding rows on the hot path: one INSERT each, past the session's unit of work.

A form that is sent adds a dozen rows. They are typed like all others, but written by Core, at
once and in the order in which they are given: that costs a fifth (performance.md, 1).
"""

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, make_transient_to_detached

from regportal.store.base import Base


def add(session: Session, *rows: Base) -> None:
    """
    Insert rows, after everything the session has to write.

    The session does not watch them: what is changed in them afterwards is not written.
    """
    session.flush()
    connection = session.connection()
    for row in rows:
        connection.execute(_insert(type(row)), _values(row))


def add_once(session: Session, row: Base) -> bool:
    """Insert a row unless one with its key is there; return whether it was inserted."""
    session.flush()
    connection = session.connection()
    done = connection.execute(_insert_once(type(row), connection.dialect.name), _values(row))
    return done.first() is not None


def watch(session: Session, row: Base) -> None:
    """Let the session write what is changed from now on in a row that was added."""
    make_transient_to_detached(row)
    session.add(row)


def table_of(kind: type[Base]) -> sa.Table:
    """Return the table of a model, for statements that go past the session."""
    return kind.metadata.tables[kind.__tablename__]


def insert_in(dialect: str) -> Any:
    """Return the INSERT of a dialect, for a model or a table: it knows ON CONFLICT."""
    return postgresql.insert if dialect == "postgresql" else sqlite.insert


def _values(row: Base) -> dict[str, Any]:
    """Return a row by columns; what it leaves open is set in it, as its table says."""
    for name, default in _defaults(type(row)).items():
        if name not in row.__dict__:
            setattr(row, name, default(None) if callable(default) else default)
    return {name: value for name, value in row.__dict__.items() if name[0] != "_"}


@cache
def _insert(kind: type[Base]) -> sa.Insert:
    """Return the INSERT of a table; the same one each time, so that it is compiled once."""
    return sa.insert(table_of(kind)).inline()


@cache
def _insert_once(kind: type[Base], dialect: str) -> Any:
    """Return the dialect's INSERT that does nothing where the key is taken."""
    table = table_of(kind)
    return insert_in(dialect)(table).on_conflict_do_nothing().returning(*table.primary_key)


@cache
def _defaults(kind: type[Base]) -> dict[str, Any]:
    """Return the columns that our side fills where a row leaves them open."""
    return {
        column.key: column.default.arg
        for column in table_of(kind).columns
        if isinstance(column.default, sa.ColumnDefault)
    }
