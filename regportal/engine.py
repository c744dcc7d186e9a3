"""
What runs beside the requests, and when: the engine.

It knows tasks by name and has three verbs. ``wake(task, at)`` lets one run now or later,
``every(cron, task)`` runs one at fixed times, once however many workers there are, and
``run(work, *ids)`` carries long work of several steps across crashes. It never holds a message:
a task finds in our own tables what is due, does all of it, and says when to be called next.
Everything the engine keeps may be deleted at any time; nothing is lost by it
(docs/decisions/0003-the-engine.md).

This is the only module that knows DBOS. It is imported in the background, because its import
takes longer than all of ``regportal serve``.
"""

import json
import logging
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import Session
from structlog.contextvars import bind_contextvars

from regportal.errors import RegportalError

if TYPE_CHECKING:
    from dbos import DBOSConfig, StepOptions

Task = Callable[[datetime], datetime | None]
"""Does all that is due at this time and returns when to be called next; None: when woken."""

Clock = Callable[[], datetime]
Connection = psycopg.Connection[Any]

AT_LATEST = 5.0
"""Seconds after which a task is asked although nobody woke it: a wake may die with its process,
a clock may jump."""
FIRST_WAIT, LONGEST_WAIT = 0.2, 60.0
"""Seconds before a task that failed is tried again; doubled every time."""
STEPS: "StepOptions" = {
    "name": "step",
    "retries_allowed": True,
    "max_attempts": 12,
    "interval_seconds": 1.0,
    "backoff_rate": 2.0,
}
"""How one step of a long work is tried again: for about an hour."""
RINGS = 0.05
"""Seconds between two times that a process tells the others what there is to do: what comes
meanwhile is told together."""
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


class Step(Protocol):
    """Runs one step of a long work: what it returns is kept, so that it is not done twice."""

    def __call__(self, function: Callable[..., Any], *ids: str) -> Any:
        """Return ``function(*ids)``, or what it returned before a crash."""


Work = Callable[..., None]
"""``work(step, *ids)``: long work of several steps, each called as ``step(function, *ids)``."""


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)


