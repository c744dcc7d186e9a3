"""Keeping copies of an installation: a hot backup, its return, and the move to PostgreSQL."""

import contextlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.orm import Session

from regportal.buying.models import LogPlace
from regportal.buying.place import is_unread
from regportal.connectors.rules import in_full
from regportal.consent.heads import Head
from regportal.consent.ledger import LedgerCheck, verify
from regportal.errors import ConfigError
from regportal.outbox.models import Message, Subject
from regportal.outbox.waiting import IS_DUE
from regportal.privacy.traces import every_model
from regportal.store.base import Base
from regportal.store.copying import Change, CopyError, Digest, Row, copy_all, digest_of, number_on
from regportal.store.migrate import upgrade, upgrade_on
from regportal.store.sessions import make_engine
from regportal.store.shape import PRESENT
from regportal.tracking.models import LogEntry

OnRows = Callable[[int], None]

ABOUT = "copied"
"""The table in which a backup says what it is."""
NAMES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied, and that it says the same over there."""

    tables: Mapping[str, Digest]
    numbers: Mapping[str, int]
    """Where each sequence goes on."""

    @property
    def rows(self) -> int:
        """Return how many rows there are in all."""
        return sum(one.rows for one in self.tables.values())


class Backup(BaseModel):
    """What a backup says of itself."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    release: str
    kind: str
    """The kind of database that it is of."""
    shape: str
    tables: Mapping[str, str]
    """Of each table the digest of what the file has of it."""


@dataclass(frozen=True, slots=True)
class Owing:
    """What a restored installation owes one connector, or mail."""

    connector: str
    waiting: int


def tables() -> Sequence[sa.Table]:
    """Return every table, each after those that it points at."""
    every_model()
    return Base.metadata.sorted_tables


def rows_in(connection: sa.Connection) -> int:
    """Return how many rows a database has, for a progress bar."""
    return sum(
        connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in tables()
    )


@contextlib.contextmanager
def as_of_now(engine: sa.Engine, *, alone: bool = False) -> Iterator[sa.Connection]:
    """
    Give a connection that reads the database as it is now, whatever others write meanwhile.

    ``alone``: on SQLite nobody else can write until the end.
    """
    options: dict[str, Any] = {"regportal_writes": alone}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection:
        connection.execute(sa.select(LogPlace.shard).limit(1))  # from here on it stands still
        yield connection


@contextlib.contextmanager
def new_database(url: str) -> Iterator[sa.Connection]:
    """
    Give a connection to a database in the present shape, kept whole at the end or not at all.

    Raises ConfigError where there is something already: on PostgreSQL a table, on SQLite a file.
    """
    place = sa.make_url(url)
    if place.get_backend_name() == "sqlite":
        with _new_file(Path(place.database or "")) as part, _writing(f"sqlite:///{part}") as made:
            yield made
        return
    with _writing(url) as made:
        yield made


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """Give the path of a file that gets its name once it is whole; only its owner may read it."""
    if path.exists():
        raise ConfigError(f"{path} is there already")
    part = path.with_name(f"{path.name}.part")
    try:
        for left in path.parent.glob(f"{part.name}*"):  # of one who was interrupted
            left.unlink()
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    try:
        yield part
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(url: str) -> Iterator[sa.Connection]:
    """Give a connection whose one transaction makes the tables and holds all that follows."""
    engine = make_engine(url)
    try:
        writing = engine.execution_options(regportal_writes=True)
        with writing.connect() as connection, connection.begin():
            found = sa.inspect(connection).get_table_names()
            if found:
                raise ConfigError(f"the database is not empty: it has the table {min(found)}")
            upgrade_on(connection)
            yield connection
        if engine.dialect.name == "sqlite":  # all of it in the one file
            with contextlib.closing(engine.raw_connection()) as raw:
                raw.cursor().execute("PRAGMA journal_mode = DELETE")
    finally:
        engine.dispose()


def copy(source: sa.Connection, target: sa.Connection, on_rows: OnRows) -> Copied:
    """Copy an installation into an empty one, with the proof that nothing is otherwise."""
    shape = source.scalar(sa.text("SELECT version_num FROM alembic_version"))
    if shape != PRESENT:
        raise ConfigError("the database is of a newer release: copy it with that one")
    every = tables()
    found = copy_all(source, target, every, changes=_in_one_order(source), on_rows=on_rows)
    return Copied(found, number_on(source, target, every))


def _in_one_order(source: sa.Connection) -> dict[str, Change]:
    """
    Return how the log is written so that any database goes on reading it where the last stopped.

    The number of a transaction means nothing elsewhere: all are 0 there, and lines are read by
    their own numbers. Of a shard those that wait get new ones where one of them was written
    before one that was read.
    """
    entry, place = LogEntry.__table__.c, LogPlace.__table__.c
    unread = is_unread(source.dialect.name)
    joined = LogEntry.__table__.join(LogPlace.__table__, place.shard == entry.shard)
    read = source.execute(
        sa.select(entry.shard, sa.func.max(entry.number).label("last"))
        .select_from(joined)
        .where(~unread)
        .group_by(entry.shard)
    )
    last: dict[int, int] = {row.shard: row.last for row in read}
    highest = source.scalar(sa.select(sa.func.max(entry.number))) or 0
    waiting = source.execute(
        sa.select(entry.number, entry.shard)
        .select_from(joined)
        .where(unread)
        .order_by(entry.transaction, entry.number)
    )
    renumbered: dict[int, int] = {}
    for number, shard in waiting.all():
        if number < last.get(shard, 0):
            highest += 1
            renumbered[number] = highest

    def line(row: Row) -> Row:
        number = renumbered.get(row["number"], row["number"])
        return row | {"number": number, "transaction": 0}

    def mark(row: Row) -> Row:
        return row | {"number": last.get(row["shard"], 0), "transaction": 0}

    return {LogEntry.__tablename__: line, LogPlace.__tablename__: mark}


