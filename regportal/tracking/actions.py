"""Recording what happened, and reading it in the order in which it became known."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.actions import find_contact
from regportal.identity.models import Claim, Contact
from regportal.store.among import among
from regportal.store.bulk import insert_all
from regportal.store.facts import add, table_of
from regportal.store.ids import uuid7
from regportal.tracking.later import ATTRIBUTION, CONTACT, VERDICT, known_now
from regportal.tracking.models import (
    OF_CONTACTS,
    Attributed,
    Attribution,
    EntryKind,
    Interaction,
    Judged,
    LogEntry,
    Touch,
    Visit,
)
from regportal.tracking.rules import goes_on
from regportal.tracking.running import WHOLE_UNTIL
from regportal.tracking.shards import shard_of, shards_of


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a shard of the log: everything up to it has been read."""

    transaction: int = 0
    number: int = 0


class Seen(NamedTuple):
    """An interaction as it is understood now: whose it is, and whether a person did it."""

    id: uuid.UUID
    type: str
    object: str
    category: str | None
    occurred_at: datetime
    received_at: datetime
    attribution: Attributed
    judged: Judged
    contact_id: uuid.UUID | None
    claim_id: uuid.UUID | None
    properties: Mapping[str, Any] = MappingProxyType({})
    judged_because: str | None = None
    judged_by: str | None = None
    visit_id: uuid.UUID | None = None


class LogLine(NamedTuple):
    """A line of the log, as it is read."""

    number: int
    transaction: int
    kind: EntryKind
    ref: uuid.UUID
    at: datetime


TRANSACTION = "CAST(CAST(pg_current_xact_id() AS text) AS bigint)"
NUMBER = sa.text(f"SELECT {TRANSACTION}")
ENTRY = table_of(LogEntry)
LINE = {
    "sqlite": sa.insert(ENTRY).values(transaction=0).inline(),
    "postgresql": sa.insert(ENTRY).values(transaction=sa.text(TRANSACTION)).inline(),
}


def log(
    session: Session,
    kind: EntryKind,
    ref: uuid.UUID,
    *,
    whose: uuid.UUID | None = None,
    now: datetime,
) -> None:
    """
    Write one line of the log; the weigher reads it after the commit.

    ``whose`` is the contact it concerns where ``ref`` is none: so it is read in his shard.
    """
    session.flush()
    connection = session.connection()
    shard = shard_of(session, ref if kind in OF_CONTACTS else whose)
    line = {"shard": shard, "kind": kind, "ref": ref, "at": now}
    connection.execute(LINE[connection.dialect.name], line)


def log_all(
    session: Session,
    kind: EntryKind,
    lines: Sequence[tuple[uuid.UUID | str, datetime, uuid.UUID | None]],
) -> None:
    """Write a line of the log for each of these: when we heard of it, and the contact, if known."""
    if not lines:
        return
    connection = session.connection()
    transaction = connection.scalar(NUMBER) if connection.dialect.name == "postgresql" else 0
    shards = shards_of(session, {contact for _, _, contact in lines if contact is not None})
    rows = [(shards[contact], transaction, kind.value, ref, at) for ref, at, contact in lines]
    insert_all(session, LogEntry, ("shard", "transaction", "kind", "ref", "at"), rows)


def read_log(session: Session, shard: int, after: Place, limit: int) -> Sequence[LogLine]:
    """
    Return up to ``limit`` lines of a shard after a place, in order.

    On PostgreSQL it stops before the oldest transaction still running in our database, so that a
    line which commits late comes in its turn instead of being passed over.
    """
    lines = _lines(session.get_bind().dialect.name)
    rows = session.execute(lines, {"shard": shard, **asdict(after), "limit": limit})
    return [LogLine(*row) for row in rows]


def comes_after(
    dialect: str, transaction: sa.ColumnElement[int], number: sa.ColumnElement[int]
) -> sa.ColumnElement[bool]:
    """
    Return the condition for the lines of the log after a place.

    On SQLite, where writers take turns, all lines are of one transaction. Asked for both at once it
    would read every line of it: no index of SQLite finds a pair with the row's own number in it.
    """
    if dialect == "sqlite":
        return sa.and_(ENTRY.c.transaction == transaction, ENTRY.c.number > number)
    return sa.tuple_(ENTRY.c.transaction, ENTRY.c.number) > sa.tuple_(transaction, number)


@cache
def _lines(dialect: str) -> sa.Select[Any]:
    """Return the statement that reads on in a shard of the log, after a :class:`Place`."""
    here = ENTRY.c.shard == sa.bindparam("shard")
    after = (sa.bindparam(each.name, type_=sa.BigInteger()) for each in fields(Place))
    order = ENTRY.c.transaction, ENTRY.c.number
    lines = sa.select(*(ENTRY.c[name] for name in LogLine._fields))
    lines = lines.where(here, comes_after(dialect, *after))
    lines = lines.order_by(*order).limit(sa.bindparam("limit"))
    if dialect != "postgresql":
        return lines
    return lines.where(sa.text(f"log_entry.transaction < ({WHOLE_UNTIL})"))


def record(session: Session, interaction: Interaction, *, now: datetime) -> Interaction:
    """Add an interaction to the log."""
    add(session, interaction)
    log(session, EntryKind.INTERACTION, interaction.id, whose=interaction.contact_id, now=now)
    return interaction