def said(error: BaseException) -> str:
    """Say in one line what failed, without what it was about: that may be personal."""
    if isinstance(error, RegportalError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def living(session: Session) -> int | None:
    """Return how many workers live on this PostgreSQL; None on SQLite: only a process knows."""
    if session.get_bind().dialect.name == "sqlite":
        return None
    asked = dict(zip(("room", "lock"), ALIVE, strict=True))
    count: int = session.execute(LIVING, asked).scalar_one()
    return count


class Engine:
    """
    The tasks of one process.

    Before :meth:`start` (in a process that only answers requests) it does nothing itself:
    ``wake`` then tells the workers on the same PostgreSQL.
    """

    def __init__(self, url: str, folder: Path, *, clock: Clock = utc_now) -> None:
        """Take the database and the folder of the installation; touches neither yet."""
        self._clock = clock
        self._loops: dict[str, _Loop] = {}
        self._guard = threading.Lock()
        self._running = False
        self._durable = _Durable(url, folder, clock)
        self._bell = None if url.startswith("sqlite") else _Bell(url, self)

    def add(self, name: str, task: Task, *, pause: float = 0) -> None:
        """
        Let this task run on a thread of its own; a name already taken is left as it is.

        ``pause`` is how many seconds lie between two runs at least, however often it is woken:
        where much comes at once, much is then done at once.
        """
        with self._guard:
            if name in self._loops:
                return
            loop = self._loops[name] = _Loop(name, task, self._clock, pause)
            if self._running:
                loop.start()

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
        if not self.wake_here(name, at) and self._bell is not None:
            self._bell.ring(name)

    def wake_here(self, name: str, at: datetime | None = None) -> bool:
        """Let the tasks of this process run that have a name; return whether there are any."""
        loops = [
            loop
            for one, loop in list(self._loops.items())
            if one == name or one.startswith(f"{name}:")
        ]
        for loop in loops:
            loop.wake(at)
        return bool(loops)

    def wake_all(self) -> None:
        """Let every task of this process look for what is due."""
        for loop in list(self._loops.values()):
            loop.wake(None)

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
        return self._running

    def start(self) -> None:
        """Begin to work."""
        with self._guard:
            self._running = True
            for loop in self._loops.values():
                loop.start()
        if self._bell is not None:
            self._bell.listen(self._durable)
        self._durable.start()

    def stop(self, within: float = 8.0, hurry: Callable[[], None] = lambda: None) -> None:
        """
        Let what is running come to its end, for so many seconds at most, and begin nothing.

        ``hurry`` is called after a fourth of them where something still runs, to cut it short.
        """
        begun = time.monotonic()
        with self._guard:
            self._running = False
            loops = [loop for loop in self._loops.values() if loop.is_alive()]
        for loop in loops:
            loop.end()
        if self._bell is not None:
            self._bell.end()
        _join(loops, begun + within / 4)
        if any(loop.is_alive() for loop in loops):
            hurry()
        self._durable.end(within / 2)
        _join(loops, begun + within)


def _join(threads: Sequence[threading.Thread], deadline: float) -> None:
    """Wait until all of them have ended, but not longer than until the deadline."""
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


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


class _Bell:
    """
    How processes on one PostgreSQL wake each other's tasks: LISTEN and NOTIFY.

    A process that only answers requests rings, on a thread and a connection of its own, and then
    rests a moment; several wakes of one task meanwhile are one. A worker listens; the lock it
    holds on that connection shows the others that it lives.
    """

    def __init__(self, url: str, engine: Engine) -> None:
        """Take the database; connects when there is something to say or to hear."""
        address = sa.make_url(url).set(drivername="postgresql")
        self._address = address.render_as_string(hide_password=False)
        self._engine = engine
        self._changed = threading.Condition()
        self._owed: set[str] = set()
        self._threads: list[threading.Thread] = []
        self._ending = threading.Event()
        self._rings = False

    def ring(self, name: str) -> None:
        """Tell the workers that this task has something to do; returns at once."""
        with self._changed:
            self._owed.add(name)
            self._changed.notify()
            if not self._rings:
                self._rings = True
                self._begin("ring", self._ring)

    def listen(self, durable: "_Durable") -> None:
        """Wake our tasks when somebody rings."""
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

    def _ring(self, connection: Connection) -> None:
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
            self._ending.wait(RINGS)

    def _listen(self, connection: Connection, durable: "_Durable") -> None:
        """Wake what is rung for; first everything, for nobody heard what was rung before."""
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", (durable.executor,))
        connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", ALIVE)
        connection.execute(f"LISTEN {CHANNEL}")
        self._engine.wake_all()
        looked = time.monotonic()
        while not self._ending.is_set():
            for notice in connection.notifies(timeout=0.5, stop_after=1):
                self._engine.wake_here(notice.payload)
            if time.monotonic() - looked > AT_LATEST:
                looked = time.monotonic()
                durable.take_over(connection)


class _Durable:
    """What DBOS does for us: fixed times, and long work that survives a crash."""

    def __init__(self, url: str, folder: Path, clock: Clock) -> None:
        """Take the database and the folder; everything else waits for the start."""
        self.crons: dict[str, tuple[str, Task]] = {}
        self.works: dict[str, Work] = {}
        self._sqlite = url.startswith("sqlite")
        self.executor = "local" if self._sqlite else uuid.uuid4().hex
        self._url = f"sqlite:///{(folder / 'engine.db').resolve()}" if self._sqlite else url
        self._clock = clock
        self._launched = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._work: Any = None
        self._tick: Any = None
        self._place: sa.Engine | None = None

    def start(self) -> None:
        """Launch in the background, where there is anything to do."""
        if not self.crons and not self.works:
            return
        self._thread = threading.Thread(target=self._launch, name="engine", daemon=True)
        self._thread.start()

    def run(self, name: str, ids: Sequence[str]) -> None:
        """Start a work under an id made of its name and ids: the same again is the same one."""
        if not self._launched.wait(30):
            raise RuntimeError("the engine was not started")
        from dbos import DBOS, SetWorkflowID  # noqa: PLC0415 - takes more than a second

        with SetWorkflowID(":".join((name, *ids))):
            DBOS.start_workflow(self._work, name, list(ids))

    def end(self, within: float) -> None:
        """Stop; work that is under way goes on after the next start."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(within)
        if self._launched.is_set():
            self._launched.clear()
            self._let_go()

    def take_over(self, connection: Connection) -> None:
        """
        Go on with the work of workers that are dead: nobody holds their lock any more.

        Where DBOS has no answer the next time does: the connection holds our own lock, and stays.
        """
        if not self._launched.is_set():
            return
        try:
            self._take_over(connection)
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001 - the database may come back
            logger.error("could not look for work of dead workers (%s)", said(error))  # noqa: TRY400 - said() is all of it

    def _take_over(self, connection: Connection) -> None:
        """Look for work whose worker holds no lock, and let it go on."""
        from dbos import DBOS  # noqa: PLC0415 - the same

        pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        for executor in {work.executor_id for work in pending} - {self.executor}:
            free = connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", (executor,))
            if free.fetchone() == (True,):
                orphans = [work.workflow_id for work in pending if work.executor_id == executor]
                DBOS.resume_workflows(orphans)
                connection.execute("SELECT pg_advisory_unlock(hashtext(%s))", (executor,))
                logger.warning("took over long work of a worker that died: %d", len(orphans))

    def _launch(self) -> None:
        """Import DBOS, tell it what there is, and let it recover what a crash left off."""
        from dbos import DBOS  # noqa: PLC0415 - the same

        while not self._ending.is_set():
            try:
                DBOS(config=self._config())
                self._register()
                DBOS.launch()
                self._apply_crons()
            except Exception as error:  # noqa: BLE001 - the database may come back
                logger.error("fixed times and long work have to wait (%s)", said(error))  # noqa: TRY400 - said() is all of it
                self._let_go()
                self._ending.wait(5)
            else:
                self._launched.set()
                return

    def _let_go(self) -> None:
        """End DBOS and close its connections."""
        from dbos import DBOS  # noqa: PLC0415 - the same

        DBOS.destroy(destroy_registry=True)
        if self._place is not None:
            self._place.dispose()

    def _register(self) -> None:
        """Tell DBOS the two functions it may call: everything else is looked up by name."""
        from dbos import DBOS  # noqa: PLC0415 - the same

        def step(function: Callable[..., Any], *ids: str) -> Any:
            return DBOS.run_step(STEPS, function, *ids)

        @DBOS.workflow(name="work")
        def work(name: str, ids: list[str]) -> None:
            self.works[name](step, *ids)

        @DBOS.workflow(name="tick")
        def tick(_: datetime, name: str) -> None:
            self.crons[name][1](self._clock())

        self._work, self._tick = work, tick

    def _apply_crons(self) -> None:
        """Note the fixed times; the ones of a release before this are forgotten."""
        from dbos import DBOS  # noqa: PLC0415 - the same

        for schedule in DBOS.list_schedules():
            if schedule["schedule_name"] not in self.crons:
                DBOS.delete_schedule(schedule["schedule_name"])
        DBOS.apply_schedules(
            [
                {
                    "schedule_name": name,
                    "workflow_fn": self._tick,
                    "schedule": cron,
                    "context": name,
                }
                for name, (cron, _) in self.crons.items()
            ]
        )

    def _config(self) -> "DBOSConfig":
        """Return how DBOS is used: beside our tables, readable, with no version, no chatter."""
        from dbos import Serializer  # noqa: PLC0415 - the same

        class Readable(Serializer):
            """JSON instead of pickles. Ids only, so that nothing personal is kept."""

            def name(self) -> str:
                return "json"

            def serialize(self, data: Any) -> str:
                return json.dumps(data, default=str)

            def deserialize(cls, serialized_data: str) -> Any:  # noqa: N805 - as DBOS names it
                return json.loads(serialized_data)

        self._place = _own_engine(self._url)
        return {
            "name": "regportal",
            "system_database_url": self._url,
            "system_database_engine": self._place,
            "dbos_system_schema": "engine",
            "application_version": "1",  # else a hash of our source: an upgrade strands work
            "executor_id": self.executor,
            "serializer": Readable(),
            "log_level": "WARNING",
        }


def _own_engine(url: str) -> sa.Engine:
    """Open the database for DBOS, which begins its transactions itself."""
    if not url.startswith("sqlite"):
        return sa.create_engine(url, pool_pre_ping=True, pool_size=4)
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def immediate(connection: Any, _: Any) -> None:
        connection.isolation_level = "IMMEDIATE"

    return engine
