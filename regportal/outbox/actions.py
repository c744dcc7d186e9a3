"""Owing the news of a fact, in the transaction of the fact; and what a person does about it."""

import itertools
import logging
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.rules import in_full
from regportal.connectors.schema import Connector
from regportal.outbox.drain import SET_PAUSE, drain
from regportal.outbox.models import Message, MessageState, Pause, Subject
from regportal.outbox.rules import is_told
from regportal.store.bulk import Row, insert_all
from regportal.store.facts import insert_in, table_of
from regportal.store.ids import uuid7

__all__ = [
    "FieldNews",
    "News",
    "drain",
    "listing",
    "owe",
    "pause",
    "pauses",
    "put",
    "put_facts",
    "replay",
    "resume",
    "waiting",
]

log = logging.getLogger(__name__)

NEW = (
    *("id", "connector", "topic", "subject", "sequence", "lane", "merges", "creates"),
    *("payload", "occurred_at", "state", "attempts", "due"),
)
"""Columns of a message that begins to be due."""
WAITING_LIKE = (
    sa.select(Message.id, Message.payload)
    .where(
        Message.connector == sa.bindparam("connector"),
        Message.subject == sa.bindparam("subject"),
        Message.merges == sa.bindparam("merges"),
        Message.state == MessageState.DUE,
        Message.attempts == 0,
        Message.lease.is_(None),
    )
    .order_by(Message.sequence.desc())
    .limit(1)
    .with_for_update()
)


@dataclass(frozen=True, slots=True)
class FieldNews:
    """The value of one field of a contact, where it comes from and since when."""

    value: Any
    source: str
    at: datetime
    crm_field: str | None = None


@dataclass(frozen=True, slots=True)
class News:
    """
    What is to be told about a subject. ``payload`` is JSON and has the fact's ``id``.

    ``merges`` names the state it tells, where it is state: news of the same name that still
    waits takes this one in, and ``keeps`` these names of its own payload: where a move began is
    true of both. ``creates``: nothing about the subject can be told before it. ``lane`` 0 goes
    ahead of others. ``fields`` are by question; each connector has its own names for them.
    """

    topic: str
    subject: str
    payload: Mapping[str, Any]
    occurred_at: datetime
    merges: str | None = None
    keeps: frozenset[str] = frozenset()
    creates: bool = False
    lane: int = 1
    fields: Mapping[str, FieldNews] | None = None


def owe(
    session: Session, connectors: Iterable[Connector], news: News, *, now: datetime
) -> list[str]:
    """Owe the news to every connector that is told such; return their keys, to wake them."""
    told = [one for one in connectors if is_told(news.topic, one.sends, one.claimed)]
    for connector in told:
        put(session, connector.key, _named(news, connector), now=now)
    return [connector.key for connector in told]


def put(session: Session, connector: str, news: News, *, now: datetime) -> uuid.UUID:
    """Owe the news to one connector and return its message; deliver it after the commit."""
    if news.lane == 0:
        _hurry(session, connector, news.subject)
    waits = _waiting_like(session, connector, news)
    if waits is not None:
        _take_in(session, *waits, news)
        return waits[0]
    (number,) = _numbers(session, [(connector, news.subject)])
    message_id = uuid7()
    insert_all(session, Message, NEW, [_row(message_id, connector, news, number, now)])
    return message_id


def put_facts(session: Session, owed: Iterable[tuple[Connector, News]], *, now: datetime) -> None:
    """Owe many facts, in this order, in a few statements; news that merges is not for this."""
    told = [
        (one.key, _named(news, one))
        for one, news in owed
        if is_told(news.topic, one.sends, one.claimed)
    ]
    if told:
        numbers = _numbers(session, [(connector, news.subject) for connector, news in told])
        rows = [
            _row(uuid7(), connector, news, number, now)
            for (connector, news), number in zip(told, numbers, strict=True)
        ]
        insert_all(session, Message, NEW, rows)


def replay(
    session: Session,
    ids: Collection[uuid.UUID] | None = None,
    *,
    connector: str | None = None,
    now: datetime,
) -> int:
    """
    Let messages be delivered again and return how many; without ``ids`` every parked one.

    A fact is told as it was, with its own time; a state as it is now. A message that still
    waits is only told at once. Each keeps its id, so nothing has a second effect.
    """
    chosen = sa.select(Message).order_by(Message.connector, Message.subject, Message.sequence)
    if ids is None:
        chosen = chosen.where(Message.state == MessageState.PARKED)
    else:
        chosen = chosen.where(Message.id.in_(ids), Message.state != MessageState.SUPERSEDED)
    if connector is not None:
        chosen = chosen.where(Message.connector == connector)
    messages = session.scalars(chosen.with_for_update()).all()
    again = [message for message in messages if not _is_under_way(message, now)]
    for message in again:
        newest = _newest_like(session, message)
        message.payload = newest.payload
        message.occurred_at = newest.occurred_at
        message.state = MessageState.DUE
        message.attempts = 0
        message.trouble = None
        message.lease, message.leased_until = uuid.uuid4(), now  # told before: nothing merges in
        message.due = _free_from(session, message, now)
    session.flush()
    return len(again)