# --- backups: one file of SQLite, whatever database it is of


def back_up(engine: sa.Engine, path: Path, *, on_rows: OnRows, now: datetime) -> Copied:
    """Write everything the database says now into a new file, while others go on writing."""
    with new_database(f"sqlite:///{path}") as target, as_of_now(engine) as source:
        copied = copy(source, target, on_rows)
        about = {"at": in_full(now), "release": version("regportal"), "kind": engine.dialect.name}
        raw: sqlite3.Connection = target.connection.dbapi_connection  # type: ignore[assignment] # what SQLite's driver gives
        raw.execute(f"CREATE TABLE {ABOUT} (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        said = {name: _raw(raw, name).text for name in copied.tables}
        told: dict[str, Any] = {**about, "tables": said}
        rows = [(name, json.dumps(value)) for name, value in told.items()]
        raw.executemany(f"INSERT INTO {ABOUT} VALUES (?, ?)", rows)  # noqa: S608 - our own name
    return copied


def _raw(connection: sqlite3.Connection, table: str) -> Digest:
    """Return the digest of a table as SQLite keeps it, whatever its shape is."""
    return digest_of(connection.execute(f'SELECT * FROM "{table}"'))  # noqa: S608 - our own name


@contextlib.contextmanager
def opened_backup(path: Path) -> Iterator[tuple[Backup, sa.Connection]]:
    """
    Give what a backup says of itself, and a connection to it in the present shape.

    Raises CopyError where the file is not as it was written, and ConfigError where a newer
    release wrote it. The file itself is never changed.
    """
    about = _checked(path)
    if about.shape > PRESENT:
        raise ConfigError("a newer release made this backup: install that one")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".restore-") as folder:
        copied = Path(folder) / path.name
        shutil.copyfile(path, copied)
        upgrade(f"sqlite:///{copied}")
        engine = make_engine(f"sqlite:///{copied}")
        try:
            with as_of_now(engine) as connection:
                yield about, connection
        finally:
            engine.dispose()


def _checked(path: Path) -> Backup:
    """Return what a backup says of itself; raise CopyError where it is not as it was written."""
    with contextlib.closing(
        sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    ) as raw:
        try:
            told = raw.execute(f"SELECT name, value FROM {ABOUT}")  # noqa: S608 - our own name
            said = {name: json.loads(value) for name, value in told}
            shape = raw.execute("SELECT version_num FROM alembic_version").fetchone()
            about = Backup.model_validate({**said, "shape": shape and shape[0]})
            says = raw.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except (sqlite3.DatabaseError, ValueError) as error:
            raise CopyError(f"{path} is no backup of regportal, or a damaged one") from error
        if says != "ok":
            raise CopyError(f"{path} is damaged ({says})")
        if raw.execute("PRAGMA foreign_key_check").fetchone():
            raise CopyError(f"{path} is damaged: rows point at others that are not there")
        there = {name for (name,) in raw.execute(NAMES)} - {ABOUT, "alembic_version"}
        for table in sorted(there | about.tables.keys()):
            digest = _raw(raw, table).text if table in there else None
            if digest != about.tables.get(table):
                raise CopyError(f"{path} is not as it was written: {table} says something else")
    return about


def wrong_with_ledger(
    connection: sa.Connection, heads: Sequence[Head | None], keys: Sequence[bytes]
) -> LedgerCheck:
    """Return what is wrong with the consent ledger of a copy, beside the heads we signed."""
    with Session(connection) as session:
        return verify(session, heads, keys)


def wrong_with_outbox(connection: sa.Connection) -> list[str]:
    """Return what is wrong with what is owed: numbers that are given twice, or were never given."""
    message, subject = Message.__table__.c, Subject.__table__.c
    beyond = (
        sa.select(message.connector, message.subject)
        .select_from(
            Message.__table__.outerjoin(
                Subject.__table__,
                sa.and_(subject.connector == message.connector, subject.subject == message.subject),
            )
        )
        .where(sa.or_(subject.last.is_(None), message.sequence > subject.last))
        .limit(1)
    )
    twice = (
        sa.select(message.connector, message.subject)
        .group_by(message.connector, message.subject, message.sequence)
        .having(sa.func.count() > 1)
        .limit(1)
    )
    found = []
    if row := connection.execute(beyond).first():
        found.append(f"{row.connector} has a message of {row.subject} whose number was never given")
    if row := connection.execute(twice).first():
        found.append(f"{row.connector} has two messages of {row.subject} with one number")
    return found


def owing(connection: sa.Connection) -> list[Owing]:
    """Return what a copy still owes, by connector."""
    rows = connection.execute(
        sa.select(Message.connector, sa.func.count().label("number"))
        .where(IS_DUE)
        .group_by(Message.connector)
        .order_by(Message.connector)
    )
    return [Owing(row.connector, row.number) for row in rows]
