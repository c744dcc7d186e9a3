"""
What DBOS does for us: fixed times, and long work of several steps that survives a crash.

This is the only module that knows DBOS. It is imported in the background, because its import
takes longer than all of ``regportal serve``.
"""

import json
import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
import sqlalchemy as sa

from regportal.engine.tasks import Clock, Task
from regportal.errors import said

if TYPE_CHECKING:
    from dbos import DBOSConfig, StepOptions

Connection = psycopg.Connection[Any]

STEPS: "StepOptions" = {
    "name": "step",
    "retries_allowed": True,
    "max_attempts": 12,
    "interval_seconds": 1.0,
    "backoff_rate": 2.0,
}
"""How one step of a long work is tried again: for about an hour."""


class Step(Protocol):
    """Runs one step of a long work: what it returns is kept, so that it is not done twice."""

    def __call__(self, function: Callable[..., Any], *ids: str) -> Any:
        """Return ``function(*ids)``, or what it returned before a crash."""


Work = Callable[..., None]
"""``work(step, *ids)``: long work of several steps, each called as ``step(function, *ids)``."""

logger = logging.getLogger("regportal.engine")


class Durable:
    """The fixed times and the long works of one process, carried by DBOS."""

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
