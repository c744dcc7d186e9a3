"""The outbox as a list: what is parked, what waits, and the rest; of each the newest first."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.insight.filters import Filters, Word
from regportal.insight.paging import Page, Run, page_of
from regportal.outbox.masking import without_addresses
from regportal.outbox.models import Message, MessageState
from regportal.store.ids import moment_of

STATES = (
    (MessageState.PARKED,),
    (MessageState.DUE,),
    (MessageState.SENT, MessageState.SUPERSEDED),
)
"""What the list is made of, one after the other."""
NEWEST = 100
"""Of so many of the last that were taken the latest moment counts."""


class Messages(Filters):
    """Which messages are listed."""

    connector: Word | None = None
    state: MessageState | None = None
    topic: Word | None = None


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message in a list, without what it tells."""

    id: uuid.UUID
    connector: str
    topic: str
    subject: str
    sequence: int
    state: str
    outcome: str | None
    reason: str | None
    attempts: int
    owed_since: datetime
    due: datetime | None
    sent_at: datetime | None


def page(
    session: Session, filters: Messages, at: str | None = None, size: int = 50
) -> Page[MessageRow]:
    """Return a page of messages; raises BadRequestError for a mark that is none of this list."""
    one = Message
    query = sa.select(
        *(one.id, one.connector, one.topic, one.subject, one.sequence, one.state, one.outcome),
        *(one.trouble, one.attempts, one.due, one.sent_at),
    )
    if filters.connector is not None:
        query = query.where(one.connector == filters.connector)
    if filters.topic is not None:
        query = query.where(one.topic == filters.topic)
    runs = []
    for states in STATES:
        wanted = [state for state in states if filters.state in {None, state}]
        runs.append(Run(query.where(one.state.in_(wanted)), (one.id,)))
    return page_of(session, runs, at, size).of(lambda rows: [_row(row) for row in rows])


def parked(session: Session, connector: str | None = None) -> int:
    """Return how many messages are parked."""
    asked = sa.select(sa.func.count()).where(Message.state == MessageState.PARKED)
    if connector is not None:
        asked = asked.where(Message.connector == connector)
    return session.scalar(asked) or 0


def last_told(session: Session, connector: str) -> datetime | None:
    """Return when a connector last took something, by the newest it took; None: nothing is kept."""
    newest = (
        sa.select(Message.sent_at)
        .where(Message.connector == connector, Message.state == MessageState.SENT)
        .order_by(Message.id.desc())
        .limit(NEWEST)
        .subquery()
    )
    found: datetime | None = session.scalar(sa.select(sa.func.max(newest.c.sent_at)))
    return found


def _row(row: Any) -> MessageRow:
    """Return a message as it is shown."""
    key, connector, topic, subject, sequence, state, outcome, trouble, attempts, due, sent_at = (
        tuple(row)[:11]
    )
    reason = None if trouble is None else without_addresses(trouble)
    return MessageRow(
        *(key, connector, topic, subject, sequence, state.value, outcome, reason, attempts),
        moment_of(key),
        due if state is MessageState.DUE else None,
        sent_at,
    )
