"""Delivering what is owed: lease, commit, deliver, commit."""

import logging
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.connectors.base import Change, Deliver, Link, Outcome, Result
from regportal.connectors.rules import TAKEN
from regportal.errors import UnreachableError
from regportal.outbox.links import keep_links, links_of
from regportal.outbox.models import Message, MessageState, Pause
from regportal.outbox.rules import LONGEST, AfterAttempt, after_attempt, is_paused, longer
from regportal.store.among import among
from regportal.store.base import UtcMoment
from regportal.store.sessions import Store

log = logging.getLogger(__name__)

BATCH = 8
LEASE = timedelta(minutes=1)  # longer than any delivery may take (connectors/egress.py: TOTAL)
LANES = (0, 1)

TOLD = (
    Message.id,
    Message.topic,
    Message.subject,
    Message.sequence,
    Message.occurred_at,
    Message.payload,
    Message.attempts,
)

# Written out, not bound: only so do both databases see that their partial indexes fit.
IS_DUE = Message.state == sa.literal_column("'due'")
Ahead = aliased(Message)
IS_HEAD = ~(
    sa.select(sa.literal(1))
    .where(
        Ahead.connector == Message.connector,
        Ahead.subject == Message.subject,
        Ahead.sequence < Message.sequence,
        Ahead.state.in_([sa.literal_column("'due'"), sa.literal_column("'parked'")]),
        sa.or_(Ahead.state == sa.literal_column("'due'"), Ahead.creates),
    )
    .exists()
)
"""Nothing of its subject is to be delivered before it, or is parked and creates the contact."""

# Made once: building a statement takes longer than running it.
HEADS = (
    sa.select(*TOLD)
    .where(
        Message.connector == sa.bindparam("connector"),
        Message.lane == sa.bindparam("lane"),
        IS_DUE,
        Message.due <= sa.bindparam("now"),
        IS_HEAD,
    )
    .order_by(Message.due)
    .limit(sa.bindparam("size", type_=sa.Integer()))
    .with_for_update(skip_locked=True)
)
LET = (
    sa.update(Message)
    .where(among(Message.id))
    .values(
        lease=sa.bindparam("token"),
        leased_until=sa.bindparam("until"),
        due=sa.bindparam("until"),
    )
    .execution_options(synchronize_session=False)
)
SENT = (
    sa.update(Message)
    .where(
        among(Message.id),
        Message.lease == sa.bindparam("token"),
        IS_DUE,
    )
    .values(
        state=MessageState.SENT,
        attempts=Message.attempts + 1,
        sent_at=sa.bindparam("now"),
        trouble=None,
        lease=None,
        leased_until=None,
    )
    .execution_options(synchronize_session=False)
)
PAUSED = sa.select(Pause.until).where(Pause.connector == sa.bindparam("connector"))
WAITS = (
    sa.select(Message.id)
    .where(Message.connector == sa.bindparam("connector"), Message.lane.in_(LANES), IS_DUE)
    .limit(1)
)
SET_PAUSE = sa.text(
    "INSERT INTO pause (connector, until, because) VALUES (:connector, :until, :because) "
    "ON CONFLICT (connector) DO UPDATE SET until = excluded.until, because = excluded.because"
).bindparams(sa.bindparam("until", type_=UtcMoment()))
"""Both databases read it; two workers that are thrown out at once do not collide."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of different subjects that one worker delivers now."""

    token: uuid.UUID
    changes: Sequence[Change] = ()
    again_at: datetime | None = None
    """Where there is nothing to deliver: when there will be."""


