"""Taking what browsers and servers tell of interactions: kept as it came, each event once."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.actions import contact_from_import, find_contact
from regportal.identity.addresses import Address
from regportal.identity.models import Contact
from regportal.identity.suppression import ERASED, reasons
from regportal.store.facts import add, insert_in, table_of
from regportal.store.ids import uuid7
from regportal.tracking.events import Event
from regportal.tracking.models import Interaction, Parcel, Source, Told


@dataclass(frozen=True, slots=True)
class Teller:
    """Who tells, from where, and whose it is."""

    source: Source
    visitor_id: uuid.UUID | None = None
    claim_id: uuid.UUID | None = None
    contact_id: uuid.UUID | None = None
    api_key_id: uuid.UUID | None = None
    proven: bool = False
    """Whether the address is proven in this browser, or a server speaks of a proven one."""
    own_staff: bool = False
    agent: str | None = None
    network: str | None = None
    purpose: str | None = None
    touch: Mapping[str, Any] = field(default_factory=dict)


def take(session: Session, teller: Teller, events: Sequence[Event], *, now: datetime) -> int:
    """
    Keep the events that were not told before, for the worker; return how many they are.

    An id counts once, whoever tells it and however often.
    """
    fresh = _not_told(session, events, now=now)
    if fresh:
        add(session, _parcel(teller, fresh, now))
    return len(fresh)


def whose(
    session: Session, address: Address, pepper: str, locale: str, *, now: datetime
) -> Contact | None:
    """Return the contact that others tell of, made if new; None: who was erased stays so."""
    contact = find_contact(session, address.email)
    if contact is None and ERASED not in reasons(session, address.match_key, pepper):
        contact = contact_from_import(session, address, locale, now=now)
        session.flush()
    return contact


def event_of(kept: Mapping[str, Any]) -> Event:
    """Return an event of a parcel."""
    return Event(
        id=uuid.UUID(kept["id"]),
        type=kept["type"],
        object=kept["object"],
        category=kept["category"],
        properties=kept["properties"],
        occurred_at=datetime.fromisoformat(kept["occurred_at"]),
    )


def _parcel(teller: Teller, events: Iterable[Event], now: datetime) -> Parcel:
    """Return what is kept of a call."""
    return Parcel(
        id=uuid7(),
        received_at=now,
        unpacked_at=None,
        source=teller.source,
        visitor_id=teller.visitor_id,
        claim_id=teller.claim_id,
        contact_id=teller.contact_id,
        api_key_id=teller.api_key_id,
        proven=teller.proven,
        own_staff=teller.own_staff,
        agent=teller.agent,
        network=teller.network,
        purpose=teller.purpose,
        touch=dict(teller.touch),
        events=[_kept(event) for event in events],
    )


def _kept(event: Event) -> dict[str, Any]:
    """Return an event as it is kept: without the address, which the parcel knows better."""
    return {
        "type": event.type,
        "object": event.object,
        "category": event.category,
        "properties": dict(event.properties),
        "id": str(event.id),
        "occurred_at": event.occurred_at.isoformat(),
    }


def _not_told(session: Session, events: Sequence[Event], *, now: datetime) -> list[Event]:
    """Return the events whose ids nobody told before, and remember them."""
    session.flush()
    connection = session.connection()
    by_id = {event.id: event for event in reversed(events)}  # of two with one id the first counts
    insert = insert_in(connection.dialect.name)
    told = table_of(Told)
    rows = [{"id": each, "at": now} for each in sorted(by_id)]
    new = connection.scalars(
        insert(told).values(rows).on_conflict_do_nothing().returning(told.c.id)
    ).all()
    kept = sa.select(Interaction.id).where(Interaction.id.in_(new))
    known = set(connection.scalars(kept)) if new else set()
    return [by_id[each] for each in by_id if each in {*new} - known]
