"""What a person does about what we owe: look at it, let it be told again, pause a connector."""

import logging
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.outbox.breaker import Breaker
from regportal.outbox.budget import begin_anew
from regportal.outbox.models import Message, MessageState, Pause
from regportal.outbox.pausing import end, set_pause
from regportal.outbox.rules import is_paused

log = logging.getLogger(__name__)


def replay(
    session: Session,
    ids: Collection[uuid.UUID] | None = None,
    *,
    connector: str | None = None,
    now: datetime,
) -> int:
    """
    Let messages be delivered again and return how many; without ``ids`` every parked one.

    A fact is told as it was, with its own time; a state as it is now. Where a newer message of
    the state waits, that one tells it, and the older one is left out. A message that still waits
    is only told at once. Each keeps its id, so nothing has a second effect.
    """
    chosen = sa.select(Message).order_by(Message.connector, Message.subject, Message.sequence)
    if ids is None:
        chosen = chosen.where(Message.state == MessageState.PARKED)
    else:
        chosen = chosen.where(Message.id.in_(ids), Message.state != MessageState.SUPERSEDED)
    if connector is not None:
        chosen = chosen.where(Message.connector == connector)
    messages = session.scalars(chosen.with_for_update()).all()
    again = [
        message
        for message in messages
        if not _is_under_way(message, now) and not _is_left_out(session, message)
    ]
    for message in again:
        message.state = MessageState.DUE
        message.attempts = 0
        message.trouble = None
        message.lease, message.leased_until = uuid.uuid4(), now  # told before: nothing merges in
        message.due = _free_from(session, message, now)
    session.flush()
    return len(again)


def pause(session: Session, connector: str, because: str, *, until: datetime | None = None) -> None:
    """Do not speak to a connector for a while, or until somebody resumes it."""
    set_pause(session, connector, because, until, by_hand=True)
    log.info("%s is paused: %s", connector, because)


def resume(session: Session, connector: str, *, now: datetime) -> bool:
    """Speak to a connector again, and judge anew whom it meets; return whether it was paused."""
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
    """Return the connectors that are not spoken to, or with one message at most, and why."""
    return [
        one
        for one in session.scalars(sa.select(Pause).order_by(Pause.connector))
        if Breaker(one.failures, one.since).is_tripped or is_paused(one.until, now)
    ]


def why(pause: Pause) -> str:
    """Return why a connector is not spoken to, in one sentence."""
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
    """Return messages: first what a person must look at, then what waits, then the newest."""
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


def _is_left_out(session: Session, message: Message) -> bool:
    """
    Let a message tell its state as it is now; return true where a newer one is going to.

    What waits may have been told: it stays as it is. So does what is parked and creates a contact,
    where newer ones wait for it.
    """
    if message.state is MessageState.DUE:
        return False
    newest = _newest_like(session, message)
    if newest.state is not MessageState.DUE:
        message.payload, message.occurred_at = newest.payload, newest.occurred_at
        return False
    is_parked = message.state is MessageState.PARKED
    if is_parked and not message.creates:
        message.state = MessageState.SUPERSEDED
    return not (is_parked and message.creates)


def _newest_like(session: Session, message: Message) -> Message:
    """Return the newest message that tells the same state; a fact is its own."""
    if message.merges is None:
        return message
    return session.scalars(
        sa.select(Message)
        .where(
            Message.connector == message.connector,
            Message.subject == message.subject,
            Message.merges == message.merges,
        )
        .order_by(Message.sequence.desc())
        .limit(1)
    ).one()


def _is_under_way(message: Message, now: datetime) -> bool:
    """Return whether a worker is just delivering it."""
    return message.leased_until is not None and message.leased_until > now


def _free_from(session: Session, message: Message, now: datetime) -> datetime:
    """Return when nobody speaks about the subject any more: one message of it at a time."""
    busy = session.scalar(
        sa.select(sa.func.max(Message.leased_until)).where(
            Message.connector == message.connector,
            Message.subject == message.subject,
            Message.state == MessageState.DUE,
        )
    )
    return max(busy, now) if busy else now
