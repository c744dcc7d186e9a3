"""`regportal bench drain`: what is owed, told to a CRM that takes its time."""

import math
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.cli.bench.databases import scratch
from regportal.cli.bench.measure import Figures, Goal, Measured, ratio, rounds
from regportal.cli.bench.phases import timed
from regportal.cli.bench.report import Report
from regportal.cli.bench.visits import WrongAnswerError
from regportal.cli.serve import settle_down
from regportal.connectors.base import Change, Outcome, Result
from regportal.outbox.actions import News, put_all
from regportal.outbox.drain import drain
from regportal.outbox.models import Message, MessageState
from regportal.store.migrate import upgrade
from regportal.store.sessions import Store, make_engine

CRM = "crm"
LATENCY = 0.05
"""Seconds after which the CRM answers a call, however much it was told."""
SIZE = 200
"""Changes that it takes in one call."""
SINGLE = 100
"""Messages that are told one by one, to know how long that takes."""
AGAIN = 5
"""So many times each subject has news: of a state the newest is told, of facts each."""
LONGEST = 30
"""Microseconds of CPU that a message may cost."""


@dataclass(slots=True)
class Crm:
    """A CRM far away: it answers after its time, now and then that it was too much."""

    refuses: int = 0
    """Every how many calls it answers so; 0: never."""
    told: int = 0
    calls: int = 0

    def __call__(self, changes: Sequence[Change], *, now: datetime) -> Sequence[Result]:
        """Take everything, or nothing."""
        time.sleep(LATENCY)
        self.calls += 1
        if self.refuses and self.calls % self.refuses == 0:
            after = now + timedelta(seconds=LATENCY)
            return [Result(one.id, Outcome.THROTTLED, retry_at=after) for one in changes]
        self.told += len(changes)
        return [Result(change.id, Outcome.DONE) for change in changes]


def bench_drain(
    folder: Path,
    count: int,
    messages: int,
    server: str | None,
    *,
    even_if_busy: bool,
    progress: Callable[[str], None],
) -> Report:
    """Measure how fast a CRM that takes its time is told what it is owed."""
    with scratch(server, folder, "drain") as url:
        upgrade(url)
        store = Store(make_engine(url))
        settle_down()  # as the worker does

        def one() -> Measured:
            return {
                "in batches": _drained(store, messages, Crm(), owe=_facts),
                "states, merged": _drained(store, messages, Crm(), owe=_states),
                "now and then too much": _drained(store, messages, Crm(refuses=20), owe=_facts),
                "one by one": _drained(store, SINGLE, Crm(), owe=_facts, size=1),
                "ideal": _ideal(messages),
            }

        measured = rounds(count, one, even_if_busy=even_if_busy, progress=progress)
        store.close()
    spent = tuple(one["in batches"].cpu_ms * 1000 for one in measured)
    return Report(
        "drain",
        measured,
        [
            ratio("in batches / ideal", measured, "in batches", "ideal", 0.9),
            ratio("states, merged / ideal", measured, "states, merged", "ideal", 0.9),
            ratio("in batches / one by one", measured, "in batches", "one by one", 100),
            Goal("microseconds of CPU a message", at_least=False, wanted=LONGEST, each=spent),
        ],
        [
            f"{messages:,} messages, a CRM that answers after {LATENCY * 1000:.0f} ms and takes",
            f"{SIZE} at once; ideal: nothing but its answers, one after the other",
            f"states: {AGAIN} pieces of news of each subject, told as one",
        ],
    )


def _ideal(messages: int) -> Figures:
    """Return how fast it would be if all it took were the CRM's answers, one after the other."""
    took = math.ceil(messages / SIZE) * LATENCY
    each = 1000 * took / messages
    return Figures(messages / took, each, each, 0, 0)


def _drained(
    store: Store,
    messages: int,
    crm: Crm,
    *,
    owe: Callable[[Session, Sequence[str]], object],
    size: int = SIZE,
) -> Figures:
    """Owe so many messages and measure how they are told."""
    subjects = [f"contact:{uuid.uuid4()}" for _ in range(messages)]
    for some in _some(subjects):
        _owed(store, owe, some)
    found = timed(messages, lambda: _all(store, crm, size))
    if crm.told != messages or _left(store):
        raise WrongAnswerError(f"{crm.told} messages were told instead of {messages}")
    return found


def _owed(
    store: Store, owe: Callable[[Session, Sequence[str]], object], subjects: Sequence[str]
) -> None:
    """Owe what is to be told of these subjects."""
    store.write(lambda session: owe(session, subjects))


def _all(store: Store, crm: Crm, size: int) -> None:
    """Deliver until nothing is left."""
    while (again := drain(store, CRM, crm, clock=_now, size=size)) is not None:
        time.sleep(max(0.0, (again - _now()).total_seconds()))


def _facts(session: Session, subjects: Sequence[str]) -> None:
    """Owe one fact of each subject."""
    now = _now()
    put_all(session, [(CRM, _news("interaction.recorded", one, now)) for one in subjects], now=now)


def _states(session: Session, subjects: Sequence[str]) -> None:
    """Owe news of a state of each subject, again and again."""
    for _ in range(AGAIN):
        now = _now()
        news = [(CRM, _news("contact.updated", one, now, merges="contact")) for one in subjects]
        put_all(session, news, now=now)


def _news(topic: str, subject: str, now: datetime, merges: str | None = None) -> News:
    """Return something to tell."""
    payload = {"id": str(uuid.uuid4()), "contact": {"key": subject[8:], "email": "a@b.example"}}
    return News(topic, subject, payload, now, merges)


def _some(subjects: Sequence[str], most: int = 5_000) -> list[Sequence[str]]:
    """Return subjects in parts."""
    return [subjects[start : start + most] for start in range(0, len(subjects), most)]


def _left(store: Store) -> int:
    """Return how many messages still wait."""
    with store.read() as session:
        due = sa.select(sa.func.count()).where(Message.state == MessageState.DUE)
        return session.scalar(due) or 0


def _now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)
