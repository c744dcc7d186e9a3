"""
Writing many rows at once, past the session and past its types: one statement, however many.

For the hot path only: what browsers tell, and what the worker makes of it. Rows are tuples in the
order of their columns; values are those of the models, but a key or a moment may be text already,
as it is written in JSON (``str`` of the key, ``isoformat`` of the moment).
"""

import operator
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.store.among import AMONG
from regportal.store.base import Base, UtcMoment
from regportal.store.compact import write_json
from regportal.store.facts import table_of

Row = tuple[Any, ...]
Coder = Callable[[Any], Any]

LIST = {"sqlite": "?", "postgresql": "CAST(%s AS uuid[])"}
"""Where the driver puts keys that are one parameter, as text."""
NOTHING = " ON CONFLICT DO NOTHING"
WRITTEN = len("2026-03-04T09:00:00.000000+00:00")
"""Letters of a moment in UTC, as ``isoformat`` writes one that falls between two seconds."""


def insert_all(
    session: Session,
    model: type[Base],
    columns: tuple[str, ...],
    rows: Sequence[Row],
    *,
    once: bool = False,
) -> None:
    """Insert rows, after everything the session has to write; ``once`` leaves out known keys."""
    if rows:
        table = table_of(model)
        end = NOTHING if once else ""
        _send(session, table, columns, _coded(session, table, columns, rows), end)


