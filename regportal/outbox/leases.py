"""Leasing messages to a worker for a while, and writing down what became of them."""

import logging
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.base import Change, Link, Outcome, Result
from regportal.connectors.meter import NONE, Reading
from regportal.connectors.rules import TAKEN
from regportal.outbox.breaker import answered
from regportal.outbox.budget import Budget
from regportal.outbox.links import keep_links, links_of
from regportal.outbox.models import Message, MessageState
from regportal.outbox.pausing import heard, held, hold, may_probe, silent, untried
from regportal.outbox.rules import (
    LONGEST,
    AfterAttempt,
    Met,
    Standing,
    after_attempt,
    is_paused,
)
from regportal.outbox.waiting import (
    FIRSTS,
    FIRSTS_BEGUN,
    HEADS,
    HEADS_BEGUN,
    IS_DUE,
    LET,
    MEND,
    PUT_BEHIND,
    PUT_OFF,
    RENEW,
    SENT,
)
from regportal.store.among import among

log = logging.getLogger(__name__)

BATCH = 8
LEASE = timedelta(seconds=90)
"""
How long a message stays with a worker that does not renew its lease.

However long a delivery takes (a batch may be many calls), its worker renews the lease each time a
third of it is over: only one that is killed, or cannot write for two thirds of it, loses it.
"""
RENEWALS = 3
SPARE = 4  # times as many as a worker takes are looked for

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
    is_probe: bool = False
    """Whether it is the circuit breaker's probe: one message, to a CRM that did not answer."""


@dataclass(frozen=True, slots=True)
class Coming:
    """What of a connector goes out next."""

    heads: Sequence[uuid.UUID] = ()
    """Messages that are due now; more than one batch, for other workers may lease some first."""
    again_at: datetime | None = None
    """When the first message may go out; None where nothing waits."""


NOTHING = Batch(uuid.UUID(int=0))


