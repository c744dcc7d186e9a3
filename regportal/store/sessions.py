"""Reading what is known, and writing facts: one transaction, durable before the answer."""

import contextlib
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.orm import Session

from regportal.store.ballast import KEY, Ballast, is_full
from regportal.store.compact import read_json, write_json
from regportal.store.postgresql import is_in_the_way, roll_back
from regportal.store.sqlite import WRITE_BACK, begin, prepare
from regportal.store.turns import (
    Line,
    Many,
    Owed,
    Patient,
    each,
    has_transaction,
    is_locked,
    next_group,
    refuse_all,
    turn_of,
    waiting,
)

A = TypeVar("A")
T = TypeVar("T")
Work = Callable[[Session], T]

PATIENCE = 4.0  # seconds that a write waits for others on SQLite (security.md 10.8)
TRIES = 5  # of a write that others on PostgreSQL get in the way of; of a patient one twice as many
JSON: dict[str, Any] = {"json_serializer": write_json, "json_deserializer": read_json}


def make_engine(url: str) -> sa.Engine:
    """Open a database as regportal opens it everywhere."""
    if not url.startswith("sqlite"):
        engine = sa.create_engine(
            url, pool_pre_ping=True, pool_size=10, max_overflow=20, pool_use_lifo=True, **JSON
        )
        sa.event.listen(engine, "rollback", roll_back)
        return engine
    engine = sa.create_engine(url, **JSON)
    sa.event.listen(engine, "connect", lambda raw, _record: prepare(raw, PATIENCE))
    sa.event.listen(engine, "begin", begin)
    return engine


