"""The tasks of one process: each runs when it is due or woken, and again where it failed."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from structlog.contextvars import bind_contextvars

from regportal.errors import said

Task = Callable[[datetime], datetime | None]
"""Does all that is due at this time and returns when to be called next; None: when woken."""
Clock = Callable[[], datetime]

AT_LATEST = 5.0
"""Seconds after which a task is asked although nobody woke it: a wake may die with its process,
a clock may jump."""
FIRST_WAIT, LONGEST_WAIT = 0.2, 60.0
"""Seconds before a task that failed is tried again; doubled every time."""

logger = logging.getLogger("regportal.engine")


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)


class Tasks:
    """All tasks of one process, each on a thread of its own."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none."""
        self._clock = clock
        self._loops: dict[str, _Loop] = {}
        self._guard = threading.Lock()
        self._running = False
        self._ended = threading.Event()

    @property
    def is_running(self) -> bool:
        """Return whether tasks may begin something."""
        return self._running

    def rest(self, seconds: float) -> bool:
        """Wait so long, or until the end; return whether that has not come."""
        return not self._ended.wait(seconds)

    def add(self, name: str, task: Task, pause: float) -> None:
        """Let a task run, ``pause`` seconds apart at least; a name already taken stays as it is."""
        with self._guard:
            if name in self._loops:
                return
            loop = self._loops[name] = _Loop(name, task, self._clock, pause)
            if self._running:
                loop.start()

    def wake(self, name: str, at: datetime | None = None) -> bool:
        """Let the tasks that have a name run, now or at this time; return whether there are any."""
        loops = [
            loop
            for one, loop in list(self._loops.items())
            if one == name or one.startswith(f"{name}:")
        ]
        for loop in loops:
            loop.wake(at)
        return bool(loops)

    def wake_all(self) -> None:
        """Let every task look for what is due."""
        for loop in list(self._loops.values()):
            loop.wake(None)

    def start(self) -> None:
        """Begin to work."""
        with self._guard:
            self._running = True
            for loop in self._loops.values():
                loop.start()

    def end(self) -> None:
        """Let what is running come to its end, and begin nothing any more."""
        with self._guard:
            self._running = False
            self._ended.set()
            for loop in self._loops.values():
                loop.end()

    def wait(self, deadline: float) -> bool:
        """Wait for the end of all, until a monotonic time at most; return whether it has come."""
        alive = [loop for loop in self._loops.values() if loop.is_alive()]
        for loop in alive:
            loop.join(max(0.0, deadline - time.monotonic()))
        return not any(loop.is_alive() for loop in alive)


class _Loop(threading.Thread):
    """One task on its own thread, so that nobody waits for somebody else's dead CRM."""

    def __init__(self, name: str, task: Task, clock: Clock, pause: float) -> None:
        """Take the task; it runs first when the thread starts."""
        super().__init__(name=name, daemon=True)
        self._task = task
        self._clock = clock
        self._changed = threading.Condition()
        self._due: datetime | None = clock()
        self._ending = False
        self._pause, self._not_before = pause, 0.0

    def wake(self, at: datetime | None) -> None:
        """Let the task run at this time if it is not due before."""
        with self._changed:
            at = at or self._clock()
            if self._due is None or at < self._due:
                self._due = at
                self._changed.notify()

    def end(self) -> None:
        """Begin nothing any more."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def run(self) -> None:
        """Run the task whenever it is due, until the end; its lines in the log name it."""
        bind_contextvars(task=self.name)
        failures = 0
        while self._is_due():
            try:
                again = self._task(self._clock())
                failures = 0
            except Exception as error:  # noqa: BLE001 - a task that fails is tried again, whatever it was
                wait = min(LONGEST_WAIT, FIRST_WAIT * 2**failures)
                failures += 1
                logger.error(  # noqa: TRY400 - said() is all of it - a traceback may say what is personal
                    "task %s failed (%s), again in %.1f s", self.name, said(error), wait
                )
                again = self._rest(wait)
            if again is not None:
                self.wake(again)

    def _is_due(self) -> bool:
        """Wait for the time of the task; return False at the end."""
        idle = time.monotonic() + AT_LATEST
        with self._changed:
            while not self._ending:
                left = idle - time.monotonic()
                if self._due is not None:
                    left = min(left, (self._due - self._clock()).total_seconds())
                left = max(left, self._not_before - time.monotonic())
                if left <= 0:
                    self._due = None
                    self._not_before = time.monotonic() + self._pause
                    return True
                self._changed.wait(left)
        return False

    def _rest(self, seconds: float) -> datetime:
        """Wait so long whoever wakes us: what failed is not hurried."""
        until = time.monotonic() + seconds
        with self._changed:
            while not self._ending and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
        return self._clock()
