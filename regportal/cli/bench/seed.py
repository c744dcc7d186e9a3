"""`regportal bench seed`: a database with very many people in it, to see how lists bear it."""

import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import psycopg
import sqlalchemy as sa

from regportal.buying.models import Opportunity
from regportal.buying.reading import model_of
from regportal.buying.scores.schema import Score
from regportal.buying.scores.scoring import Scoring
from regportal.cli.bench.made_up import Row, Table, World
from regportal.errors import ConfigError
from regportal.identity.models import Contact
from regportal.store.base import Base
from regportal.store.documents import Published
from regportal.store.facts import table_of
from regportal.tracking.models import Interaction

SOME = 20_000
"""Rows that are written between two moves of the bar."""
NOT_ALLOWED = "42501"
"""What PostgreSQL says to whoever may not let foreign keys be."""


def world_of(published: Published, contacts: int, *, now: float, mark: str) -> World:
    """Return so many people under the rules and scores that are published."""
    buying, _ = model_of(published)
    scorings = [Scoring(one, published.version(Score, one.key)) for one in published.all(Score)]
    names = [phase.id for phase in buying.phases]
    return World(contacts, now, names, scorings, mark=mark)


def new_mark() -> str:
    """Return a word that is in no address yet."""
    return secrets.token_hex(4)


def steps_of(world: World) -> int:
    """Return how often the bar moves."""
    return sum(-(-table.rows // SOME) for table, _ in world.tables) + len(world.tables)


def refuse_used(engine: sa.Engine) -> None:
    """Raise ConfigError where anybody is known, or did anything."""
    with engine.connect() as connection:
        for model in (Contact, Interaction, Opportunity):
            if connection.execute(sa.select(model.id).limit(1)).first() is not None:
                says = "the database is not empty: real people would be among those made up"
                raise ConfigError(f"{says} (--even-if-used)")


def seed(engine: sa.Engine, world: World, *, is_new: bool, progress: Callable[[str], None]) -> None:
    """
    Write a world in one transaction: where it is stopped, nothing of it was written.

    Of a new database indexes are made after the rows, which takes a fraction of the time.
    """
    with engine.connect().execution_options(regportal_writes=True) as connection:
        with connection.begin():
            _make_way(connection)
            for table, rows in world.tables:
                with _without_indexes(connection, table.model) if is_new else _as_it_is():
                    _write(connection, table, rows, progress)
                    progress(f"{table.name}: indexes")
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as again:
                again.execute(sa.text("VACUUM ANALYZE"))
        else:
            with connection.begin():
                connection.execute(sa.text("ANALYZE"))


def _make_way(connection: sa.Connection) -> None:
    """Let moments be read in UTC, and keys of other tables be believed where we may say so."""
    if connection.dialect.name != "postgresql":
        return
    connection.execute(sa.text("SET LOCAL timezone = 'UTC'"))
    try:
        with connection.begin_nested():
            connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
    except sa.exc.DBAPIError as error:
        if not isinstance(error.orig, psycopg.Error) or error.orig.sqlstate != NOT_ALLOWED:
            raise


@contextlib.contextmanager
def _without_indexes(connection: sa.Connection, model: type[Base]) -> Iterator[None]:
    """Take away the indexes of a table, and make them anew."""
    indexes = sorted(table_of(model).indexes, key=lambda one: str(one.name))
    for index in indexes:
        index.drop(connection)
    yield
    for index in indexes:
        index.create(connection)


def _as_it_is() -> contextlib.AbstractContextManager[None]:
    """Leave the indexes."""
    return contextlib.nullcontext()


def _write(
    connection: sa.Connection, table: Table, rows: Iterator[Row], progress: Callable[[str], None]
) -> None:
    """Write the rows of a table, and say how far it is."""
    put = _copied if connection.dialect.name == "postgresql" else _inserted
    written = 0
    with put(connection, table) as take:
        while some := [*islice(rows, SOME)]:
            take(some)
            written += len(some)
            progress(f"{table.name}: {written:,}")


@contextlib.contextmanager
def _copied(connection: sa.Connection, table: Table) -> Iterator[Callable[[Iterable[Row]], object]]:
    """Give what takes rows by COPY."""
    names = ", ".join(table.columns)
    raw: Any = connection.connection.cursor()
    with raw as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        yield lambda rows: copy.write("".join(map(_line, rows)))


def _line(row: Row) -> str:
    r"""
    Return a row as COPY takes it.

    >>> _line(("a", None, 'say "\\"'))
    'a\t\\N\tsay "\\\\"\n'
    """
    return "\t".join([r"\N" if one is None else one.replace("\\", r"\\") for one in row]) + "\n"


@contextlib.contextmanager
def _inserted(
    connection: sa.Connection, table: Table
) -> Iterator[Callable[[Iterable[Row]], object]]:
    """Give what takes rows by INSERT."""
    names, marks = ", ".join(table.columns), ", ".join("?" for _ in table.columns)
    statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - ours
    yield lambda rows: connection.exec_driver_sql(statement, [*rows])