def write_all(
    session: Session, table: sa.Table, columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Insert rows over those that have their keys; these are of the first column."""
    if rows:
        key, *others = columns
        over = ", ".join(f"{one} = excluded.{one}" for one in others)
        end = f" ON CONFLICT ({key}) DO UPDATE SET {over}"
        _send(session, table, columns, _coded(session, table, columns, rows), end)


def insert_groups(
    session: Session,
    model: type[Base],
    own: tuple[str, ...],
    shared: tuple[str, ...],
    groups: Sequence[tuple[Row, Sequence[Row]]],
    *,
    once: bool = False,
) -> None:
    """
    Insert groups of rows that share the values of some columns, as :func:`insert_all` does.

    Each group is the shared values and the rows of the others: what they share is made ready once.
    """
    groups = [one for one in groups if one[1]]
    if not groups:
        return
    table = table_of(model)
    starts = _coded(session, table, own, [row for _, some in groups for row in some])
    ready = _coded(session, table, shared, [values for values, _ in groups])
    ends = [end for end, (_, some) in zip(ready, groups, strict=True) for _ in some]
    rows = list(map(operator.add, starts, ends))
    _send(session, table, own + shared, rows, NOTHING if once else "")


def update_all(
    session: Session, model: type[Base], columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Set these columns; a row is their values and, last, the key of the row that has them."""
    if not rows:
        return
    connection, table = session.connection(), table_of(model)
    dialect, name = connection.dialect.name, table.name
    ready = _coded(session, table, (*columns, "id"), rows)
    if dialect == "postgresql":
        values = ", ".join(f"{one} = changed.{one}" for one in columns)
        changed = f"json_populate_recordset(NULL::{name}, %s) AS changed"
        statement = f"UPDATE {name} SET {values} FROM {changed} WHERE {name}.id = changed.id"  # noqa: S608 - ours
    else:
        values = ", ".join(f"{one} = ?" for one in columns)
        statement = f"UPDATE {name} SET {values} WHERE id = ?"  # noqa: S608 - ours
    _run(connection, statement, (*columns, "id"), ready)


def insert_keys(
    session: Session,
    model: type[Base],
    keys: Collection[str],
    more: Mapping[str, datetime],
    *,
    nor_in: type[Base],
) -> set[str]:
    """
    Insert rows of a key each, all at the same moments; return the keys that were new.

    New is what neither this table has, nor the other. Keys are as ``str`` writes them.
    """
    session.flush()
    connection = session.connection()
    dialect = connection.dialect.name
    moments = [moment_text(one, dialect) for one in more.values()]
    name = table_of(model).name
    if dialect == "sqlite":  # where nobody else writes meanwhile
        new = set(keys) - keys_there(session, model, keys)
        new -= keys_there(session, nor_in, new)
        marks = ", ".join("?" for _ in [*more, "id"])
        statement = f"INSERT INTO {name} ({', '.join(more)}, id) VALUES ({marks})"  # noqa: S608 - ours
        if new:
            connection.exec_driver_sql(statement, [(*moments, _hex(one)) for one in sorted(new)])
        return new
    marks = ", ".join("CAST(%s AS timestamptz)" for _ in more)
    statement = (
        f"INSERT INTO {name} ({', '.join(more)}, id) SELECT {marks}, one"  # noqa: S608 - ours
        " FROM unnest(CAST(%s AS uuid[])) AS one"
        f" WHERE (SELECT id FROM {table_of(nor_in).name} WHERE id = one) IS NULL"
        " ON CONFLICT DO NOTHING RETURNING CAST(id AS text)"
    )
    found = connection.exec_driver_sql(statement, (*moments, _listed(sorted(keys), dialect)))
    return {one for (one,) in found}


def keys_there(session: Session, model: type[Base], keys: Iterable[str]) -> set[str]:
    """Return which of these keys a table has; keys are as ``str`` writes them."""
    connection = session.connection()
    dialect = connection.dialect.name
    asked = AMONG[dialect].format("id", LIST[dialect])
    statement = f"SELECT id FROM {table_of(model).name} WHERE {asked}"  # noqa: S608 - ours
    found = connection.exec_driver_sql(statement, (_listed(keys, dialect),))
    return {str(_key(one)) for (one,) in found}


def key_text(key: uuid.UUID | str, dialect: str) -> str:
    """Return a key as a database reads it from JSON."""
    return str(key) if dialect == "postgresql" else _hex(key)


def moment_text(at: datetime, dialect: str) -> str:
    """Return a moment as a database reads it from JSON."""
    return at.isoformat() if dialect == "postgresql" else _moment(at)


def _listed(keys: Iterable[uuid.UUID | str], dialect: str) -> str:
    """Return keys as one parameter."""
    told = [key_text(key, dialect) for key in keys]
    return f"{{{','.join(told)}}}" if dialect == "postgresql" else write_json(told)


def _key(value: Any) -> uuid.UUID:
    """Return a key as the driver gave it."""
    return value if isinstance(value, uuid.UUID) else uuid.UUID(hex=value)


def _coded(
    session: Session, table: sa.Table, columns: tuple[str, ...], rows: Sequence[Row]
) -> list[Row]:
    """Return rows as they are sent."""
    coders = _coders(table, columns, session.connection().dialect.name)
    coded = (
        values if coder is None else [None if one is None else coder(one) for one in values]
        for coder, values in zip(coders, zip(*rows, strict=True), strict=True)
    )
    return list(zip(*coded, strict=True))


def _send(
    session: Session, table: sa.Table, columns: tuple[str, ...], rows: Sequence[Row], end: str
) -> None:
    """Insert rows that are ready, after everything the session has to write."""
    session.flush()
    connection = session.connection()
    statement = _insert(table, columns, connection.dialect.name) + end
    _run(connection, statement, columns, rows)


def _run(
    connection: sa.Connection, statement: str, columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Run a statement for rows that are ready: on PostgreSQL once, with all of them as JSON."""
    if connection.dialect.name == "postgresql":
        told = [dict(zip(columns, row, strict=True)) for row in rows]
        connection.exec_driver_sql(statement, (write_json(told),))
    else:
        connection.exec_driver_sql(statement, rows)


@cache
def _coders(table: sa.Table, columns: tuple[str, ...], dialect: str) -> tuple[Coder | None, ...]:
    """Return how each value of these columns is sent."""
    return tuple(_coder(table.columns[name].type, dialect) for name in columns)


@cache
def _insert(table: sa.Table, columns: tuple[str, ...], dialect: str) -> str:
    """Return the statement that inserts these columns."""
    names = ", ".join(f'"{one}"' for one in columns)  # one of them is called transaction
    if dialect == "postgresql":
        rows = f"SELECT {names} FROM json_populate_recordset(NULL::{table.name}, %s)"  # noqa: S608 - ours
    else:
        rows = f"VALUES ({', '.join('?' for _ in columns)})"
    return f"INSERT INTO {table.name} ({names}) {rows}"


def _coder(kind: sa.types.TypeEngine[Any], dialect: str) -> Coder | None:
    """Return how values of a column are sent; None: as they are."""
    if isinstance(kind, UtcMoment):
        return _iso if dialect == "postgresql" else _moment
    if isinstance(kind, sa.Uuid):
        return str if dialect == "postgresql" else _hex
    if isinstance(kind, sa.JSON):
        return None if dialect == "postgresql" else write_json
    return None


def _iso(at: datetime | str) -> str:
    """Return a moment as PostgreSQL reads it."""
    return at if isinstance(at, str) else at.isoformat()


def _moment(at: datetime | str) -> str:
    """Return a moment as SQLite keeps it."""
    if isinstance(at, str):
        if len(at) == WRITTEN and at.endswith("+00:00"):
            return f"{at[:10]} {at[11:26]}"
        at = datetime.fromisoformat(at)
    return at.astimezone(UTC).isoformat(" ", "microseconds")[:26]


def _hex(key: uuid.UUID | str) -> str:
    """Return a key as SQLite keeps it."""
    return key.replace("-", "") if isinstance(key, str) else key.hex
