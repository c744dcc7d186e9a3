"""
Dividing the log on PostgreSQL: the interactions of each month lie in a table of their own.

An id begins with its time, so a part is a range of ids: keys stay unique, what points at an
interaction goes on to, and the database looks into one part alone where it knows the id
(docs/decisions/0016-the-log-is-divided-by-id.md).
"""

import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import RegportalError
from regportal.store.base import Key
from regportal.store.facts import table_of
from regportal.store.ids import EPOCH, first_of
from regportal.tracking.actions import log_all
from regportal.tracking.models import Attribution, EntryKind, Interaction

AHEAD = 3
"""Months whose parts are made before they begin."""
WHOLE = table_of(Interaction)
BEFORE, OTHER = f"{WHOLE.name}_before", f"{WHOLE.name}_other"
"""What was there when the log was divided; and ids of a time that has no part yet."""
PARTS = sa.text(
    "SELECT part.relname, pg_get_expr(part.relpartbound, part.oid), part.reltuples"
    "  FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid"
    " WHERE inhparent = CAST(:whole AS regclass)"
)
BOUNDS = re.compile(r"FROM \((MINVALUE|'[^']+')\) TO \('([^']+)'\)")
KEYS = (
    "SELECT CAST(conrelid AS regclass) AS table, conname, pg_get_constraintdef(oid)"
    "  FROM pg_constraint WHERE contype = 'f' AND conparentid = 0"
    "   AND {} = CAST(:whole AS regclass)"
)
"""Foreign keys: where they are, their names, and what they say."""
POINTING = sa.text(
    "SELECT CAST(conrelid AS regclass), attname FROM pg_constraint"
    "  JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]"
    " WHERE contype = 'f' AND conparentid = 0 AND confrelid = CAST(:whole AS regclass)"
)
"""Columns that name an interaction."""
IS_DIVIDED = sa.text("SELECT relkind = 'p' FROM pg_class WHERE oid = CAST(:whole AS regclass)")
NAME = {"whole": WHOLE.name}


@dataclass(frozen=True, slots=True)
class Part:
    """The interactions whose ids are of [since, until); of the oldest part since is None."""

    name: str
    since: datetime | None
    until: datetime
    rows: int
    """About how many: as the database counted last."""


def is_divided(session: Session) -> bool:
    """Return whether the log is divided; never on SQLite."""
    connection = session.connection()
    return connection.dialect.name == "postgresql" and bool(connection.scalar(IS_DIVIDED, NAME))


def divide(session: Session, *, now: datetime) -> None:
    """
    Divide the log: what is there becomes its first part, uncopied; later months get their own.

    Others who read or write interactions wait. Raises RegportalError where it cannot be, or is
    already.
    """
    if session.connection().dialect.name != "postgresql":
        raise RegportalError("only PostgreSQL divides tables")
    if is_divided(session):
        raise RegportalError("the log is divided already")
    do = session.connection().exec_driver_sql
    do(f"LOCK TABLE {WHOLE.name} IN ACCESS EXCLUSIVE MODE")
    outward, inward = (
        session.connection().execute(sa.text(KEYS.format(side)), NAME).all()
        for side in ("conrelid", "confrelid")
    )
    for table, key, _ in inward:
        do(f"ALTER TABLE {table} DROP CONSTRAINT {key}")
    do(f"ALTER TABLE {WHOLE.name} RENAME TO {BEFORE}")
    do(f"ALTER TABLE {BEFORE} RENAME CONSTRAINT {WHOLE.primary_key.name} TO pk_{BEFORE}")
    for index in WHOLE.indexes:
        do(f"ALTER INDEX {index.name} RENAME TO {index.name}_before")
    do(f"CREATE TABLE {WHOLE.name} (LIKE {BEFORE} INCLUDING DEFAULTS) PARTITION BY RANGE (id)")
    do(f"ALTER TABLE {WHOLE.name} ADD CONSTRAINT {WHOLE.primary_key.name} PRIMARY KEY (id)")
    for index in WHOLE.indexes:
        index.create(session.connection())
    for _, key, says in outward:
        do(f"ALTER TABLE {WHOLE.name} ADD CONSTRAINT {key} {says}")
    do(f"CREATE TABLE {OTHER} PARTITION OF {WHOLE.name} DEFAULT")
    until = first_of(_next(_month(now)))
    do(_moved(BEFORE, OTHER, f"id >= '{until}'"))
    do(f"ALTER TABLE {WHOLE.name} ATTACH PARTITION {BEFORE} FOR VALUES {_range(None, until)}")
    for table, key, says in inward:
        do(f"ALTER TABLE {table} ADD CONSTRAINT {key} {says}")
    keep_ahead(session, now=now)


def parts(session: Session) -> list[Part]:
    """Return the parts of a divided log, the oldest first."""
    rows = session.connection().execute(PARTS, NAME)
    return sorted(_read_parts(rows), key=lambda one: one.until)


def keep_ahead(session: Session, *, now: datetime) -> list[str]:
    """
    Make the parts of the months to come, if the log is divided; return their names.

    It gives up (raising what the database says) where others hold the log for three seconds, so
    that nobody has to wait behind it.
    """
    if not is_divided(session):
        return []
    do, made, there = session.connection().exec_driver_sql, [], parts(session)
    last = _month(now)
    since = there[-1].until if there else last
    for _ in range(AHEAD):
        last = _next(last)
    do("SET LOCAL lock_timeout = '3s'")
    while since <= last:
        until = _next(since)
        made.append(f"{WHOLE.name}_{since:%Y_%m}")
        _make(session, made[-1], first_of(since), first_of(until))
        since = until
    do(f"ANALYZE {WHOLE.name}")
    return made


