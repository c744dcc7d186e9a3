"""Taking what is owed into one's hands, and writing down what became of it."""

import logging
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.connectors.base import Change, Link, Result
from regportal.connectors.meter import NONE, Reading
from regportal.connectors.rules import TAKEN
from regportal.outbox.budget import Budget
from regportal.outbox.links import keep_links, links_of
from regportal.outbox.models import Message, MessageState, Pause
from regportal.outbox.rules import (
    LANES,
    LONGEST,
    AfterAttempt,
    Met,
    Standing,
    after_attempt,
    is_paused,
    longer,
)
from regportal.store.among import among
from regportal.store.base import UtcMoment

log = logging.getLogger(__name__)

BATCH = 8
LEASE = timedelta(seconds=90)
"""Longer than two deliveries may take (connectors/egress.py: TOTAL): one waits for another."""
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
MEND = (
    sa.update(Message)
    .where(
        Message.connector == sa.bindparam("of"),
        Message.lane.in_(LANES),
        IS_DUE,
        Message.due > sa.bindparam("late"),
    )
    .values(due=sa.bindparam("now"))
)
NEXT = (
    sa.select(Message.due)
    .where(
        Message.connector == sa.bindparam("connector"),
        Message.lane == sa.bindparam("lane"),
        IS_DUE,
        IS_HEAD,
    )
    .order_by(Message.due)
    .limit(1)
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
    .returning(Message.id)
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
COUNT = sa.text(
    "INSERT INTO outcome_count (connector, outcome, number) VALUES (:connector, :outcome, :number) "
    "ON CONFLICT (connector, outcome) DO UPDATE SET number = outcome_count.number + excluded.number"
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of different subjects that one worker delivers now."""

    token: uuid.UUID
    changes: Sequence[Change] = ()
    again_at: datetime | None = None
    """Where there is nothing to deliver: when there will be."""


NOTHING = Batch(uuid.UUID(int=0))


@dataclass(frozen=True, slots=True)
class Leases:
    """The messages of one connector that a worker takes, and gives back."""

    connector: str
    size: int = BATCH
    lease: timedelta = LEASE
    budget: Budget | None = None
    chance: Callable[[], float] = field(default=random.random)

    def mend(self, session: Session, *, now: datetime) -> None:
        """Bring back what a clock that was wrong has put off too far."""
        late = now + max(LONGEST, self.lease)
        session.connection().execute(MEND, {"of": self.connector, "late": late, "now": now})

    def take(self, session: Session, spent: Reading = NONE, *, now: datetime) -> Batch:
        """
        Lease the next messages, each the first of its subject, one lane after the other.

        A lane goes out only as long as the budget lets it, of which ``spent`` is used besides.
        """
        token = uuid.uuid4()
        pause = session.execute(PAUSED, {"connector": self.connector}).first()
        if pause is not None and is_paused(pause.until, now):
            return Batch(token, again_at=pause.until)
        stands = self.budget.stands(session, spent, now=now) if self.budget else Standing()
        leased: list[sa.Row[Any]] = []
        most = min(self.size, stands.left or self.size)
        for lane in stands.lanes:
            left = most - len(leased)
            chosen = {"connector": self.connector, "lane": lane, "now": now, "size": left}
            leased += session.connection().execute(HEADS, chosen).all() if left else ()
        if not leased:
            return Batch(token, again_at=self._next_due(session, stands))
        until = now + self.lease
        ids = [message.id for message in leased]
        session.connection().execute(LET, {"ids": ids, "token": token, "until": until})
        links = links_of(session, self.connector, {message.subject for message in leased})
        return Batch(token, [change_of(one, links.get(one.subject)) for one in leased])

    def settle(
        self, session: Session, batch: Batch, results: Sequence[Result], *, now: datetime
    ) -> None:
        """Write down what became of a batch, where the lease still is ours."""
        ours = set[uuid.UUID]()
        taken = [result.id for result in results if result.outcome in TAKEN]
        if taken:
            done = {"ids": taken, "token": batch.token, "now": now}
            ours |= set(session.connection().scalars(SENT, done))
        told = {change.id: change for change in batch.changes}
        refused: defaultdict[AfterAttempt, list[uuid.UUID]] = defaultdict(list)
        for result in results:
            if result.outcome not in TAKEN:
                attempts = told[result.id].attempt - 1
                refused[self._decided(result, attempts, now=now)].append(result.id)
        for decided, ids in refused.items():
            ours |= self._give_back(session, batch, ids, decided)
        before = {one.subject: one.link for one in batch.changes if one.link}
        learned = {told[one.id].subject: one.link for one in results if one.link and one.id in ours}
        keep_links(session, self.connector, before, learned)
        for decided in {one.until: one for one in refused if one.pauses}.values():
            self._hold(session, decided.trouble, decided.until, now=now)

    def went_astray(
        self,
        session: Session,
        done: Sequence[tuple[Batch, Sequence[Result]]],
        spent: Reading,
        *,
        now: datetime,
    ) -> bool:
        """
        Keep what batches cost and whom they met; stop where the CRM seems to be another one.

        Return whether it stopped. Until the end of the transaction other workers wait.
        """
        if self.budget is None:
            return False
        told = {one.id: one for batch, _ in done for one in batch.changes}
        met = [(told[one.id], one) for _, results in done for one in results]
        because = self.budget.keep(session, spent, met_in(met), now=now)
        if because is not None:
            self._hold(session, because, None, now=now)
        return because is not None

    def count(self, session: Session, results: Iterable[Result]) -> None:
        """
        Count what became of attempts, last of all: until the commit other workers wait for it.

        All count in one order, so that nobody waits for somebody who waits for him.
        """
        outcomes = Counter(str(result.outcome) for result in results)
        if outcomes:
            rows = [
                {"connector": self.connector, "outcome": outcome, "number": number}
                for outcome, number in sorted(outcomes.items())
            ]
            session.execute(COUNT, rows)

    def _decided(self, result: Result, attempts: int, *, now: datetime) -> AfterAttempt:
        """Return where a message stands that was not taken."""
        return after_attempt(
            result.outcome,
            attempts,
            says=result.says,
            retry_at=result.retry_at,
            chance=self.chance(),
            now=now,
        )

    def _give_back(
        self, session: Session, batch: Batch, ids: Sequence[uuid.UUID], decided: AfterAttempt
    ) -> set[uuid.UUID]:
        """Write down that messages were not taken; return those that this batch still held."""
        values = {
            "state": MessageState(decided.state),
            "attempts": decided.attempts,
            "due": decided.due,
            "trouble": decided.trouble,
        }
        given_back = (
            sa.update(Message)
            .where(among(Message.id), Message.lease == batch.token, IS_DUE)
            .values(leased_until=None, **values)
            .returning(Message.id)
        )
        return set(session.connection().scalars(given_back, {"ids": ids}))

    def _hold(
        self, session: Session, because: str | None, until: datetime | None, *, now: datetime
    ) -> None:
        """Let the connector wait; a longer pause that already holds stays."""
        held = session.get(Pause, self.connector, populate_existing=True)
        holds = held is not None and is_paused(held.until, now)
        if held is not None and holds and longer(held.until, until) == held.until:
            return
        session.execute(
            SET_PAUSE, {"connector": self.connector, "until": until, "because": because}
        )
        log.warning("%s is paused until %s: %s", self.connector, until or "resumed", because)

    def _next_due(self, session: Session, stands: Standing) -> datetime | None:
        """Return when the first message of any subject may go out; None where nothing waits."""
        asked = [{"connector": self.connector, "lane": lane} for lane in stands.lanes]
        firsts = [session.connection().scalar(NEXT, one) for one in asked]
        return min((due for due in [*firsts, stands.until] if due is not None), default=None)


def met_in(told: Iterable[tuple[Change, Result]]) -> Met:
    """Return what a CRM had of the contacts it was told of."""
    met = [
        (change, result)
        for change, result in told
        if change.subject.startswith("contact:") and (result.created or result.outcome in TAKEN)
    ]
    known = [result for change, result in met if change.link and change.link.ref]
    return Met(
        told=sum(
            change.topic.startswith("contact.") or bool(result.created) for change, result in met
        ),
        made=sum(bool(result.created) for _, result in met),
        known=len(known),
        lost=sum(bool(result.created) for result in known),
    )


def change_of(message: Message | sa.Row[Any], link: Link | None) -> Change:
    """Return what a connector is given of a message, with what is known of its subject there."""
    return Change(
        message.id,
        message.topic,
        message.subject,
        message.sequence,
        message.occurred_at,
        message.payload,
        message.attempts + 1,
        link,
    )