def pause(session: Session, connector: str, because: str, *, until: datetime | None = None) -> None:
    """Do not speak to a connector for a while, or until somebody resumes it."""
    session.execute(SET_PAUSE, {"connector": connector, "until": until, "because": because})
    log.info("%s is paused: %s", connector, because)


def resume(session: Session, connector: str) -> bool:
    """Speak to a connector again; return whether it was paused."""
    lifted = session.execute(
        sa.delete(Pause).where(Pause.connector == connector).returning(Pause.connector)
    )
    return lifted.first() is not None


def pauses(session: Session) -> Sequence[Pause]:
    """Return the connectors that are not spoken to, and why."""
    return session.scalars(sa.select(Pause).order_by(Pause.connector)).all()


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


def _named(news: News, connector: Connector) -> News:
    """Name the fields as this connector does; of two with one name the newer holds."""
    if news.fields is None:
        return news
    fields = {
        connector.field_name(question, field.crm_field): {
            "value": field.value,
            "source": field.source,
            "at": in_full(field.at),
        }
        for question, field in sorted(news.fields.items(), key=lambda pair: pair[1].at)
    }
    return replace(news, payload={**news.payload, "fields": fields}, fields=None)


def _numbers(session: Session, subjects: Sequence[tuple[str, str]]) -> Iterator[int]:
    """
    Return the next number of each of these (connector, subject), in their order.

    On PostgreSQL it also lets one writer at a time number a subject; all take them in one order.
    """
    wanted = Counter(subjects)
    connection = session.connection()
    rows = connection.execute(
        _numbering(connection.dialect.name),
        [
            {"connector": connector, "subject": subject, "last": count}
            for (connector, subject), count in sorted(wanted.items())
        ],
    )
    following = {
        (connector, subject): itertools.count(last - wanted[connector, subject] + 1)
        for connector, subject, last in rows
    }
    return (next(following[each]) for each in subjects)


@cache
def _numbering(dialect: str) -> Any:
    """Return the upsert that counts on; the same one each time, so that it is compiled once."""
    table = table_of(Subject)
    asked = insert_in(dialect)(table)
    return asked.on_conflict_do_update(
        index_elements=["connector", "subject"],
        set_={"last": table.c.last + asked.excluded.last},
    ).returning(table.c.connector, table.c.subject, table.c.last)


def _row(message_id: uuid.UUID, connector: str, news: News, number: int, now: datetime) -> Row:
    """Return the row of a message that begins to be due."""
    return (
        *(message_id, connector, news.topic, news.subject, number),
        *(news.lane, news.merges, news.creates),
        *(dict(news.payload), news.occurred_at, MessageState.DUE.value, 0, now),
    )


def _hurry(session: Session, connector: str, subject: str) -> None:
    """Let what waits before a withdrawal go ahead with it: the order of a subject stays."""
    session.execute(
        sa.update(Message)
        .where(
            Message.connector == connector,
            Message.subject == subject,
            Message.state == MessageState.DUE,
        )
        .values(lane=0)
        .execution_options(synchronize_session=False)
    )


def _waiting_like(
    session: Session, connector: str, news: News
) -> tuple[uuid.UUID, dict[str, Any]] | None:
    """Return the waiting message that takes this news in: same state, never tried, not leased."""
    if news.merges is None:
        return None
    like = {"connector": connector, "subject": news.subject, "merges": news.merges}
    found = session.execute(WAITING_LIKE, like).first()
    return (found.id, found.payload) if found else None


def _take_in(session: Session, message_id: uuid.UUID, waits: Mapping[str, Any], news: News) -> None:
    """Let a waiting message tell this news instead; what creates a contact stays what it is."""
    kept = {name: waits[name] for name in news.keeps if name in waits}
    session.execute(
        sa.update(Message)
        .where(Message.id == message_id)
        .values(
            topic=sa.case((Message.creates, Message.topic), else_=news.topic),
            creates=sa.or_(Message.creates, sa.literal(news.creates)),
            payload={**news.payload, **kept},
            occurred_at=news.occurred_at,
        )
        .execution_options(synchronize_session=False)
    )


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
