"""Reading what is known, and writing facts: one transaction, durable before the answer."""

import contextlib
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.orm import Session

T = TypeVar("T")
Work = Callable[[Session], T]

GROUP = 64  # writes that share one commit; more would only make the first wait longer
TRIES = 5  # of a write that another one on PostgreSQL got in the way of
IN_THE_WAY = {"40001", "40P01"}  # serialization failure, deadlock


def engine_options(url: str) -> dict[str, Any]:
    """Return the options with which this database is opened."""
    options: dict[str, Any] = {"url": url}
    if not url.startswith("sqlite"):
        options |= {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 20}
    return options


def make_engine(url: str) -> sa.Engine:
    """Open a database as regportal opens it everywhere."""
    return ours(sa.create_engine(**engine_options(url)))


def ours(engine: sa.Engine) -> sa.Engine:
    """Let an engine that has not been used yet open and begin as ours do; return it."""
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare)
        sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, record: Any) -> None:
    """Make SQLite durable, strict and patient (security.md 10.8)."""
    del record
    connection.isolation_level = None  # transactions begin where we say, below
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "busy_timeout=4000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    """Begin on SQLite: a write takes its lock at once, so that it never has to give up halfway."""
    writes = connection.get_execution_options().get("regportal_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@dataclass(slots=True)
class _Owed:
    """A write that waits for its commit."""

    work: Work[Any]
    answer: Future[Any] = field(default_factory=Future)


class Store:
    """
    The database of one installation, as one process uses it.

    ``read()`` gives a session that never writes. ``write(work)`` runs ``work(session)`` in a
    transaction and returns its result after the commit, so what it says is kept. On SQLite
    writes of all threads share one writer and one commit (group commit); between processes a
    lock file decides, which is fairer and faster than SQLite's busy handler.
    """

    def __init__(self, engine: sa.Engine) -> None:
        """Take an engine made with :func:`engine_options`; starts no thread yet."""
        self.engine = engine
        self._writing = engine.execution_options(regportal_writes=True)
        self._owed: queue.SimpleQueue[_Owed | None] = queue.SimpleQueue()
        self._start = threading.Lock()
        self._writer: threading.Thread | None = None
        path = engine.url.database if engine.dialect.name == "sqlite" else None
        self._grouped = engine.dialect.name == "sqlite"
        self._lock = FileLock(f"{Path(path)}.lock") if path and path != ":memory:" else None

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session for reading; what it changes is thrown away."""
        with Session(self.engine) as session:
            yield session

    def write(self, work: Work[T]) -> T:
        """
        Return ``work(session)`` once it is committed.

        Whatever it raises is raised here, with nothing of it kept. It may run again after a
        conflict on PostgreSQL, so it must not do anything outside the session.
        """
        if not self._grouped:
            return self._alone(work)
        owed = _Owed(work)
        self._ensure_writer()
        self._owed.put(owed)
        result: T = owed.answer.result()
        return result

    def note(self, work: Work[Any]) -> None:
        """
        Let ``work(session)`` be committed soon, and do not wait for it.

        For measurements only: what must not be lost is written with :meth:`write`.
        """
        self._ensure_writer()
        self._owed.put(_Owed(work))

    def catch_up(self) -> None:
        """Wait until everything that was noted before is kept."""
        barrier = _Owed(lambda _session: None)
        self._ensure_writer()
        self._owed.put(barrier)
        barrier.answer.result()

    def close(self) -> None:
        """Finish what is waiting and let go of the database."""
        with self._start:
            writer, self._writer = self._writer, None
        if writer:
            self._owed.put(None)
            writer.join()
        self.engine.dispose()

    def _open(self) -> Session:
        """Open a session for writing; what it read may be used after the commit."""
        return Session(self._writing, expire_on_commit=False)

    def _alone(self, work: Work[T]) -> T:
        """Write in a transaction of one's own: PostgreSQL groups commits itself."""
        for attempt in range(TRIES):
            try:
                with self._open() as session, session.begin():
                    return work(session)
            except sa.exc.DBAPIError as error:
                state = getattr(error.orig, "sqlstate", None)
                if state not in IN_THE_WAY or attempt == TRIES - 1:
                    raise
                time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - not a secret
        raise AssertionError("unreachable")

    def _ensure_writer(self) -> None:
        """Start the writer with the first write (after a fork, not before)."""
        if self._writer is None:
            with self._start:
                if self._writer is None:
                    self._writer = threading.Thread(
                        target=self._write_for_ever, name="writer", daemon=True
                    )
                    self._writer.start()

    def _write_for_ever(self) -> None:
        """Take what is waiting, commit it together, answer."""
        going = True
        while going:
            group = [self._owed.get()]
            while len(group) < GROUP and not self._owed.empty():
                group.append(self._owed.get())
            going = None not in group
            self._write_group([owed for owed in group if owed])

    def _write_group(self, group: list[_Owed]) -> None:
        """Run each write in a savepoint of one transaction; answer after its commit."""
        done: list[tuple[_Owed, Any]] = []
        try:
            with self._lock or contextlib.nullcontext(), self._open() as session, session.begin():
                for owed in group:
                    try:
                        with session.begin_nested():
                            result = owed.work(session)
                        done.append((owed, result))
                    except Exception as error:  # noqa: BLE001 - it is its caller's to handle
                        owed.answer.set_exception(error)
                    finally:
                        session.expunge_all()
        except Exception as error:  # noqa: BLE001 - nothing of the group was kept: all hear it
            for owed in group:
                if not owed.answer.done():
                    owed.answer.set_exception(error)
            return
        for owed, result in done:
            owed.answer.set_result(result)
