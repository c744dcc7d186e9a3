"""How an installation is doing: what waits, since when, and who works; read from the database."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from regportal.buying.place import next_lines, unread
from regportal.connectors.schema import Connector
from regportal.consent.models import ConsentEvent
from regportal.engine.notifying import living
from regportal.forms.settling import UNSETTLED
from regportal.identity.models import Claim
from regportal.inbox.models import Notice, NoticeState, Poll
from regportal.inbox.polling import trouble
from regportal.outbox.models import MAIL, Message, MessageState, OutcomeCount, Pause
from regportal.outbox.operating import holds, why
from regportal.outbox.waiting import IS_DUE
from regportal.privacy.clocks import last_run
from regportal.store.documents import Published
from regportal.store.ids import moment_of
from regportal.tracking.models import LogEntry, Parcel


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much of one kind waits to be done, and since when the oldest of it."""

    number: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Owed:
    """What one connector, or mail, is owed and was told."""

    waiting: Waiting = Waiting()
    due: datetime | None = None
    """When the first of it is due, or was."""
    parked: int = 0
    paused: str | None = None
    """Why it is not spoken to at the moment, or with one message at a time."""
    failures: int = 0
    """How many calls in a row came to nothing."""
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """How often what became of an attempt, ever."""
    poll_awaited: datetime | None = None
    """When it is asked next, or should have been: to ask in vain does not move it on."""
    poll_trouble: str | None = None
    """Why it could not be asked the last time, and since when."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """How everything stands at one moment."""

    workers: int | None
    """Processes that work, on PostgreSQL; None on SQLite, where it is the one that serves."""
    owed: Mapping[str, Owed]
    """By the key of the connector; letters are owed to ``mail``."""
    work: Mapping[str, Waiting]
    """What the worker has to make something of, by its task."""
    logged: int
    """Lines the log ever had."""
    ledger: int
    """Lines the consent ledger ever had."""
    told: int
    """Calls of CRMs that were ever taken."""
    tidied: datetime | None
    """When what is too old was last deleted."""


def vitals(session: Session, published: Published, *, now: datetime) -> Vitals:
    """Return how everything stands; reads little, however much was ever done."""
    keys = [MAIL, *(document.key for document in published.all(Connector))]
    chore = last_run(session)
    return Vitals(
        workers=living(session),
        owed=_owed(session, keys, now=now),
        work=_work(session),
        logged=_last(session, LogEntry.number),
        ledger=_last(session, ConsentEvent.number),
        told=_last(session, Notice.number),
        tidied=chore.at if chore else None,
    )


def _owed(session: Session, keys: Sequence[str], *, now: datetime) -> dict[str, Owed]:
    """Return what each of these is owed, and who is archived and still owed something."""
    due = {
        row.connector: row
        for row in session.execute(
            sa.select(Message.connector, sa.func.count().label("number"), sa.func.min(Message.due))
            .where(IS_DUE)
            .group_by(Message.connector)
        )
    }
    parked = {
        row.connector: row.number
        for row in session.execute(
            sa.select(Message.connector, sa.func.count().label("number"))
            .where(Message.state == MessageState.PARKED)
            .group_by(Message.connector)
        )
    }
    outcomes: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for connector, outcome, number in session.execute(
        sa.select(OutcomeCount.connector, OutcomeCount.outcome, OutcomeCount.number)
    ):
        outcomes[connector][outcome] = number
    pauses = {pause.connector: pause for pause in session.scalars(sa.select(Pause))}
    polls = {poll.connector: poll for poll in session.scalars(sa.select(Poll))}
    found = {}
    for key in dict.fromkeys([*keys, *sorted(due), *sorted(parked)]):
        number, first = due[key][1:] if key in due else (0, None)
        poll, pause = polls.get(key) if key in keys else None, pauses.get(key)
        found[key] = Owed(
            waiting=Waiting(number, _owed_since(session, key) if number else None),
            due=first,
            parked=parked.get(key, 0),
            paused=why(pause) if pause and holds(pause, now=now) else None,
            failures=pause.failures if pause else 0,
            outcomes=outcomes[key],
            poll_awaited=(poll.awaited or poll.due) if poll else None,
            poll_trouble=trouble(poll) if poll else None,
        )
    return found


def _owed_since(session: Session, connector: str) -> datetime | None:
    """Return since when the oldest that waits is owed: its key begins with that moment."""
    oldest = session.scalar(
        sa.select(Message.id)
        .where(Message.connector == connector, IS_DUE)
        .order_by(Message.id)
        .limit(1)
    )
    return moment_of(oldest) if oldest else None


def _work(session: Session) -> dict[str, Waiting]:
    """Return what each task of the worker has before it."""
    parcels = sa.select(sa.func.count(), sa.func.min(Parcel.received_at))
    notices = sa.select(sa.func.count(), sa.func.min(Notice.received_at))
    claims = sa.select(sa.func.count(), sa.func.min(Claim.decided_at))
    lines = [at for at in next_lines(session).values() if at is not None]
    return {
        "unpack": _waiting(session, parcels.where(Parcel.unpacked_at.is_(None))),
        "understand": _waiting(session, notices.where(Notice.state == NoticeState.TAKEN)),
        "settle": _waiting(session, claims.where(UNSETTLED)),
        "weigh": Waiting(unread(session), min(lines, default=None)),
    }


def _waiting(session: Session, query: sa.Select[int, Any]) -> Waiting:
    """Return how much a query counts, and the moment it finds beside."""
    number, since = session.execute(query).one()
    return Waiting(number, since)


def _last(session: Session, number: InstrumentedAttribute[int]) -> int:
    """Return the highest number ever given."""
    return session.scalar(sa.select(sa.func.max(number))) or 0


def seconds_since(at: datetime | None, now: datetime) -> float:
    """
    Return how long ago something was; nothing where it never was, or lies ahead.

    >>> seconds_since(datetime(2026, 3, 4, 12, tzinfo=UTC), datetime(2026, 3, 4, 13, tzinfo=UTC))
    3600.0
    >>> seconds_since(None, datetime(2026, 3, 4, tzinfo=UTC))
    0.0
    """
    return max(0.0, (now - at.astimezone(UTC)).total_seconds()) if at else 0.0