@dataclass(frozen=True, slots=True)
class Leases:
    """How a worker leases the messages of one connector, and gives them back."""

    connector: str
    size: int = BATCH
    lease: timedelta = LEASE
    budget: Budget | None = None
    chance: Callable[[], float] = field(default=random.random)

    def is_to_mend(self, session: Session, *, now: datetime) -> bool:
        """Return whether anything is due later than we ever put it off: a clock was wrong."""
        asked = {"connector": self.connector, "late": self._late(now)}
        return session.connection().execute(PUT_OFF, asked).first() is not None

    def mend(self, session: Session, *, now: datetime) -> None:
        """Let what a wrong clock has put off be due now."""
        asked = {"of": self.connector, "late": self._late(now), "now": now}
        session.connection().execute(MEND, asked)

    def look(self, session: Session, spent: Reading = NONE, *, now: datetime) -> Coming:
        """
        Return what goes out next: of each subject its first message, the most urgent lane first.

        Only lanes that the budget still affords; ``spent`` are calls it has not been told of yet.
        Where a first run is over, only messages about those it had begun to tell of. This may take
        long where much waits: call it in a transaction that does not write.
        """
        there = held(session, self.connector)
        rests_until = there.until if there and is_paused(there.until, now) else now
        if rests_until is None:
            return Coming()
        rests = rests_until > now
        stands = Standing() if rests else self._stands(session, spent, now=now)
        most = 1 if rests else SPARE * self.size
        asked = FIRSTS_BEGUN if stands.is_over else FIRSTS
        firsts = [
            first
            for lane in stands.lanes
            for first in session.connection().execute(
                asked, {"connector": self.connector, "lane": lane, "most": most}
            )
        ]
        due = [first.due for first in firsts] + ([stands.until] if stands.until else [])
        heads = [first.id for first in firsts if first.due <= now]
        return Coming(() if rests else heads, max(rests_until, min(due)) if due else None)

    def take(
        self, session: Session, coming: Coming, spent: Reading = NONE, *, now: datetime
    ) -> Batch:
        """Lease of the messages in ``coming`` those that still wait and may still go out."""
        token, until = uuid.uuid4(), now + self.lease
        nothing = Batch(token, again_at=now)
        there = held(session, self.connector)
        if there is not None and is_paused(there.until, now):
            return nothing
        if self.budget:
            self.budget.begin(session)
        stands = self._stands(session, spent, now=now)
        size = 1 if there is not None and there.breaker.failures else self.size
        chosen = {
            "connector": self.connector,
            "ids": coming.heads,
            "lane": max(stands.lanes),
            "now": now,
            "size": min(size, stands.left or size),
        }
        asked = HEADS_BEGUN if stands.is_over else HEADS
        leased = session.connection().execute(asked, chosen).all()
        if not leased:
            return nothing
        is_probe = there is not None and there.breaker.is_tripped
        if there and is_probe and not may_probe(session, self.connector, there, answers_by=until):
            return nothing
        ids = [message.id for message in leased]
        subjects = {message.subject for message in leased}
        lease = {"token": token, "until": until}
        session.connection().execute(LET, {"ids": ids, **lease})
        if stands.is_over:
            behind = {"of": self.connector, "subjects": [*subjects], **lease}
            session.connection().execute(PUT_BEHIND, behind)
        links = links_of(session, self.connector, subjects)
        changes = [change_of(one, links.get(one.subject)) for one in leased]
        return Batch(token, changes, is_probe=is_probe)

    def renew(self, session: Session, batch: Batch, *, now: datetime) -> None:
        """Renew the lease of a batch, of the messages that no other worker has taken over."""
        until = now + self.lease
        asked = {
            "of": self.connector,
            "subjects": [change.subject for change in batch.changes],
            "token": batch.token,
            "until": until,
            "now": now,
            "soon": now + self.lease / (2 * RENEWALS),  # what is new is due now
        }
        session.connection().execute(RENEW, asked)
        there = held(session, self.connector) if batch.is_probe else None
        if there is not None:
            may_probe(session, self.connector, there, answers_by=until)

    def settle(
        self, session: Session, batch: Batch, results: Sequence[Result], *, now: datetime
    ) -> None:
        """Write down what became of a batch, of the messages whose lease is still ours."""
        ours = set[uuid.UUID]()
        taken = [result.id for result in results if result.outcome in TAKEN]
        if taken:
            done = {"ids": taken, "token": batch.token, "now": now}
            ours |= set(session.connection().scalars(SENT, done))
        told = {change.id: change for change in batch.changes}
        chance = self.chance()  # one for all: what has failed as often is written down at once
        refused: defaultdict[tuple[Outcome, AfterAttempt], list[uuid.UUID]] = defaultdict(list)
        for result in results:
            if result.outcome not in TAKEN:
                attempts = told[result.id].attempt - 1
                decided = after_attempt(
                    result.outcome,
                    attempts,
                    says=result.says,
                    retry_at=result.retry_at,
                    chance=chance,
                    now=now,
                )
                refused[result.outcome, decided].append(result.id)
        for (outcome, decided), ids in refused.items():
            ours |= self._give_back(session, batch, ids, outcome, decided)
        before = {one.subject: one.link for one in batch.changes if one.link}
        learned = {told[one.id].subject: one.link for one in results if one.link and one.id in ours}
        keep_links(session, self.connector, before, learned, now=now)
        self._listen(session, results, is_probe=batch.is_probe, now=now)
        for decided in {one.until: one for _, one in refused if one.pauses}.values():
            hold(session, self.connector, decided.trouble or "", decided.until, now=now)

    def went_astray(
        self,
        session: Session,
        done: Sequence[tuple[Batch, Sequence[Result]]],
        spent: Reading,
        *,
        now: datetime,
    ) -> bool:
        """
        Count the calls of batches and the records made; pause where the CRM seems another one.

        Return whether it paused (``rules.py: astray``). Other workers of the connector wait until
        the end of the transaction.
        """
        if self.budget is None:
            return False
        told = {one.id: one for batch, _ in done for one in batch.changes}
        met = [(told[one.id], one) for _, results in done for one in results]
        because = self.budget.keep(session, spent, met_in(met), now=now)
        if because is not None:
            hold(session, self.connector, because, None, now=now)
        return because is not None

    def count(self, session: Session, results: Iterable[Result]) -> None:
        """
        Count what became of attempts; the last of a transaction, as other workers wait for it.

        All count in the same order, so that no two of them wait for each other.
        """
        outcomes = Counter(str(result.outcome) for result in results)
        if outcomes:
            rows = [
                {"connector": self.connector, "outcome": outcome, "number": number}
                for outcome, number in sorted(outcomes.items())
            ]
            session.execute(COUNT, rows)

    def _give_back(
        self,
        session: Session,
        batch: Batch,
        ids: Sequence[uuid.UUID],
        outcome: Outcome,
        decided: AfterAttempt,
    ) -> set[uuid.UUID]:
        """Let messages be tried again, or park them; return those whose lease was still ours."""
        values = {
            "state": MessageState(decided.state),
            "attempts": decided.attempts,
            "due": decided.due,
            "trouble": decided.trouble,
            "outcome": outcome,
        }
        given_back = (
            sa.update(Message)
            .where(among(Message.id), Message.lease == batch.token, IS_DUE)
            .values(leased_until=None, **values)
            .returning(Message.id)
        )
        return set(session.connection().scalars(given_back, {"ids": ids}))

    def _listen(
        self, session: Session, results: Sequence[Result], *, is_probe: bool, now: datetime
    ) -> None:
        """Tell the circuit breaker whether the CRM answered."""
        is_there = answered(result.outcome for result in results)
        if is_there:
            heard(session, self.connector, now=now)
        elif is_there is False:
            says = next(one.says for one in results if one.outcome == Outcome.RETRY)
            because = says or f"the connector answered {Outcome.RETRY}"
            chance = self.chance()
            silent(session, self.connector, because, is_probe=is_probe, chance=chance, now=now)
        elif is_probe:
            untried(session, self.connector, now=now)

    def _stands(self, session: Session, spent: Reading, *, now: datetime) -> Standing:
        """Return which lanes the budget affords; all, where there is none."""
        return self.budget.stands(session, spent, now=now) if self.budget else Standing()

    def _late(self, now: datetime) -> datetime:
        """Return the latest time to which we ever put a message off."""
        return now + max(LONGEST, self.lease)


def met_in(told: Iterable[tuple[Change, Result]]) -> Met:
    """Count the contacts a CRM was told of, and those it had to make a record for."""
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
    """Return a message as a connector is given it, with the record its subject is in that CRM."""
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