def attribute(
    session: Session,
    interactions: Collection[uuid.UUID],
    contact_id: uuid.UUID | None,
    attribution: Attributed,
    because: str,
    *,
    now: datetime,
) -> None:
    """
    Say whose these interactions are, as a later fact beside them.

    The weigher hears of it for whoever has them from now on, and for everybody who had them.
    """
    concerned = owners(session, interactions)
    session.add_all(
        Attribution(
            id=uuid7(),
            interaction_id=interaction,
            contact_id=contact_id,
            attribution=attribution,
            at=now,
            because=because,
        )
        for interaction in interactions
    )
    if interactions and contact_id is not None:
        concerned.add(contact_id)
    for each in sorted(concerned):
        log(session, EntryKind.ATTRIBUTION, each, now=now)


def met(session: Session, contact: Contact, *, now: datetime) -> Contact:
    """Let the weigher hear of a contact whom we know since this moment; return the contact."""
    if contact.first_seen == now:
        log(session, EntryKind.ANSWER, contact.id, now=now)
    return contact


def disown(session: Session, claim: Claim, *, now: datetime) -> None:
    """Let the weigher look again at whom a claim was about that came to nothing."""
    contact = find_contact(session, claim.email)
    if contact is not None:
        log(session, EntryKind.ATTRIBUTION, contact.id, now=now)


def columns_of(attribution: Any, contact_id: Any, verdict: Sequence[Any]) -> tuple[Any, ...]:
    """Return the columns of :class:`Seen` in its order; what is known later may be laid over."""
    judged, because, by = verdict
    return (
        Interaction.id,
        Interaction.type,
        Interaction.object,
        Interaction.category,
        Interaction.occurred_at,
        Interaction.received_at,
        attribution.label("attribution"),
        judged.label("judged"),
        contact_id.label("contact_id"),
        Interaction.claim_id,
        Interaction.properties,
        because.label("judged_because"),
        by.label("judged_by"),
        Interaction.visit_id,
    )


NOW = columns_of(ATTRIBUTION, CONTACT, VERDICT)
"""What there is to know of an interaction now, in a query that went through ``known_now``."""


OWNERS = known_now(
    sa.select(
        CONTACT, sa.case((ATTRIBUTION == Attributed.CLAIMED, Interaction.claim_id), else_=None)
    )
).where(among(Interaction.id))


def _seen() -> sa.Select[Any]:
    """Select interactions as they are understood now, in the order they became known."""
    return known_now(sa.select(*NOW)).order_by(Interaction.received_at, Interaction.id)


def seen(session: Session, interaction_id: uuid.UUID) -> Seen:
    """Return one interaction as it is understood now."""
    return Seen(*session.execute(_seen().where(Interaction.id == interaction_id)).one())


def owners(session: Session, interactions: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return whose these interactions are, or whose they would be if their claims were true."""
    rows = session.execute(OWNERS, {"ids": interactions}).all() if interactions else ()
    claims = {claim for contact, claim in rows if contact is None and claim is not None}
    emails = session.scalars(sa.select(Claim.email).where(Claim.id.in_(claims))).all()
    claimed = (find_contact(session, email) for email in dict.fromkeys(emails))
    return {one for one, _ in rows if one is not None} | {one.id for one in claimed if one}


def seen_of_contacts(
    session: Session, contacts: Collection[uuid.UUID], *, since: datetime | None = None
) -> list[Seen]:
    """
    Return what these contacts did, in the order it became known.

    Only what counts as theirs now: first-hand or attributed later. ``since`` bounds the time
    at which it happened.
    """
    theirs = sa.or_(
        Interaction.contact_id.in_(contacts),
        Interaction.id.in_(
            sa.select(Attribution.interaction_id).where(Attribution.contact_id.in_(contacts))
        ),
    )
    query = _seen().where(theirs)
    if since is not None:
        query = query.where(Interaction.occurred_at > since)
    rows = (Seen(*raw) for raw in session.execute(query))
    return [row for row in rows if row.contact_id in contacts]


def seen_of_claim(session: Session, claim_id: uuid.UUID) -> list[Seen]:
    """Return what was done under one claim, in the order it became known."""
    return [Seen(*raw) for raw in session.execute(_seen().where(Interaction.claim_id == claim_id))]


LAST_VISIT = (
    sa.select(Visit)
    .where(Visit.visitor_id == sa.bindparam("visitor"))
    .order_by(Visit.last_at.desc())
    .limit(1)
)


def visit_going_on(
    session: Session, visitor_id: uuid.UUID, idle: timedelta, *, now: datetime
) -> Visit | None:
    """Return the visitor's visit, or None where the last one has ended."""
    last = session.scalars(LAST_VISIT, {"visitor": visitor_id}).first()
    return last if last is not None and goes_on(last.last_at, now, idle) else None


def visit_of(
    session: Session,
    visitor_id: uuid.UUID,
    idle: timedelta | None,
    *,
    referrer: str | None = None,
    parameters: Mapping[str, str] | None = None,
    now: datetime,
) -> Visit:
    """
    Continue the visitor's visit, or begin one and keep where it came from.

    Without ``idle`` it is the first visit: nothing is looked for.
    """
    before = visit_going_on(session, visitor_id, idle, now=now) if idle is not None else None
    if before is not None:
        before.last_at = now
        return before
    visit = Visit(id=uuid7(), visitor_id=visitor_id, started_at=now, last_at=now)
    touch = Touch(
        id=uuid7(),
        visit_id=visit.id,
        at=now,
        referrer=referrer,
        parameters=dict(parameters or {}),
    )
    add(session, visit, touch)
    return visit
