"""Taking what browsers and servers tell of interactions: kept as it came, each event once."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from regportal.consent.suppression import ERASED, reasons
from regportal.identity.actions import contact_from_import, find_contact
from regportal.identity.addresses import Address
from regportal.identity.models import Contact
from regportal.store.bulk import Row, insert_all, insert_keys
from regportal.store.ids import uuid7
from regportal.tracking.actions import met
from regportal.tracking.events import Event
from regportal.tracking.models import Interaction, Parcel, Source, Told

COLUMNS = (
    *("id", "received_at", "source", "visitor_id", "claim_id", "contact_id", "api_key_id"),
    *("proven", "own_staff", "agent", "network", "purpose", "touch", "events"),
)
"""Of a parcel, in the order in which they are written."""


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


@dataclass(frozen=True, slots=True)
class Telling:
    """What one teller tells at once, and when we heard it."""

    teller: Teller
    events: Sequence[Event]
    at: datetime


def take(session: Session, teller: Teller, events: Sequence[Event], *, now: datetime) -> int:
    """
    Keep the events that were not told before, for the worker; return how many they are.

    An id counts once, whoever tells it and however often.
    """
    return take_all(session, [Telling(teller, events, now)])[0]


def take_all(session: Session, tellings: Sequence[Telling]) -> list[int]:
    """Keep what several told, in this order; return how many events of each are new."""
    ids = {event.id for telling in tellings for event in telling.events}
    left = _not_told(session, ids, at=max(one.at for one in tellings)) if ids else ids
    taken, rows = [], []
    for telling in tellings:
        new = []
        for event in telling.events:
            if event.id in left:  # of several with one id the first counts
                left.remove(event.id)
                new.append(event)
        taken.append(len(new))
        if new:
            rows.append(_parcel(telling, new))
    insert_all(session, Parcel, COLUMNS, rows)
    return taken


def whose(
    session: Session, address: Address, pepper: str, locale: str, *, now: datetime
) -> Contact | None:
    """Return the contact that others tell of, made if new; None: who was erased stays so."""
    contact = find_contact(session, address.email)
    if contact is None and ERASED not in reasons(session, address.match_key, pepper):
        contact = met(session, contact_from_import(session, address, locale, now=now), now=now)
        session.flush()
    return contact


def _parcel(telling: Telling, events: Iterable[Event]) -> Row:
    """Return what is kept of a call."""
    teller = telling.teller
    return (
        uuid7(),
        telling.at,
        teller.source.value,
        teller.visitor_id,
        teller.claim_id,
        teller.contact_id,
        teller.api_key_id,
        teller.proven,
        teller.own_staff,
        teller.agent,
        teller.network,
        teller.purpose,
        dict(teller.touch),
        [_kept(event) for event in events],
    )


def _kept(event: Event) -> dict[str, Any]:
    """Return an event as it is kept: without the address, which the parcel knows better."""
    return {
        "type": event.type,
        "object": event.object,
        "category": event.category,
        "properties": event.properties,
        "id": event.id,
        "occurred_at": event.occurred_at.isoformat(),
    }


def _not_told(session: Session, ids: Collection[str], *, at: datetime) -> set[str]:
    """Return the ids that nobody told before, and remember them."""
    return insert_keys(session, Told, ids, {"at": at}, nor_in=Interaction)
