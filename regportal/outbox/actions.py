"""Owing the news of a fact, in the transaction of the fact."""

import itertools
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.rules import in_full
from regportal.connectors.schema import Connector
from regportal.outbox.drain import drain
from regportal.outbox.models import Gathered, Message, MessageState, Subject
from regportal.outbox.rules import AWAITED, WITHDRAWAL, is_told
from regportal.store.among import among
from regportal.store.bulk import Row, insert_all, update_all
from regportal.store.facts import insert_in, table_of
from regportal.store.ids import uuid7

__all__ = ["FieldNews", "News", "drain", "named", "owe", "owe_all", "put", "put_all"]

Like = tuple[str, str, str | None]
"""Connector, subject and the state that is told (None: a fact). News of one state that waits is
one message: the newer replaces the older."""

NEW = (
    *("id", "connector", "topic", "subject", "sequence", "lane", "merges", "creates", "passes"),
    *("payload", "occurred_at", "state", "attempts", "due"),
)
"""Columns of a new message."""
DUE = MessageState.DUE.value
DEED = "interaction.recorded"
KEPT = ("connector", "id", "subject", "day", "payload", "at")
"""Columns of a deed that waits for the note about its day."""
TAKES_IN = ("topic", "creates", "passes", "payload", "occurred_at")
"""Columns of a waiting message that newer news of its state replaces."""
WAITING = (
    sa.select(
        *(Message.id, Message.topic, Message.subject, Message.payload),
        *(Message.occurred_at, Message.merges, Message.creates),
    )
    .where(
        Message.connector == sa.bindparam("connector"),
        among(Message.subject, "subjects"),
        Message.merges.is_not(None),
        Message.state == MessageState.DUE,
        Message.attempts == 0,
        Message.lease.is_(None),
    )
    .order_by(Message.subject, Message.sequence)
    .with_for_update()
)
"""Messages of some subjects that newer news may replace: they tell a state, and no worker has ever
leased them, so nobody can have been told."""


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

    ``merges`` names the state it tells; None: it tells a fact, which is told as it was. Where a
    message of the same state still waits, this news replaces what it tells, all but what
    ``keeps`` names of its payload: where a phase moved from, say, when it moves twice. ``creates``:
    nothing about the subject can be told before it, but a withdrawal once it is parked. The
    smallest ``lane`` (``rules.py: LANES``) goes first. ``fields`` are by question; each connector
    has its own names for them.
    """

    topic: str
    subject: str
    payload: Mapping[str, Any]
    occurred_at: datetime
    merges: str | None = None
    keeps: frozenset[str] = frozenset()
    creates: bool = False
    lane: int = AWAITED
    fields: Mapping[str, FieldNews] | None = None

    @property
    def passes(self) -> bool:
        """Whether it waits for nothing that is parked: a withdrawal."""
        return self.lane == WITHDRAWAL


def owe(
    session: Session, connectors: Iterable[Connector], news: News, *, now: datetime
) -> list[str]:
    """Owe the news to each connector that is sent its topic; return their keys, to wake them."""
    return owe_all(session, [(connector, news) for connector in connectors], now=now)


def owe_all(
    session: Session, owed: Iterable[tuple[Connector, News]], *, now: datetime
) -> list[str]:
    """Owe these news, in this order, where a connector is sent their topic; return the keys."""
    told, kept = list[tuple[Connector, News]](), list[tuple[Connector, News]]()
    for one, news in owed:
        if is_told(news.topic, one.sends, one.claimed):
            waits = news.topic == DEED and one.interactions == "daily"
            (kept if waits else told).append((one, named(news, one)))
    put_all(session, [(one.key, news) for one, news in told], now=now)
    _gather(session, kept, now=now)
    return [one.key for one, _ in (*told, *kept)]


def _gather(session: Session, kept: Sequence[tuple[Connector, News]], *, now: datetime) -> None:
    """Keep deeds for the note about the day, in the CRM's time zone, on which they became known."""
    rows = [
        (
            *(one.key, uuid.UUID(news.payload["id"]), news.subject),
            *(now.astimezone(one.zone).date(), dict(news.payload), now),
        )
        for one, news in kept
    ]
    insert_all(session, Gathered, KEPT, rows, once=True)


def put(session: Session, connector: str, news: News, *, now: datetime) -> uuid.UUID:
    """Owe the news to one connector and return its message; deliver it after the commit."""
    (message,) = put_all(session, [(connector, news)], now=now)
    return message


