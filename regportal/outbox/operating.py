"""What an operator does with the outbox: look at messages, replay them, pause a connector."""

import logging
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.outbox.breaker import Breaker
from regportal.outbox.budget import begin_anew
from regportal.outbox.models import Message, MessageState, Pause
from regportal.outbox.pausing import end, set_pause
from regportal.outbox.rules import is_paused
from regportal.store.sessions import Store

log = logging.getLogger(__name__)


PAGE = 500
"""Messages that are replayed in one transaction, so that no other writer waits for long."""
SAME_STATE = (Message.connector, Message.subject, Message.merges)
SAME_SUBJECT = (Message.connector, Message.subject)


def replay_parked(
    store: Store,
    *,
    connector: str | None = None,
    most: int | None = None,
    beside: Callable[[Session, int], None] = lambda _session, _number: None,
    now: datetime,
) -> int:
    """
    Let parked messages be delivered again, as :func:`replay` does; return how many.

    They are the oldest ``most`` (None: all), some hundred a transaction; ``beside`` is called in
    each with how many it lets go.
    """
    chosen = sa.select(Message.id).where(Message.state == MessageState.PARKED).order_by(Message.id)
    if connector is not None:
        chosen = chosen.where(Message.connector == connector)
    with store.read() as session:
        ids = session.scalars(chosen.limit(most)).all()

    def some(session: Session, page: Sequence[uuid.UUID]) -> int:
        still = chosen.where(Message.id.in_(page))
        number = replay(session, session.scalars(still).all(), now=now)
        beside(session, number)
        return number

    return sum(
        store.write(partial(some, page=ids[at : at + PAGE])) for at in range(0, len(ids), PAGE)
    )


def replay(session: Session, ids: Collection[uuid.UUID], *, now: datetime) -> int:
    """
    Let messages be delivered again and return how many.

    A fact is told as it was, with its own time; a state as it is now. Where a newer message of
    the state waits, that one tells it, and the older one is left out. A message that still waits
    is only brought forward. Each keeps its id, so a receiver takes it once.
    """
    messages = session.scalars(
        sa.select(Message)
        .where(Message.id.in_(ids), Message.state != MessageState.SUPERSEDED)
        .order_by(Message.connector, Message.subject, Message.sequence)
        .with_for_update()
    ).all()
    newest, busy = _newest_of(session, messages), _busy_until(session, messages)
    again = [
        message
        for message in messages
        if not _is_under_way(message, now) and not _is_left_out(message, newest)
    ]
    for message in again:
        if message.state is not MessageState.DUE or message.lease is not None:
            message.lease, message.leased_until = uuid.uuid4(), now  # told before: takes nothing in
        message.state = MessageState.DUE
        message.attempts = 0
        message.trouble = message.outcome = None
        message.due = max(busy.get((message.connector, message.subject)) or now, now)
    session.flush()
    return len(again)


def pause(session: Session, connector: str, because: str, *, until: datetime | None = None) -> None:
    """Pause a connector until a time, or (None) until a person resumes it."""
    set_pause(session, connector, because, until, by_hand=True)
    log.info("%s is paused: %s", connector, because)


def resume(session: Session, connector: str, *, now: datetime) -> bool:
    """End a connector's pause, count its new records from zero; return whether it was paused."""
    begin_anew(session, connector)
    lifted = session.execute(
        sa.delete(Pause)
        .where(Pause.connector == connector)
        .returning(Pause.until, Pause.failures, Pause.since)
    ).first()
    if lifted is None:
        return False
    breaker = Breaker(lifted.failures, lifted.since)
    end(session, connector, breaker, now=now)
    return breaker.is_tripped or is_paused(lifted.until, now)


def pauses(session: Session, *, now: datetime) -> Sequence[Pause]:
    """Return the pauses that hold now, each with its reason."""
    every = session.scalars(sa.select(Pause).order_by(Pause.connector))
    return [one for one in every if holds(one, now=now)]


