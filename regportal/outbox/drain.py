"""Delivering what is owed: lease, commit, deliver, commit."""

import logging
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.base import Change, Deliver, Outcome, Result
from regportal.connectors.meter import NONE, Reading
from regportal.errors import UnreachableError
from regportal.outbox.breaker import answered
from regportal.outbox.budget import Budget
from regportal.outbox.leases import BATCH, LEASE, NOTHING, RENEWALS, Batch, Coming, Leases
from regportal.outbox.models import Message
from regportal.outbox.rules import PAUSING
from regportal.outbox.waiting import IS_DUE, WAITS
from regportal.store.sessions import Store

log = logging.getLogger(__name__)

Done = tuple[Batch, Sequence[Result]]
"""A batch that was delivered, and what became of it."""


def drain(  # noqa: PLR0913 - what differs between connectors, between tests and between workers
    store: Store,
    connector: str,
    deliver: Deliver,
    *,
    clock: Callable[[], datetime],
    size: int = BATCH,
    lease: timedelta = LEASE,
    budget: Budget | None = None,
    chance: Callable[[], float] = random.random,
    going: Callable[[], bool] = lambda: True,
) -> datetime | None:
    """
    Deliver what one connector is owed now; return when to come back, None if nothing waits.

    Any number of workers may do this at once: a message is delivered by one of them, and those
    of a subject one after the other. ``deliver`` runs on a thread of its own, with no transaction
    open; while it delivers one batch (``size`` messages, each of another subject), the next one is
    leased. However long it takes, its messages stay ours: the ``lease`` is renewed. The calls it
    makes are counted in ``budget``, which may hold messages back. Once ``going`` returns False it
    stops after the batch that is being delivered; what is cut off then costs no attempt.
    """
    leases = Leases(connector, size, lease, budget, chance)
    with store.read() as session:
        if session.execute(WAITS, {"connector": connector}).first() is None:
            return None
        is_to_mend = leases.is_to_mend(session, now=clock())
    if is_to_mend:
        store.write(lambda session: leases.mend(session, now=clock()))
    return _Drain(store, leases, deliver, clock, going).run()


@dataclass(frozen=True, slots=True)
class _Drain:
    """One worker that tells one connector what it is owed."""

    store: Store
    leases: Leases
    deliver: Deliver
    clock: Callable[[], datetime]
    going: Callable[[], bool]

    def run(self) -> datetime | None:
        """Tell batch after batch; return when to come back, None if nothing waits."""
        leases = self.leases
        with ThreadPoolExecutor(1, thread_name_prefix=f"tells-{leases.connector}") as hand:
            is_going, done = self.going(), list[Done]()
            batch = self._next(done, is_going=is_going)
            while batch.changes:
                answer = hand.submit(_results, self.deliver, batch.changes, now=self.clock())
                is_full = len(batch.changes) == leases.size > 1  # else there is hardly more
                is_wanted = done or is_full
                following = self._next(done, is_going=is_going) if is_wanted else NOTHING
                done = [(batch, self._heard(answer, batch, following))]
                is_going = self.going()  # now: what was cut off is known by it
                if following.changes and (_holds(done[0][1]) or not is_going):
                    done.append((following, _given_back(following, self.clock())))
                    following = NOTHING
                if following.changes:
                    batch = following
                else:
                    # first: others wait for these
                    self._turned(done, Coming(), self._spent(), is_going=is_going)
                    batch, done = self._next([], is_going=is_going), []
        return batch.again_at

    def _heard(self, answer: Future[list[Result]], *in_hand: Batch) -> list[Result]:
        """Wait for the results of a batch; renew the leases of those in hand meanwhile."""
        while wait([answer], self.leases.lease.total_seconds() / RENEWALS).not_done:
            try:
                self.store.write(partial(self._renew, in_hand=in_hand))
            except sa.exc.DBAPIError:  # what the CRM answers is not to be lost because of it
                log.warning("what %s is being told could not be held", self.leases.connector)
        return answer.result()

    def _renew(self, session: Session, in_hand: Sequence[Batch]) -> None:
        """Renew the leases of batches."""
        for batch in in_hand:
            self.leases.renew(session, batch, now=self.clock())

    def _next(self, done: Sequence[Done], *, is_going: bool) -> Batch:
        """
        Lease the next batch, and write down what became of those that are done.

        Where there is neither, nothing is written: so no other writer waits for us.
        """
        spent, coming = self._spent(), Coming(again_at=self.clock())
        if is_going:
            with self.store.read() as session:
                coming = self.leases.look(session, spent, now=self.clock())
        if coming.heads or done or spent != NONE:
            return self._turned(done, coming, spent, is_going=is_going)
        return replace(NOTHING, again_at=coming.again_at)

    def _spent(self) -> Reading:
        """Return the calls made since this was asked last: the caller must write them down."""
        return NONE if self.leases.budget is None else self.leases.budget.meter.read()

    def _turned(
        self, done: Sequence[Done], coming: Coming, spent: Reading, *, is_going: bool
    ) -> Batch:
        """
        Write down what became of batches and what they cost, and lease the next one.

        ``is_going``: whether this process went on when their results came; else some were cut off.
        """
        turn = partial(self._turn, done=done, coming=coming, spent=spent, is_going=is_going)
        return self.store.write(turn)

    def _turn(
        self,
        session: Session,
        done: Sequence[Done],
        coming: Coming,
        spent: Reading,
        *,
        is_going: bool,
    ) -> Batch:
        """Do what :meth:`_turned` says, in its transaction."""
        leases, now = self.leases, self.clock()
        counted = list[Result]()
        for batch, results in done:
            settled = results if is_going else _cut_off(results, now)
            leases.settle(session, batch, settled, now=now)
            counted += settled
        following = replace(NOTHING, again_at=coming.again_at)
        if coming.heads:
            following = leases.take(session, coming, spent, now=now)
        if leases.went_astray(session, done, spent, now=now):
            leases.settle(session, following, _given_back(following, now), now=now)
            following = NOTHING
        leases.count(session, counted)
        return following


def take_back(session: Session, connector: str, *, now: datetime) -> None:
    """
    Let messages be delivered again at once that a worker held when it was killed.

    Only for a process that knows that no other one is delivering; elsewhere the end of their
    lease frees them.
    """
    session.execute(
        sa.update(Message)
        .where(Message.connector == connector, IS_DUE, Message.leased_until.is_not(None))
        .values(due=now, leased_until=now)
    )


def _holds(results: Sequence[Result]) -> bool:
    """Return whether the batch leased meanwhile must not go out: no answer, or a pause is due."""
    outcomes = {result.outcome for result in results}
    return answered(outcomes) is False or not outcomes.isdisjoint(PAUSING)


def _given_back(batch: Batch, now: datetime) -> list[Result]:
    """Return results that put a batch back undelivered, at the cost of no attempt."""
    return [Result(change.id, Outcome.LATER, retry_at=now) for change in batch.changes]


def _cut_off(results: Sequence[Result], now: datetime) -> list[Result]:
    """Return the results of a process that ends: what failed is tried at once by the next one."""
    return [
        Result(result.id, Outcome.LATER, retry_at=now)
        if result.outcome is Outcome.RETRY
        else result
        for result in results
    ]


def _results(deliver: Deliver, changes: Sequence[Change], *, now: datetime) -> list[Result]:
    """Return one result for each change, whatever happens: one without a result is tried again."""
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
