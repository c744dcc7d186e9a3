"""How processes on one PostgreSQL wake each other's tasks, and see which of them live."""

import logging
import threading
import time
from collections.abc import Callable

import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.engine.durable import Connection, Durable
from regportal.engine.tasks import Tasks
from regportal.errors import said

RESTS = 0.05
"""Seconds between two times that a process tells the others what there is to do: what comes
meanwhile is told together."""
LOOKS = 5.0
"""Seconds between two looks for the work of workers that died."""
CHANNEL = "regportal"
"""On PostgreSQL, where processes hear from each other which task has something to do."""
ALIVE = (0x7270, 1)
"""The lock that all workers on PostgreSQL share while they live: it goes with their connection."""
LIVING = sa.text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
    " AND classid = :room AND objid = :lock"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

logger = logging.getLogger("regportal.engine")


def living(session: Session) -> int | None:
    """Return how many workers live on this PostgreSQL; None on SQLite: only a process knows."""
    if session.get_bind().dialect.name == "sqlite":
        return None
    asked = dict(zip(("room", "lock"), ALIVE, strict=True))
    count: int = session.execute(LIVING, asked).scalar_one()
    return count


class Notifier:
    """
    Wakes the tasks of other processes, and ours when they do: LISTEN and NOTIFY.

    A process that only answers requests notifies, on a thread and a connection of its own, and
    then rests a moment; several wakes of one task meanwhile are one. A worker listens; the lock it
    holds on that connection shows the others that it lives.
    """

    def __init__(self, url: str, tasks: Tasks) -> None:
        """Take the database; connects when there is something to say or to hear."""
        address = sa.make_url(url).set(drivername="postgresql")
        self._address = address.render_as_string(hide_password=False)
        self._tasks = tasks
        self._changed = threading.Condition()
        self._owed: set[str] = set()
        self._threads: list[threading.Thread] = []
        self._ending = threading.Event()
        self._notifies = False

    def notify(self, name: str) -> None:
        """Tell the workers that this task has something to do; returns at once."""
        with self._changed:
            self._owed.add(name)
            self._changed.notify()
            if not self._notifies:
                self._notifies = True
                self._begin("notify", self._notify)

    def listen(self, durable: Durable) -> None:
        """Wake our tasks when they are notified; take over the long work of workers that died."""
        self._begin("listen", lambda connection: self._listen(connection, durable))

    def end(self) -> None:
        """Say what is still owed, and hang up."""
        self._ending.set()
        with self._changed:
            self._changed.notify()
        for thread in self._threads:
            thread.join(2)

    def _begin(self, name: str, talk: Callable[[Connection], None]) -> None:
        """Talk on a thread and a connection of its own, and on another after that broke."""

        def keep_talking() -> None:
            while not self._ending.is_set():
                try:
                    with psycopg.connect(self._address, autocommit=True) as connection:
                        talk(connection)
                except Exception as error:  # noqa: BLE001 - whatever broke, the next connection may hold
                    logger.warning("workers cannot be reached (%s), again soon", said(error))
                    self._ending.wait(1)

        thread = threading.Thread(target=keep_talking, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _notify(self, connection: Connection) -> None:
        """Send what is owed; what could not be sent stays owed."""
        while not self._ending.is_set() or self._owed:
            with self._changed:
                while not self._owed and not self._ending.is_set():
                    self._changed.wait()
                names, self._owed = self._owed, set()
            try:
                for name in names:
                    connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, name))
            except psycopg.Error:
                with self._changed:
                    self._owed |= names
                raise
            self._ending.wait(RESTS)

    def _listen(self, connection: Connection, durable: Durable) -> None:
        """Wake whatever is named; first everything, for nobody heard what was named before."""
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", (durable.executor,))
        connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", ALIVE)
        connection.execute(f"LISTEN {CHANNEL}")
        self._tasks.wake_all()
        looked = time.monotonic()
        while not self._ending.is_set():
            for notice in connection.notifies(timeout=0.5, stop_after=1):
                self._tasks.wake(notice.payload)
            if time.monotonic() - looked > LOOKS:
                looked = time.monotonic()
                durable.take_over(connection)