@dataclass(frozen=True, slots=True)
class Drain:
    """How one connector's messages are delivered."""

    connector: str
    size: int = BATCH
    lease: timedelta = LEASE
    chance: Callable[[], float] = field(default=random.random)

    def mend(self, session: Session, *, now: datetime) -> None:
        """Bring back what a clock that was wrong has put off too far."""
        session.execute(
            sa.update(Message)
            .where(*self._lane(*LANES), Message.due > now + max(LONGEST, self.lease))
            .values(due=now)
            .execution_options(synchronize_session=False)
        )

    def take(self, session: Session, *, now: datetime) -> Batch:
        """Lease the next messages, each the first of its subject, lane 0 before lane 1."""
        token = uuid.uuid4()
        pause = session.execute(PAUSED, {"connector": self.connector}).first()
        if pause is not None and is_paused(pause.until, now):
            return Batch(token, again_at=pause.until)
        leased: list[sa.Row[Any]] = []
        for lane in LANES:
            left = self.size - len(leased)
            chosen = {"connector": self.connector, "lane": lane, "now": now, "size": left}
            leased += session.execute(HEADS, chosen) if left else ()
        if not leased:
            return Batch(token, again_at=self._next_due(session))
        until = now + self.lease
        ids = [message.id for message in leased]
        session.connection().execute(LET, {"ids": ids, "token": token, "until": until})
        links = links_of(session, self.connector, {message.subject for message in leased})
        return Batch(token, [_change(one, links.get(one.subject)) for one in leased])

    def settle(
        self, session: Session, batch: Batch, results: Sequence[Result], *, now: datetime
    ) -> None:
        """Write down what became of a batch, where the lease still is ours."""
        taken = [result.id for result in results if result.outcome in TAKEN]
        if taken:
            session.connection().execute(SENT, {"ids": taken, "token": batch.token, "now": now})
        told = {change.id: change for change in batch.changes}
        before = {one.subject: one.link for one in batch.changes if one.link}
        learned = {told[one.id].subject: one.link for one in results if one.link}
        keep_links(session, self.connector, before, learned)
        attempts = {change.id: change.attempt - 1 for change in batch.changes}
        for result in results:
            if result.outcome not in TAKEN:
                self._refused(session, batch, result, attempts[result.id], now=now)

    def _refused(
        self, session: Session, batch: Batch, result: Result, attempts: int, *, now: datetime
    ) -> None:
        """Write down that a message was not taken, and pause the connector where that is why."""
        decided = after_attempt(
            result.outcome,
            attempts,
            says=result.says,
            retry_at=result.retry_at,
            chance=self.chance(),
            now=now,
        )
        self._write(
            session,
            batch,
            Message.id == result.id,
            state=MessageState(decided.state),
            attempts=decided.attempts,
            due=decided.due,
            trouble=decided.trouble,
        )
        if decided.pauses:
            self._pause(session, decided, now=now)

    def _write(
        self, session: Session, batch: Batch, whom: sa.ColumnElement[bool], **values: Any
    ) -> None:
        """Change messages that this batch still holds, and give them back."""
        session.execute(
            sa.update(Message)
            .where(whom, Message.lease == batch.token, IS_DUE)
            .values(lease=None, leased_until=None, **values)
            .execution_options(synchronize_session=False)
        )

    def _pause(self, session: Session, decided: AfterAttempt, *, now: datetime) -> None:
        """Let the connector wait; a longer pause that already holds stays."""
        until, because = decided.until, decided.trouble
        held = session.get(Pause, self.connector, populate_existing=True)
        holds = held is not None and is_paused(held.until, now)
        if held is not None and holds and longer(held.until, until) == held.until:
            return
        session.execute(
            SET_PAUSE, {"connector": self.connector, "until": until, "because": because}
        )
        log.warning("%s is paused until %s: %s", self.connector, until or "resumed", because)

    def _next_due(self, session: Session) -> datetime | None:
        """Return when the first message of any subject is due; None where nothing waits."""
        firsts = [
            session.scalar(
                sa.select(Message.due)
                .where(*self._lane(lane), IS_HEAD)
                .order_by(Message.due)
                .limit(1)
            )
            for lane in LANES
        ]
        return min((due for due in firsts if due is not None), default=None)

    def _lane(self, *lanes: int) -> tuple[sa.ColumnElement[bool], ...]:
        """Choose what this connector has to be told, in these lanes."""
        return (Message.connector == self.connector, Message.lane.in_(lanes), IS_DUE)


def drain(  # noqa: PLR0913 - what differs between connectors, between tests and between workers
    store: Store,
    connector: str,
    deliver: Deliver,
    *,
    clock: Callable[[], datetime],
    size: int = BATCH,
    lease: timedelta = LEASE,
    chance: Callable[[], float] = random.random,
    going: Callable[[], bool] = lambda: True,
) -> datetime | None:
    """
    Deliver what one connector is owed now; return when to come back, None if nothing waits.

    Any number of workers may do this at once: a message is delivered by one of them, and those
    of a subject one after the other. No transaction is open while ``deliver`` runs; it must
    answer within ``lease``, or somebody else takes its messages over. ``size`` is how many
    messages, each of another subject, it is given at a time. It stops early where ``going``
    says so; what is cut off then was nobody's fault and costs no attempt.
    """
    with store.read() as session:
        if session.execute(WAITS, {"connector": connector}).first() is None:
            return None
    work = Drain(connector, size, lease, chance)

    def begin(session: Session) -> Batch:
        now = clock()
        work.mend(session, now=now)
        return work.take(session, now=now)

    batch = store.write(begin)
    while batch.changes:
        results = _results(deliver, batch.changes, now=clock())

        def turn(
            session: Session, done: Batch = batch, results: Sequence[Result] = results
        ) -> Batch:
            now = clock()
            if not going():
                work.settle(session, done, _cut_off(results, now), now=now)
                return Batch(done.token, again_at=now)
            work.settle(session, done, results, now=now)
            return work.take(session, now=now)

        batch = store.write(turn)
    return batch.again_at


def take_back(session: Session, connector: str, *, now: datetime) -> None:
    """
    Let messages be delivered again at once that a worker held when it was killed.

    Only for a process that knows that no other one is delivering; elsewhere the end of their
    lease frees them.
    """
    session.execute(
        sa.update(Message)
        .where(Message.connector == connector, IS_DUE, Message.lease.is_not(None))
        .values(due=now, leased_until=now)
    )


def _change(message: sa.Row[Any], link: Link | None) -> Change:
    """Return what a connector is given of a message, with what is known of its subject there."""
    return Change(
        id=message.id,
        topic=message.topic,
        subject=message.subject,
        sequence=message.sequence,
        occurred_at=message.occurred_at,
        payload=message.payload,
        attempt=message.attempts + 1,
        link=link,
    )


def _cut_off(results: Sequence[Result], now: datetime) -> list[Result]:
    """Return what is known when we end: what could not be reached may be, after the next start."""
    return [
        Result(result.id, Outcome.LATER, retry_at=now)
        if result.outcome is Outcome.RETRY
        else result
        for result in results
    ]


def _results(deliver: Deliver, changes: Sequence[Change], *, now: datetime) -> list[Result]:
    """Return one result a change, whatever happens: what is not known is tried again."""
    after = None
    try:
        known = {result.id: result for result in deliver(changes, now=now)}
        says = "the connector did not say what became of it"
    except UnreachableError as error:
        known, says = {}, str(error)
        after = None if error.after is None else now + timedelta(seconds=error.after)
    except Exception as error:  # a fault of one connector must not stop the others
        log.exception("delivering failed")
        known, says = {}, f"the connector failed: {type(error).__name__}"
    lost = [change.id for change in changes if change.id not in known]
    again = {id: Result(id, Outcome.RETRY, says, retry_at=after) for id in lost}
    return [known.get(change.id) or again[change.id] for change in changes]
