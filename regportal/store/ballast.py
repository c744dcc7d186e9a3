"""
Room that is kept for withdrawals and erasures: on a full disk SQLite cannot even delete.

A file beside the database holds it. Who ends a permission, or erases somebody, says so in its
transaction (:func:`may_use_ballast`); where the disk is full the store does that transaction anew,
with the room, and takes back at once whatever of it was not needed, before anybody else can.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy.orm import Session

MIB = 1024 * 1024
STEPS = (MIB, 64 * 1024, 4 * 1024)
"""Bytes taken at a time, ever less where the disk has no more: nothing is left for others."""
KEY = "regportal.ballast"
"""Where a session knows how to come by the room, while the disk is full."""
FULL = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_SHMSIZE,  # the index of the write-ahead log could not grow
        sqlite3.SQLITE_IOERR_WRITE,  # beyond a quota; or the disk fails, where room helps nobody
    }
)
"""What SQLite says where there is no room."""


def is_full(error: BaseException) -> bool:
    """Return whether SQLite could not write, for want of room as far as it can tell."""
    return getattr(getattr(error, "orig", error), "sqlite_errorcode", None) in FULL


def may_use_ballast(session: Session) -> None:
    """
    Let this transaction have the room of the ballast, where it is done anew on a full disk.

    For what must not wait until somebody looks after the disk: that somebody stops something, or
    is erased. Say so before the first row is written.
    """
    release: Callable[[], None] | None = session.info.pop(KEY, None)
    if release is not None:
        release()


class Ballast:
    """The file that takes up room; who changes it holds the turn to write."""

    def __init__(self, path: Path, size: int) -> None:
        """Take where it is, or may be, and how many MiB it should have."""
        self._path, self._goal = path, size * MIB

    @property
    def is_whole(self) -> bool:
        """Return whether it is there in its size, or should not be there and is not."""
        return self._path.exists() == bool(self._goal) and self._held() == self._goal

    @property
    def missing(self) -> int:
        """Return how many bytes it lacks; 0 before it was ever made."""
        return max(0, self._goal - self._held()) if self._path.exists() else 0

    def keep(self) -> None:
        """
        Bring it to its size; of nothing no file is left.

        It grows where that leaves as much room again: else it would be what fills the disk.
        """
        if self._goal == 0:
            self._path.unlink(missing_ok=True)
            return
        self._path.touch()
        held = self._held()
        if held > self._goal:
            os.truncate(self._path, self._goal)
        elif held < self._goal and _room_in(self._path.parent) >= 2 * self._goal - held:
            self._grow(self._goal)

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """Give its room away meanwhile; then take back what is left of it."""
        held = self._held()
        with contextlib.suppress(OSError), self._path.open("r+b") as file:
            file.truncate()
            os.fsync(file.fileno())  # some file systems free it only now
        try:
            yield
        finally:
            self._grow(held)

    def _grow(self, size: int) -> None:
        """Grow to this size, or as far as there is room: what a disk refuses is no matter here."""
        with contextlib.suppress(OSError), self._path.open("r+b") as file:
            for step in STEPS:
                with contextlib.suppress(OSError):
                    while (begin := self._held()) < size:
                        _reserve(file.fileno(), begin, min(step, size - begin))

    def _held(self) -> int:
        """Return how many bytes it has."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0


def _room_in(folder: Path) -> int:
    """Return how many bytes may still be written there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _reserve(descriptor: int, begin: int, length: int) -> None:
    """Take up room in a file."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, begin, length)
    else:
        os.pwrite(descriptor, bytes(length), begin)