def _make(session: Session, name: str, since: uuid.UUID, until: uuid.UUID) -> None:
    """
    Make a part, and let what came before its time move in, with what points at it.

    Whose clock is fast makes ids of a time to come.
    """
    connection = session.connection()
    do = connection.exec_driver_sql
    do(f"LOCK TABLE {OTHER} IN ACCESS EXCLUSIVE MODE")
    do(f"CREATE TABLE {name} (LIKE {WHOLE.name} INCLUDING DEFAULTS)")
    held = []
    for number, (table, column) in enumerate(connection.execute(POINTING, NAME).all()):
        theirs = f"{column} >= '{since}' AND {column} < '{until}'"
        kept = f"held_{number}"
        do(f"CREATE TEMPORARY TABLE {kept} AS SELECT * FROM {table} WHERE {theirs}")  # noqa: S608 - ours
        do(f"DELETE FROM {table} WHERE {theirs}")  # noqa: S608 - ours
        held.append((table, kept))
    do(_moved(OTHER, name, f"id >= '{since}' AND id < '{until}'"))
    do(f"ALTER TABLE {WHOLE.name} ATTACH PARTITION {name} FOR VALUES {_range(since, until)}")
    for table, kept in held:
        do(f"INSERT INTO {table} SELECT * FROM {kept}")  # noqa: S608 - ours
        do(f"DROP TABLE {kept}")


def to_drop(session: Session, before: datetime, *, now: datetime) -> list[Part]:
    """
    Return the parts that end when a month begins, or earlier.

    Raises RegportalError where the log is not divided, or where that is no month, or one to come.
    """
    if not is_divided(session):
        raise RegportalError("the log is not divided: there is no part to drop")
    if before != _month(before) or before > now:
        raise RegportalError("parts end where a month begins that is not to come, as 2026-03-01")
    return [one for one in parts(session) if one.until <= before]


def drop(session: Session, part: Part, *, now: datetime) -> None:
    """
    Drop a part with everything in it, whosever it is, and what became known of it.

    The weigher works out anew where those stand whose deeds were in it.
    """
    connection = session.connection()
    do = connection.exec_driver_sql
    do(f"LOCK TABLE {part.name} IN ACCESS EXCLUSIVE MODE")  # from now on nothing points at it anew
    for table, column in connection.execute(POINTING, NAME).all():
        if table == Attribution.__tablename__:
            continue
        do(f"DELETE FROM {table} WHERE {_lies_in(part, column)}")  # noqa: S608 - ours
    given = sa.text(
        f"WITH given AS (DELETE FROM attribution WHERE {_lies_in(part, 'interaction_id')}"  # noqa: S608 - ours
        f" RETURNING contact_id) SELECT contact_id FROM given UNION SELECT contact_id"
        f" FROM {part.name}"
    ).columns(contact_id=Key())
    contacts = [one for one in connection.scalars(given) if one is not None]
    do(f"ALTER TABLE {WHOLE.name} DETACH PARTITION {part.name}")
    do(f"DROP TABLE {part.name}")
    log_all(session, EntryKind.ATTRIBUTION, [(one, now, one) for one in contacts])


def _lies_in(part: Part, column: str) -> str:
    """Return the condition that an id is of a part."""
    later = f" AND {column} >= '{first_of(part.since)}'" if part.since else ""
    return f"{column} < '{first_of(part.until)}'{later}"


def _read_parts(rows: Iterable[Any]) -> Iterator[Part]:
    """Yield the parts as PostgreSQL describes them, but for that of no month."""
    for name, says, count in rows:
        if found := BOUNDS.search(says):
            since = None if found[1] == "MINVALUE" else _moment(found[1].strip("'"))
            yield Part(name, since, _moment(found[2]), max(int(count), 0))


def _moment(bound: str) -> datetime:
    """
    Return the time at which an id begins.

    >>> _moment("019d0000-0000-0000-0000-000000000000").year
    2026
    """
    return EPOCH + timedelta(milliseconds=uuid.UUID(bound).int >> 80)


def _month(at: datetime) -> datetime:
    """Return when the month of a moment begins, in UTC."""
    at = at.astimezone(UTC)
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next(month: datetime) -> datetime:
    """
    Return when the month after one begins.

    >>> _next(datetime(2026, 12, 1, tzinfo=UTC)).isoformat()
    '2027-01-01T00:00:00+00:00'
    """
    return _month(month + timedelta(days=32))


def _range(since: uuid.UUID | None, until: uuid.UUID) -> str:
    """Return a range of ids as PostgreSQL writes it."""
    first = f"'{since}'" if since else "MINVALUE"
    return f"FROM ({first}) TO ('{until}')"


def _moved(there: str, here: str, which: str) -> str:
    """Return the statement that moves rows."""
    return (
        f"WITH moved AS (DELETE FROM {there} WHERE {which} RETURNING *)"  # noqa: S608 - ours
        f" INSERT INTO {here} SELECT * FROM moved"
    )