def holds(pause: Pause, *, now: datetime) -> bool:
    """Return whether a pause lets no message through now, or but one: the breaker's probe."""
    return Breaker(pause.failures, pause.since).is_tripped or is_paused(pause.until, now)


def why(pause: Pause) -> str:
    """Return why a connector is paused, in one sentence."""
    if not pause.failures:
        return pause.because
    return f"{pause.failures} calls in a row came to nothing, the last: {pause.because}"


def listing(
    session: Session,
    *,
    connector: str | None = None,
    state: MessageState | None = None,
    limit: int | None = None,
) -> Sequence[Message]:
    """Return messages: those that are parked, then those that wait, then the rest; newest first."""
    urgency = sa.case(
        {MessageState.PARKED.value: 0, MessageState.DUE.value: 1},
        value=sa.cast(Message.state, sa.Text()),
        else_=2,
    )
    chosen = sa.select(Message).order_by(urgency, Message.id.desc()).limit(limit)
    if connector is not None:
        chosen = chosen.where(Message.connector == connector)
    if state is not None:
        chosen = chosen.where(Message.state == state)
    return session.scalars(chosen).all()


def waiting(session: Session) -> dict[str, dict[MessageState, int]]:
    """Return how many messages each connector has in each state."""
    counts: dict[str, dict[MessageState, int]] = {}
    for connector, state, number in session.execute(
        sa.select(Message.connector, Message.state, sa.func.count())
        .group_by(Message.connector, Message.state)
        .order_by(Message.connector, Message.state)
    ):
        counts.setdefault(connector, {})[state] = number
    return counts


def _is_left_out(message: Message, newest_of: Mapping[tuple[str, ...], Message]) -> bool:
    """
    Let a message tell its state as it is now; return whether a newer message will do so instead.

    One that waits may have been told already, so it stays as it is. So does a parked one that
    creates its contact: the newer ones wait for it.
    """
    if message.state is MessageState.DUE:
        return False
    newest = newest_of.get((message.connector, message.subject, message.merges or ""), message)
    if newest.state is not MessageState.DUE:
        message.payload, message.occurred_at = newest.payload, newest.occurred_at
        return False
    is_parked = message.state is MessageState.PARKED
    if is_parked and not message.creates:
        message.state = MessageState.SUPERSEDED
    return not (is_parked and message.creates)


def _newest_of(session: Session, messages: Sequence[Message]) -> dict[tuple[str, ...], Message]:
    """Return the newest message of each state that these tell; none for those that tell a fact."""
    told = {(one.connector, one.subject, one.merges) for one in messages if one.merges is not None}
    last = (
        sa.select(sa.func.max(Message.sequence).label("sequence"), *SAME_STATE)
        .where(sa.tuple_(*SAME_STATE).in_(told))
        .group_by(*SAME_STATE)
        .subquery()
    )
    newest = sa.select(Message).join(
        last, sa.and_(*(column == last.c[column.key] for column in (*SAME_STATE, Message.sequence)))
    )
    found = session.scalars(newest) if told else ()
    return {(one.connector, one.subject, one.merges or ""): one for one in found}


def _busy_until(
    session: Session, messages: Sequence[Message]
) -> dict[tuple[str, str], datetime | None]:
    """Return until when the subjects of messages are leased: one message of each goes at a time."""
    told = {(one.connector, one.subject) for one in messages}
    busy = (
        sa.select(*SAME_SUBJECT, sa.func.max(Message.leased_until))
        .where(sa.tuple_(*SAME_SUBJECT).in_(told), Message.state == MessageState.DUE)
        .group_by(*SAME_SUBJECT)
    )
    return {(connector, subject): until for connector, subject, until in session.execute(busy)}


def _is_under_way(message: Message, now: datetime) -> bool:
    """Return whether a worker is just delivering it."""
    return message.leased_until is not None and message.leased_until > now
