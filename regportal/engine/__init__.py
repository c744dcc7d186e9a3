"""
What runs beside the requests, and when: the engine.

It knows tasks by name and has three verbs. ``wake(task, at)`` lets one run now or later,
``every(cron, task)`` runs one at fixed times, once however many workers there are, and
``run(work, *ids)`` carries long work of several steps across crashes. It never holds a message:
a task finds in our own tables what is due, does all of it, and says when to be called next.
Everything the engine keeps may be deleted at any time; nothing is lost by it
(docs/decisions/0003-the-engine.md).

``tasks.py`` runs the tasks of this process, ``notifying.py`` wakes those of others, and
``durable.py`` does what is to be done once for all of them.
"""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from regportal.engine.durable import Durable, Work
from regportal.engine.notifying import Notifier
from regportal.engine.tasks import Clock, Task, Tasks, utc_now

__all__ = ["Engine"]


class Engine:
    """
    The tasks of one process.

    Before :meth:`start` (in a process that only answers requests) it does nothing itself:
    ``wake`` then tells the workers on the same PostgreSQL.
    """

    def __init__(self, url: str, folder: Path, *, clock: Clock = utc_now) -> None:
        """Take the database and the folder of the installation; touches neither yet."""
        self._tasks = Tasks(clock)
        self._durable = Durable(url, folder, clock)
        self._notifier = None if url.startswith("sqlite") else Notifier(url, self._tasks)

    def add(self, name: str, task: Task, *, pause: float = 0) -> None:
        """
        Let this task run on a thread of its own; a name already taken is left as it is.

        ``pause`` is how many seconds lie between two runs at least, however often it is woken:
        where much comes at once, much is then done at once.
        """
        self._tasks.add(name, task, pause)

    def offer(self, name: str, work: Work) -> None:
        """Make a long work known, so that :meth:`run` and recovery after a crash find it."""
        self._durable.works[name] = work

    def every(self, cron: str, name: str, task: Task) -> None:
        """Run this task at these times (UTC), in one of the workers; call it before the start."""
        self._durable.crons[name] = (cron, task)

    def wake(self, name: str, at: datetime | None = None) -> None:
        """
        Let a task run now, or at this time; returns at once.

        ``deliver`` wakes every task whose name begins with ``deliver:``.
        """
        if not self._tasks.wake(name, at) and self._notifier is not None:
            self._notifier.notify(name)

    def run(self, name: str, *ids: str) -> None:
        """
        Carry out a long work, once for the same ids, across crashes; returns when it is noted.

        Only in a process that was started: elsewhere write down what is owed and wake a task
        that runs it. Such a task is also what runs it again after the engine's own notes were
        deleted.
        """
        self._durable.run(name, ids)

    def is_running(self) -> bool:
        """Return whether tasks may begin something: a long one asks now and then."""
        return self._tasks.is_running

    def rest(self, seconds: float) -> bool:
        """Let a task wait so long, or until the end; return whether it may go on."""
        return self._tasks.rest(seconds)

    def start(self) -> None:
        """Begin to work."""
        self._tasks.start()
        if self._notifier is not None:
            self._notifier.listen(self._durable)
        self._durable.start()

    def stop(self, within: float = 8.0, hurry: Callable[[], None] = lambda: None) -> None:
        """
        Let what is running come to its end, for so many seconds at most, and begin nothing.

        ``hurry`` is called after a fourth of them where something still runs, to cut it short.
        """
        begun = time.monotonic()
        self._tasks.end()
        if self._notifier is not None:
            self._notifier.end()
        if not self._tasks.wait(begun + within / 4):
            hurry()
        self._durable.end(within / 2)
        self._tasks.wait(begun + within)
