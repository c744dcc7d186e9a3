"""The databases of a bench: a file of its own, or one made on a PostgreSQL and dropped again."""

import contextlib
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.orm import Session

from regportal.cli.bench.measure import Figures
from regportal.errors import ConfigError
from regportal.store.documents import CurrentDocument, DocumentVersion, Publication
from regportal.store.ids import uuid7
from regportal.store.schema import Document

TABLE = (
    "CREATE TABLE bare (id text PRIMARY KEY, visitor text, type text, object text,"
    " properties text, at text)"
)


@contextlib.contextmanager
def scratch(server: str | None, folder: Path, name: str) -> Iterator[str]:
    """Give the address of a new database: on this PostgreSQL server, or a file in the folder."""
    if server is None:
        yield f"sqlite:///{folder / name}.db"
        return
    url = sa.make_url(server)
    if url.get_backend_name() != "postgresql":
        raise ConfigError("--database is the address of a PostgreSQL: postgresql+psycopg://…")
    made = f"regportal_bench_{secrets.token_hex(6)}"
    with _connected(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(made)))
        try:
            yield url.set(database=made).render_as_string(hide_password=False)
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(made))
            connection.execute(drop)


def publish(session: Session, document: Document) -> None:
    """Publish a document, and nothing else: in everything else the house's own holds."""
    now, version = datetime.now(UTC), uuid7()
    session.add(Publication(at=now))
    session.add(
        DocumentVersion(
            id=version,
            kind=document.kind,
            key=document.key,
            number=1,
            body=document.model_dump(mode="json", by_alias=True),
            digest="-",
            published_at=now,
        )
    )
    session.flush()
    session.add(
        CurrentDocument(kind=document.kind, key=document.key, position=0, version_id=version)
    )


def process_of(url: str) -> int | None:
    """Return the process that began all others of a PostgreSQL; None where none is to be seen."""
    if url.startswith("sqlite"):
        return None
    with _connected(sa.make_url(url), autocommit=True) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        try:
            said = Path(f"/proc/{row[0] if row else 0}/status").read_text(encoding="utf-8")
        except FileNotFoundError:  # on another machine, or in a container of its own
            return None
    told = dict(line.partition(":\t")[::2] for line in said.splitlines())
    return int(told["PPid"]) if told["Name"].startswith("postgres") else None


def counted(url: str, table: str) -> int:
    """Return how many rows a table has."""
    return int(asked(url, f"SELECT count(*) FROM {table}")[0])  # noqa: S608 - a table of ours


def asked(url: str, query: str) -> Sequence[Any]:
    """Return the first row that a query finds."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        row = connection.execute(sa.text(query)).one()
    engine.dispose()
    return tuple(row)


def bare_inserts(url: str, calls: int, each: int) -> Figures:
    """Measure the least there is: so many rows a transaction, from one thread, durable."""
    rows = _rows(calls * each)
    if url.startswith("sqlite"):
        with contextlib.closing(
            sqlite3.connect(sa.make_url(url).database or "", isolation_level=None)
        ) as connection:
            connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {TABLE}")
            began = time.perf_counter()
            for start in range(0, len(rows), each):
                connection.execute("BEGIN IMMEDIATE")
                some = rows[start : start + each]
                connection.executemany("INSERT INTO bare VALUES (?,?,?,?,?,?)", some)
                connection.execute("COMMIT")
            took = time.perf_counter() - began
            connection.execute("DROP TABLE bare")
    else:
        with _connected(sa.make_url(url), autocommit=True) as connection:
            connection.execute(TABLE)
            began = time.perf_counter()
            for start in range(0, len(rows), each):
                with connection.transaction(), connection.cursor() as cursor:
                    some = rows[start : start + each]
                    cursor.executemany("INSERT INTO bare VALUES (%s,%s,%s,%s,%s,%s)", some)
            took = time.perf_counter() - began
            connection.execute("DROP TABLE bare")
    return _figures(calls, took)


def copied(url: str, calls: int, each: int) -> Figures:
    """Measure PostgreSQL's COPY, a thousand rows a transaction: the fastest way in."""
    rows = _rows(calls * each)
    with _connected(sa.make_url(url), autocommit=True) as connection:
        connection.execute(TABLE)
        began = time.perf_counter()
        for start in range(0, len(rows), 1000):
            with connection.cursor() as cursor, cursor.copy("COPY bare FROM STDIN") as copy:
                for row in rows[start : start + 1000]:
                    copy.write_row(row)
        took = time.perf_counter() - began
        connection.execute("DROP TABLE bare")
    return _figures(calls, took)


def _rows(count: int) -> list[tuple[str, ...]]:
    """Return so many rows."""
    page, said, at = "https://www.acme.example/widgets", '{"title":"Widgets"}', "2026-11-23T09:00Z"
    visitor = secrets.token_hex(16)
    return [
        (f"{number:032x}", visitor, "page_view", f"{page}/{number % 50}", said, at)
        for number in range(count)
    ]


def _figures(calls: int, took: float) -> Figures:
    """Return what was done in so many seconds; nothing is asked over the wire."""
    return Figures(calls / took, 1000 * took / calls, 1000 * took / calls, 0.0, 0.0)


def _connected(url: sa.URL, *, autocommit: bool) -> psycopg.Connection[Any]:
    """Connect with PostgreSQL."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=autocommit)