def put_all(
    session: Session, owed: Sequence[tuple[str, News]], *, now: datetime
) -> list[uuid.UUID]:
    """Owe many news, in this order, in a few statements; return the message of each."""
    there = _waiting(session, owed)
    waiting = {like: message for message, (like, _) in there.items()}
    told = {message: (like[0], news) for message, (like, news) in there.items()}
    messages: list[uuid.UUID] = []
    withdrawals = dict[uuid.UUID, tuple[str, str]]()
    for connector, news in owed:
        like = (connector, news.subject, news.merges)
        message = waiting.get(like) or uuid7()
        before = told.get(message)
        told[message] = (connector, news if before is None else _taking_in(before[1], news))
        if news.merges is not None:
            waiting[like] = message
        if news.passes:
            withdrawals[message] = connector, news.subject
        messages.append(message)
    taken = set(messages)
    changed = [
        (news.topic, news.creates, news.passes, dict(news.payload), news.occurred_at, message)
        for message, (_, news) in told.items()
        if message in there and message in taken
    ]
    update_all(session, Message, TAKES_IN, changed)
    new = [(message, *one) for message, one in told.items() if message not in there]
    if new:
        numbers = _numbers(session, [(connector, news.subject) for _, connector, news in new])
        rows = [
            _row(message, connector, news, number, now)
            for (message, connector, news), number in zip(new, numbers, strict=True)
        ]
        insert_all(session, Message, NEW, rows)
    for message, whose in withdrawals.items():
        _hurry(session, message, *whose)
    return messages


def named(news: News, connector: Connector) -> News:
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
    Return the next sequence number of each of these (connector, subject), in their order.

    On PostgreSQL it locks the subjects until the commit: one writer at a time numbers a subject.
    Every writer locks them in the same order, so that none waits for another in a circle.
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
    """Return the upsert that counts a subject's messages; kept, so that it is compiled once."""
    table = table_of(Subject)
    asked = insert_in(dialect)(table)
    return asked.on_conflict_do_update(
        index_elements=["connector", "subject"],
        set_={"last": table.c.last + asked.excluded.last},
    ).returning(table.c.connector, table.c.subject, table.c.last)


def _row(message_id: uuid.UUID, connector: str, news: News, number: int, now: datetime) -> Row:
    """Return the row of a new message, which is due at once."""
    return (
        *(message_id, connector, news.topic, news.subject, number),
        *(news.lane, news.merges, news.creates, news.passes),
        *(dict(news.payload), news.occurred_at, DUE, 0, now),
    )


def _hurry(session: Session, withdrawal: uuid.UUID, connector: str, subject: str) -> None:
    """Put what waits before a withdrawal in its lane, too: the order of a subject must hold."""
    sequence = sa.select(Message.sequence).where(Message.id == withdrawal).scalar_subquery()
    session.execute(
        sa.update(Message)
        .where(
            Message.connector == connector,
            Message.subject == subject,
            Message.state == MessageState.DUE,
            Message.sequence <= sequence,
        )
        .values(lane=WITHDRAWAL)
        .execution_options(synchronize_session=False)
    )


def _waiting(
    session: Session, owed: Iterable[tuple[str, News]]
) -> dict[uuid.UUID, tuple[Like, News]]:
    """Return the waiting messages that some of this news replaces: the newest of each state."""
    subjects: defaultdict[str, set[str]] = defaultdict(set)
    for connector, news in owed:
        if news.merges is not None:
            subjects[connector].add(news.subject)
    found: dict[Like, tuple[uuid.UUID, News]] = {}
    for connector, some in sorted(subjects.items()):
        asked = {"connector": connector, "subjects": sorted(some)}
        for message, topic, subject, payload, at, merges, creates in session.execute(
            WAITING, asked
        ):
            news = News(topic, subject, payload, at, merges, creates=creates)
            found[connector, subject, merges] = message, news
    return {message: (like, news) for like, (message, news) in found.items()}


def _taking_in(waits: News, news: News) -> News:
    """Return what a waiting message tells now; one that creates a contact goes on creating it."""
    kept = {name: waits.payload[name] for name in news.keeps if name in waits.payload}
    return replace(
        news,
        topic=waits.topic if waits.creates else news.topic,
        creates=waits.creates or news.creates,
        payload={**news.payload, **kept},
    )