class Store:
    """
    The database of one installation, as one process uses it.

    ``read()`` gives a session that never writes. ``write(work)`` runs ``work(session)`` in a
    transaction and returns its result after the commit, so what it says is kept. On SQLite
    writes of all threads share one writer and one commit (group commit); between processes a
    lock file decides, which is fairer and faster than SQLite's busy handler.
    """

    def __init__(self, engine: sa.Engine, *, ballast: int = 0) -> None:
        """
        Take an engine made with :func:`make_engine`; starts no thread yet.

        ``ballast``: how many MiB are to be kept beside SQLite's file (:meth:`keep_ballast`).
        """
        self.engine = engine
        self._writing = engine.execution_options(regportal_writes=True)
        self._owed: Line = queue.SimpleQueue()
        self._start = threading.Lock()
        self._writer: threading.Thread | None = None
        self._gathered = threading.local()
        self._hand: sa.Connection | None = None
        path = engine.url.database if engine.dialect.name == "sqlite" else None
        self._grouped = engine.dialect.name == "sqlite"
        file = Path(path) if path and path != ":memory:" else None
        self._lock = FileLock(f"{file}.lock") if file else None
        self._ballast = Ballast(Path(f"{file}.ballast"), ballast) if file else None

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session for reading; what it changes is thrown away."""
        with Session(self.engine) as session:
            yield session

    def write(self, work: Work[T], *, patient: bool = False) -> T:
        """
        Return ``work(session)`` once it is committed.

        A ``patient`` one lets others go before it and shares no commit: work that nobody waits
        for. As long as others come, such works have a third of the time.

        Whatever it raises is raised here, with nothing of it kept. It may run again: after a
        conflict on PostgreSQL, or on SQLite where another write of its group failed. So it must
        not do anything outside the session.
        """
        if not self._grouped:
            return self._alone(work, 2 * TRIES if patient else TRIES)
        result: T = self._owe(Owed(each, work, is_patient=patient)).answer.result()
        return result

    def write_together(self, work: Many[A, T], about: A) -> T:
        """
        Return what ``work(session, [about])`` returns for it, once it is committed.

        Those that come meanwhile for the same ``work`` are given to it together, in the order in
        which they came, and share the commit; on PostgreSQL, too. For the rest as :meth:`write`.
        """
        result: T = self._owe(Owed(work, about)).answer.result()
        return result

    def begin_together(self, work: Many[A, T], about: A) -> Future[T]:
        """Begin :meth:`write_together`, and return at once what will have its result."""
        some = getattr(self._gathered, "some", None)
        owed = Owed(work, about)
        if some is None:
            return self._owe(owed).answer
        some.append(owed)
        return owed.answer

    @contextlib.contextmanager
    def gathering(self) -> Iterator[None]:
        """
        Hand on at the end, together, what this thread begins by :meth:`begin_together` meanwhile.

        Who waits for one of these before the end waits for ever.
        """
        some: list[Owed] = []
        self._gathered.some = some
        try:
            yield
        finally:
            self._gathered.some = None
            if some:
                self._put(some)

    def note(self, work: Work[Any]) -> None:
        """
        Let ``work(session)`` be committed soon, and do not wait for it.

        For measurements only: what must not be lost is written with :meth:`write`. Notes are
        kept before any write that comes after them, and share its commit.
        """
        self._owe(Owed(each, work, is_note=True))

    def catch_up(self) -> None:
        """Wait until everything that was noted before is kept."""
        self._owe(Owed(each, lambda _session: None)).answer.result()

    def sweep(self) -> None:
        """
        Let nothing that was deleted stay in SQLite's files (security.md 2.7); PostgreSQL vacuums.

        Deleted rows are overwritten (``secure_delete``), but they stay in the write-ahead log
        until it is written back; where somebody still reads, or not even the ballast is room
        enough, the nightly job does it.
        """
        if self.engine.dialect.name != "sqlite":
            return
        with contextlib.closing(self.engine.raw_connection()) as connection:
            try:
                connection.cursor().execute(WRITE_BACK)
            except sqlite3.OperationalError as error:
                if not is_full(error):
                    raise
                given_up = contextlib.suppress(sa.exc.OperationalError, sqlite3.OperationalError)
                with given_up, self._turn(), self._room():
                    connection.cursor().execute(WRITE_BACK)

    def keep_ballast(self) -> None:
        """Bring the ballast to its size, where there is room; on PostgreSQL there is none."""
        if self._ballast is not None and not self._ballast.is_whole:
            with self._turn():
                self._ballast.keep()

    @property
    def ballast_missing(self) -> int:
        """Return how many bytes the ballast lacks: it was spent, or there is no room for it."""
        return self._ballast.missing if self._ballast else 0

    def close(self) -> None:
        """Finish what is waiting and let go of the database; a later write opens it anew."""
        with self._start:
            writer, self._writer = self._writer, None
            if writer:
                self._owed.put(None)
                self._owed = queue.SimpleQueue()
        if writer:
            writer.join()
        self.engine.dispose()

    def _open(self, **info: Any) -> Session:
        """
        Open a session on the one connection of the writer; what it read may be used afterwards.

        What SQLite has read of the file on it stays good, and what PostgreSQL has prepared.
        """
        if self._hand is None:
            self._hand = self._writing.connect()
        return Session(self._hand, expire_on_commit=False, info=info)

    def _let_go(self) -> None:
        """Close the connection that writes, if it is open; the next write opens another."""
        hand, self._hand = self._hand, None
        if hand is not None:
            hand.close()

    def _alone(self, work: Work[T], tries: int) -> T:
        """Write in a transaction of one's own: PostgreSQL groups commits itself."""
        for attempt in range(tries):
            try:
                with Session(self._writing, expire_on_commit=False) as session, session.begin():
                    return work(session)
            except sa.exc.DBAPIError as error:
                if not is_in_the_way(error) or attempt == tries - 1:
                    raise
                time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - not a secret
        raise AssertionError("unreachable")

    def _owe(self, owed: Owed) -> Owed:
        """Put a write in line."""
        self._put([owed])
        return owed

    def _put(self, some: Sequence[Owed]) -> None:
        """Put writes in line; the first ones start the writer (after a fork, not before)."""
        with self._start:
            self._owed.put(some)
            if self._writer is None:
                self._writer = threading.Thread(
                    target=self._write_for_ever, args=(self._owed,), name="writer", daemon=True
                )
                self._writer.start()

    def _write_for_ever(self, line: Line) -> None:
        """Take what is waiting, commit it together, answer."""
        going = True
        patient = Patient()
        while going or patient.some:
            group, going = next_group(line, patient) if going else ([], False)
            if group:
                self._write_group(line, group)
            elif patient.some:
                patient.take(partial(self._write_group, line))
        self._let_go()

    def _write_group(self, line: Line, group: list[Owed]) -> None:
        """
        Commit these writes together, then answer.

        Where one fails, nothing was kept; then all are done again, each in a savepoint, so that
        only the bad ones hear it. Savepoints from the start would cost every write a tenth. Where
        somebody else holds the database, those behind hear it, too: they have waited as well.
        """
        try:
            results = self._together(group)
        except BaseException as error:  # noqa: BLE001 - the second time tells whose it is
            self._let_go()  # SQLite keeps a transaction open whose commit it refused
            if is_locked(error):
                refuse_all([*group, *waiting(line)], error)
            elif is_full(error):
                self._without_room(group)
            else:
                self._one_by_one(group)
        else:
            for owed, result in zip(group, results, strict=True):
                owed.answer.set_result(result)

    def _together(self, group: list[Owed]) -> list[Any]:
        """Return what each write returned, after their commit."""
        results: list[Any] = []
        with self._turn(), self._open() as session, session.begin():
            for work, some in groupby(group, key=lambda owed: owed.work):
                about = [owed.about for owed in some]
                found = work(session, about)
                if len(found) != len(about):
                    raise RuntimeError(f"{len(found)} results of {len(about)} writes")
                results += found
                session.flush()
                session.expunge_all()
        return results

    def _one_by_one(self, group: list[Owed]) -> None:
        """Run each write in a savepoint of one transaction; answer after its commit."""
        done: list[tuple[Owed, Any]] = []
        try:
            with self._turn(), self._open() as session, session.begin():
                for owed in group:
                    try:
                        with session.begin_nested():
                            (result,) = owed.work(session, [owed.about])
                        done.append((owed, result))
                    except BaseException as error:
                        if not has_transaction(session):
                            raise
                        owed.refuse(error)
                    finally:
                        session.expunge_all()
        except BaseException as error:  # noqa: BLE001 - nothing of the group was kept: all hear it
            self._let_go()
            if is_full(error):
                self._without_room(group)
            else:
                refuse_all(group, error)
            return
        for owed, result in done:
            owed.answer.set_result(result)

    def _without_room(self, group: list[Owed]) -> None:
        """Write each in a transaction of its own: some fit, and some may have the ballast."""
        try:
            with self._turn():
                for owed in group:
                    if not owed.answer.done():
                        self._with_ballast(owed)
        except BaseException as error:  # noqa: BLE001 - nobody waits anew behind others
            refuse_all(group, error)

    def _with_ballast(self, owed: Owed) -> None:
        """Write one, and answer; raise where somebody else holds the database."""
        try:
            with contextlib.ExitStack() as stack:
                room = partial(stack.enter_context, self._room())
                with self._open(**{KEY: room}) as session, session.begin():
                    (result,) = owed.work(session, [owed.about])
        except BaseException as error:
            self._let_go()
            if is_locked(error):
                raise
            owed.refuse(error)
        else:
            owed.answer.set_result(result)

    def _room(self) -> contextlib.AbstractContextManager[None]:
        """Return the ballast's room, for a while; it goes to whoever has the turn to write."""
        return self._ballast.released() if self._ballast else contextlib.nullcontext()

    def _turn(self) -> contextlib.AbstractContextManager[None]:
        """Wait until no other process writes; raise as SQLite does where that takes too long."""
        return turn_of(self._lock, PATIENCE)
