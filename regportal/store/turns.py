"""Whose turn it is to be written: what comes together shares a commit, what is patient waits."""

import contextlib
import logging
import queue
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.orm import Session

A = TypeVar("A")
T = TypeVar("T")
Many = Callable[[Session, Sequence[A]], Sequence[T]]
"""Does the same for several callers at once; returns what each of them is given."""

LOCKED = "database is locked"
"""What SQLite says where somebody else holds it."""
GROUP = 64  # writes that share one commit; more would only make the first wait longer
SOON = 0.05  # seconds that a note waits for a write whose commit it can share
QUIET = 0.01  # seconds without any other write after which it is a patient one's turn
REST = 2  # times as long as it took that a patient write lets others go before the next

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Owed:
    """A write that waits for its commit."""

    work: Many[Any, Any]
    about: Any = None
    """What ``work`` is given of this one."""
    answer: Future[Any] = field(default_factory=Future)
    is_note: bool = False
    """Whether nobody waits for it."""
    is_patient: bool = False
    """Whether it lets others go before it."""

    def refuse(self, error: BaseException) -> None:
        """Let whoever waits hear why nothing was kept; where nobody does, the log."""
        if self.is_note:
            logger.warning("a note was not kept", exc_info=error)
        self.answer.set_exception(error)


Line = queue.SimpleQueue[Sequence[Owed] | None]
"""Writes in the order in which they came, some of them together; None ends the writer."""


@dataclass(slots=True)
class Patient:
    """Writes that let others go before them."""

    some: deque[Owed] = field(default_factory=deque)
    due: float = 0.0
    """From when on it is their turn, whoever else comes."""

    def put_aside(self, owed: Owed) -> None:
        """Let one wait."""
        self.due = max(self.due, time.monotonic() + QUIET)
        self.some.append(owed)

    def take(self, write: Callable[[list[Owed]], None]) -> None:
        """Write the next of them; the one after it lets others go before it for longer."""
        began = time.monotonic()
        write([self.some.popleft()])
        now = time.monotonic()
        self.due = now + REST * (now - began)

    def wait(self) -> float:
        """Return for how many seconds to let others come first."""
        return min(QUIET, self.due - time.monotonic())


def next_group(line: Line, patient: Patient) -> tuple[list[Owed], bool]:
    """
    Wait for a write and return it with those behind it; notes alone wait a little for one.

    Those that are patient are put aside; an empty group says that it is their turn. Also returns
    whether there will be more.
    """
    group: list[Owed] = []
    came = 0.0
    with contextlib.suppress(queue.Empty):
        while len(group) < GROUP:
            wait = _patience(group, patient, came)
            if wait is not None and wait <= 0 and not group:
                break
            some = line.get(timeout=wait) if wait is None or wait > 0 else line.get_nowait()
            if some is None:
                return group, False
            came = came or time.monotonic()
            for owed in some:
                if owed.is_patient:
                    patient.put_aside(owed)
                else:
                    group.append(owed)
    return group, True


def waiting(line: Line) -> list[Owed]:
    """Take everything that is in line now; the end of the line stays."""
    found: list[Owed] = []
    with contextlib.suppress(queue.Empty):
        while True:
            some = line.get_nowait()
            if some is None:
                line.put(None)
                break
            found += some
    return found


@contextlib.contextmanager
def turn_of(lock: FileLock | None, patience: float) -> Iterator[None]:
    """Have a lock; raise as SQLite does where that takes longer than so many seconds."""
    if lock is None:
        yield
        return
    try:
        lock.acquire(timeout=patience)
    except Timeout as error:
        raise sa.exc.OperationalError(None, None, sqlite3.OperationalError(LOCKED)) from error
    try:
        yield
    finally:
        lock.release()


def refuse_all(some: Sequence[Owed], error: BaseException) -> None:
    """Let all of them hear it who were told nothing yet."""
    for owed in some:
        if not owed.answer.done():
            owed.refuse(error)


def _patience(group: Sequence[Owed], patient: Patient, came: float) -> float | None:
    """Return how many seconds to wait for another write; None: as long as it takes."""
    if not group:
        return patient.wait() if patient.some else None
    if patient.some or not all(owed.is_note for owed in group):
        return 0.0
    return came + SOON - time.monotonic()


def each(session: Session, works: Sequence[Callable[[Session], Any]]) -> list[Any]:
    """Do several works one after the other: none sees what another one left in the session."""
    results = []
    for work in works:
        results.append(work(session))
        session.flush()
        session.expunge_all()
    return results


def is_locked(error: BaseException) -> bool:
    """Return whether a write failed because somebody else holds the database."""
    return isinstance(error, sa.exc.OperationalError) and str(error.orig).startswith(LOCKED)


def has_transaction(session: Session) -> bool:
    """
    Return whether a write that failed left the transaction of its group as it was.

    SQLite gives up all of it where the disk is full or broken: what the group wrote before is
    gone, and what comes after would be kept without it.
    """
    raw = session.connection().connection.dbapi_connection
    return bool(getattr(raw, "in_transaction", True))  # PostgreSQL refuses whatever comes after
