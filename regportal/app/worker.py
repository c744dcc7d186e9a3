"""What happens after the answer: facts get their meaning, and the news goes out."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from flask import Flask

from regportal.app.letters import LETTERS
from regportal.app.line import Line
from regportal.buying.alerts.actions import tell as tell_readers
from regportal.buying.backtest import trials
from regportal.buying.backtest.beside import try_what_waits
from regportal.buying.glossary import vocabulary_of
from regportal.buying.lists.keeping import list_missing
from regportal.buying.passing import find_lost, pass_time, score_everybody
from regportal.buying.weigher import weigh
from regportal.config import Settings
from regportal.connectors.base import Deliver
from regportal.connectors.schema import Connector as ConnectorDocument
from regportal.consent.ledger import keep_head
from regportal.documents.releasing import publish_due
from regportal.engine import Engine
from regportal.engine.tasks import Clock, Task, utc_now
from regportal.forms.settling import expire, settle
from regportal.forms.turnouts import count_anew
from regportal.inbox.actions import understand
from regportal.inbox.polling import poll
from regportal.insight.experiments import stop_losing
from regportal.library.storage import Storage
from regportal.mail.post import Post
from regportal.outbox.actions import drain
from regportal.outbox.budget import Budget
from regportal.outbox.days import tell_days
from regportal.outbox.drain import take_back
from regportal.outbox.leases import LEASE
from regportal.outbox.models import MAIL
from regportal.privacy.capping import cap
from regportal.privacy.clocks import tidy
from regportal.privacy.erasing import erase_as_told
from regportal.store.documents import Shelf
from regportal.store.sessions import Store
from regportal.sync.drifting import look_over
from regportal.sync.gone import find_gone
from regportal.tracking import dividing
from regportal.tracking.unpacking import unpack

SMTP_LEASE = timedelta(minutes=2)
"""Longer than one letter may take: ten steps of a conversation, 10 s each (mail/postman.py)."""

GATHER = 0.1
"""Seconds between two times that what browsers told is unpacked: what comes meanwhile is done
together, and is understood well within the second."""
NIGHTLY = "17 3 * * *"
HOURLY = "47 * * * *"
TEN_MINUTES = "*/10 * * * *"


class Worker:
    """
    The tasks of one installation, on the engine.

    Facts flow one way: ``settle``, ``understand`` and ``unpack`` write what ``weigh`` reads, and
    they owe what the tasks ``deliver:mail`` and ``deliver:<connector>`` send. ``wake`` may be
    called in any process; what is woken runs wherever a worker was started.
    """

    def __init__(self, app: Flask, *, clock: Clock = utc_now) -> None:
        """Take the installation and let its pages wake us; nothing runs yet."""
        self._app, self._clock = app, clock
        self._settings: Settings = app.extensions["regportal.settings"]
        self._store: Store = app.extensions["regportal.store"]
        self._shelf: Shelf = app.extensions["regportal.shelf"]
        self._storage: Storage = app.extensions["regportal.storage"]
        url = self._settings.database_url.get_secret_value()
        self._engine = Engine(url, self._settings.instance, clock=clock)
        self._lines: dict[str, tuple[Line, Line, Line]] = {}
        """To each CRM one to tell it, one to ask it, and one to look it over."""
        self._meeting = threading.Lock()
        self._scored: int | None = None
        """Under which publication everybody was last looked for who has no score."""
        app.extensions["regportal.wake"] = self.wake

    def start(self) -> None:
        """Begin: every task looks first for what was left waiting."""
        self._engine.add("settle", self._before(self._settle, "weigh"))
        self._engine.add("understand", self._before(self._understand, "weigh"))
        self._engine.add("unpack", self._unpack, pause=GATHER)
        self._engine.add("weigh", self._before(self._weigh, "alert"))
        self._engine.add("alert", self._before(self._alert))
        self._engine.add(f"deliver:{MAIL}", self._post)
        self._engine.add("try", self._try)
        self._engine.add("publish", self._before(self._publish, "weigh"))
        self._engine.add("list", self._list)
        self._engine.every(TEN_MINUTES, "expire", self._before(self._expire, "weigh"))
        self._engine.every(NIGHTLY, "ledger-head", self._sign)
        self._engine.every(NIGHTLY, "retention", self._tidy)
        self._engine.every(NIGHTLY, "count", self._count)
        self._engine.every(HOURLY, "cap", self._cap)
        self._engine.every(HOURLY, "guard", self._guard)
        if self._settings.sqlite:
            self._engine.add("ballast", self._keep_ballast)
            self._take_back()
        self._store.write(partial(find_lost, now=self._clock()))
        self._engine.start()

    def stop(self) -> None:
        """
        End within ten seconds; what is not done by then is done after the next start.

        A CRM that is slow to answer is hung up on: what it took it may be told again.
        """
        self._engine.stop(hurry=self._hang_up)
        self._hang_up()

    def _hang_up(self) -> None:
        """Let go of every CRM, in the middle of a sentence if need be."""
        for line in [line for each in list(self._lines.values()) for line in each]:
            line.close()

    def is_running(self) -> bool:
        """Return whether it began, and was not told to stop."""
        return self._engine.is_running()

    def wake(self, name: str) -> None:
        """Let a task run at once."""
        self._engine.wake(name)

    def _before(self, task: Task, *readers: str) -> Task:
        """Return the task, followed by those who read what it wrote and those who send it."""

        def run(now: datetime) -> datetime | None:
            again = task(now)
            self._meet_connectors()
            for name in (*readers, "deliver"):
                self._engine.wake(name)
            return again

        return run

    def _settle(self, now: datetime) -> datetime | None:
        """Work out what decided claims mean."""
        return settle(self._store, self._shelf, pepper=self._settings.pepper_text, now=now)

    def _expire(self, now: datetime) -> None:
        """Let end what was open, or allowed, for a time that is over."""
        expire(self._store, self._shelf, now=now)

    def _sign(self, now: datetime) -> None:
        """Sign how the consent ledger ends, into a file: from now on nobody cuts it unseen."""
        with self._store.read() as session:
            keep_head(session, self._settings.instance, self._settings.keys, now=now)

    def _tidy(self, now: datetime) -> datetime | None:
        """Delete what is older than we said."""
        tidy(self._store, self._shelf, pepper=self._settings.pepper_text, now=now)
        self._store.write(partial(trials.tidy, now=now))
        self._store.write(partial(dividing.keep_ahead, now=now))
        for name in ("weigh", "deliver", "list"):
            self._engine.wake(name)
        return None

    def _count(self, now: datetime) -> None:
        """Count for planners by value what became of questions."""
        count_anew(self._store, now=now)

    def _guard(self, now: datetime) -> None:
        """Stop what experiments show and lose too many people by."""
        stop_losing(self._store, self._shelf, now=now)

    def _cap(self, _now: datetime) -> None:
        """Delete what is more than we keep of what nobody is known for."""
        cap(self._store, self._settings.most_anonymous)

    def _keep_ballast(self, _now: datetime) -> None:
        """Keep room for what must go through on a full disk; looked at again every few seconds."""
        self._store.keep_ballast()

    def _understand(self, now: datetime) -> datetime | None:
        """Work out what the CRMs told us."""
        pepper = self._settings.pepper_text
        erase = partial(erase_as_told, pepper=pepper, now=now)
        return understand(self._store, self._shelf, pepper=pepper, erase=erase, now=now)

    def _unpack(self, now: datetime) -> datetime | None:
        """Work out what browsers and servers told."""
        on_heard = partial(self._engine.wake, "weigh")
        return unpack(self._store, self._shelf, now=now, on_heard=on_heard)

    def _weigh(self, now: datetime) -> datetime | None:
        """Work out what the log means for opportunities, and then what time alone does."""
        held = weigh(self._store, self._shelf, now=now)
        if held:
            return held
        with self._store.read() as session:
            published = self._shelf.published(session).number
        if published != self._scored:
            score_everybody(self._store, self._shelf, now=now)
            self._scored = published
        return pass_time(self._store, self._shelf, now=now)

    def _try(self, _now: datetime) -> None:
        """Run the back-tests that programs asked for, each in a process beside us."""
        url = self._settings.database_url.get_secret_value()
        try_what_waits(self._store, url, self._engine.is_running)

    def _list(self, _now: datetime) -> None:
        """Let lists find everybody whom they do not know yet."""
        list_missing(self._store)

    def _publish(self, now: datetime) -> datetime | None:
        """Publish the drafts whose time has come."""
        return publish_due(self._store, self._storage, now=now)

    def _alert(self, now: datetime) -> datetime | None:
        """Find out who is to be told of moves, and when."""
        pepper = self._settings.pepper_text
        return tell_readers(self._store, self._shelf, pepper=pepper, now=now)

    def _post(self, now: datetime) -> datetime | None:
        """Send the letters that are due."""
        del now  # a letter takes its time: each is judged by the clock
        post = Post(self._settings, self._store, self._shelf, self._app.jinja_env, LETTERS)
        return self._drain(MAIL, post.deliver, 1, SMTP_LEASE)

    def _deliver(self, key: str, line: Line, now: datetime) -> datetime | None:
        """Send what a CRM is owed; nothing to one that was archived."""
        connector = line.current()
        if connector is None:
            return None
        next_day = tell_days(self._store, line.document, now=now)
        size = connector.capabilities.batch
        again = self._drain(key, connector.deliver, size, LEASE, line.budget, line.is_current)
        return min((at for at in (next_day, again) if at is not None), default=None)

    def _ask(self, key: str, line: Line, now: datetime) -> datetime | None:
        """Ask a CRM what happened there, where it can be asked."""
        del now  # asking takes its time: each answer is kept by the clock
        connector = line.current()
        if connector is None or not connector.capabilities.polled:
            return None
        store, clock, rest = self._store, self._clock, self._engine.rest
        on_heard = partial(self._engine.wake, "understand")
        return poll(store, key, connector, line.budget, clock=clock, on_heard=on_heard, rest=rest)

    def _look_over(self, line: Line, now: datetime) -> datetime | None:
        """Look whether a CRM still has what we write, and the records we know."""
        connector = line.current()
        if connector is None:
            return None
        with self._store.read() as session:
            vocabulary = vocabulary_of(self._shelf.published(session))
        on_found = partial(self._engine.wake, "understand")
        times = (
            look_over(self._store, connector, vocabulary, line.budget, now=now),
            find_gone(self._store, connector, line.budget, now=now, on_found=on_found),
        )
        return min((at for at in times if at is not None), default=None)

    def _drain(
        self,
        key: str,
        deliver: Deliver,
        size: int,
        lease: timedelta,
        budget: Budget | None = None,
        is_current: Callable[[], bool] = lambda: True,
    ) -> datetime | None:
        """Send what one is owed, so many at a time, as long as we may and it is what it was."""
        return drain(
            self._store,
            key,
            deliver,
            clock=self._clock,
            size=size,
            lease=lease,
            budget=budget,
            going=lambda: self._engine.is_running() and is_current(),
        )

    def _meet_connectors(self) -> None:
        """Begin the tasks of every newly published connector; several of ours may notice one."""
        here = self._settings, self._store, self._shelf
        for key in [document.key for document in self._connectors()]:
            with self._meeting:
                if key in self._lines:
                    continue
                sender, asker, looker = Line(key, *here), Line(key, *here), Line(key, *here)
                self._lines[key] = (sender, asker, looker)
            self._engine.add(f"deliver:{key}", partial(self._deliver, key, sender))
            self._engine.add(f"poll:{key}", partial(self._ask, key, asker))
            self._engine.add(f"look:{key}", partial(self._look_over, looker))

    def _take_back(self) -> None:
        """Free what the process before us was delivering: on SQLite there is only one."""
        now = self._clock()
        for key in (MAIL, *(document.key for document in self._connectors())):
            self._store.write(partial(take_back, connector=key, now=now))

    def _connectors(self) -> tuple[ConnectorDocument, ...]:
        """Return the connectors that are published now."""
        with self._store.read() as session:
            return self._shelf.published(session).all(ConnectorDocument)
