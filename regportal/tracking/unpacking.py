"""Unpacking what was told: each event an interaction, judged, in its visit, under a name."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.models import Claim
from regportal.library.schema import Asset
from regportal.store.bulk import Row, insert_all
from regportal.store.documents import Published, Shelf
from regportal.store.facts import table_of
from regportal.store.sessions import Store
from regportal.tracking.actions import log_all
from regportal.tracking.collecting import event_of
from regportal.tracking.events import Event
from regportal.tracking.models import Attributed, EntryKind, Interaction, Parcel
from regportal.tracking.verdicts import BELIEVED, Around, Circumstances, around_all, judge
from regportal.tracking.visits import Sitting, Visits

AT_ONCE = 64
"""Parcels of one transaction, as far as they are not too full."""
MOST = 640
"""Events after which no other parcel is begun: other writers wait no longer than for these."""
IN_HAND = timedelta(milliseconds=500)
"""When to look again for parcels that another worker is unpacking: it may die of them."""
COLUMNS = (
    *("id", "type", "object", "category", "properties", "occurred_at", "received_at"),
    *("visitor_id", "visit_id", "claim_id", "contact_id", "attribution"),
    *("judged", "judged_because", "judged_by"),
)
"""Of an interaction, in the order in which they are written."""
WAITING = (
    sa.select(*table_of(Parcel).c)
    .where(table_of(Parcel).c.unpacked_at.is_(None))
    .order_by(table_of(Parcel).c.id)
)
"""The parcels that nobody has unpacked."""
NEXT = WAITING.limit(AT_ONCE).with_for_update(skip_locked=True)


def unpack(store: Store, shelf: Shelf, *, now: datetime) -> datetime | None:
    """
    Unpack every parcel that waits, oldest first, some of them a transaction.

    Returns when to come back where another worker has the rest in hand; None: for the next parcel.
    """
    some = partial(_unpack_some, shelf=shelf, now=now)
    while _is_waiting(store):
        if not store.write(some):
            return now + IN_HAND
    return None


def _is_waiting(store: Store) -> bool:
    """Return whether any parcel waits; costs no writer anything."""
    with store.read() as session:
        return session.execute(WAITING.limit(1)).first() is not None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A parcel with its events; its row has the names of :class:`Parcel`."""

    parcel: Any
    events: Sequence[Event]


def _unpack_some(session: Session, *, shelf: Shelf, now: datetime) -> bool:
    """
    Unpack the next parcels; on PostgreSQL other workers meanwhile take the next ones.

    Returns whether there were any that nobody else has in hand.
    """
    opened: list[_Opened] = []
    left = MOST
    for parcel in session.connection().execute(NEXT).all():
        if left > 0:
            opened.append(_Opened(parcel, [event_of(kept) for kept in parcel.events]))
            left -= len(opened[-1].events)
    if not opened:
        return False
    published = shelf.published(session)
    visits = Visits.look_up(session, published, [one.parcel for one in opened])
    claims = _claims(session, {one.parcel.claim_id for one in opened} - {None})
    around = around_all(session, [(one.parcel, one.events) for one in opened])
    rows: list[Row] = []
    heard: list[tuple[uuid.UUID, datetime]] = []
    for one in opened:
        sitting = visits.of(one.parcel)
        done = _interactions(one, published, sitting, claims.get(one.parcel.claim_id), around)
        rows += done
        heard += [(row[0], one.parcel.received_at) for row in done if row[CONTACT] is not None]
    visits.keep(session)
    insert_all(session, Interaction, COLUMNS, rows, once=True)
    log_all(session, EntryKind.INTERACTION, heard)
    done_with = [one.parcel.id for one in opened]
    session.execute(
        sa.update(table_of(Parcel)).where(table_of(Parcel).c.id.in_(done_with)),
        {"unpacked_at": now},
    )
    return True


CONTACT = COLUMNS.index("contact_id")


def _claims(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID | None, Any]:
    """Return of these claims whose each is, and whether own staff made it."""
    if not ids:
        return {}
    columns = table_of(Claim).c
    query = sa.select(columns.id, columns.contact_id, columns.own_staff)
    rows = session.connection().execute(query.where(columns.id.in_(ids)))
    return {row.id: row for row in rows}


def _interactions(
    one: _Opened, published: Published, sitting: Sitting | None, claim: Any, around: Around
) -> list[Row]:
    """Return the interactions of one parcel; the weigher hears of those that are somebody's."""
    parcel = one.parcel
    contact_id = parcel.contact_id
    if contact_id is None and claim is not None and parcel.proven:
        contact_id = claim.contact_id
    circumstances = Circumstances(
        own_staff=claim is not None and claim.own_staff,
        begun_at=sitting.started_at if sitting else None,
        around=around.of(parcel, one.events),
    )
    visit_id, attributed = sitting.id if sitting else None, _attributed(parcel).value
    return [
        (
            event.id,
            event.type,
            event.object,
            _category(published, event),
            event.properties,
            event.occurred_at,
            parcel.received_at,
            parcel.visitor_id,
            visit_id,
            parcel.claim_id,
            contact_id,
            attributed,
            judged.judged.value,
            judged.because,
            judged.rules,
        )
        for event, judged in zip(one.events, judge(parcel, one.events, circumstances), strict=True)
    ]


def _attributed(parcel: Any) -> Attributed:
    """Return whose it is, as far as was known when it was told."""
    if parcel.proven:
        return Attributed.VERIFIED
    if parcel.source in BELIEVED:
        return Attributed.IMPORTED if parcel.contact_id else Attributed.ANONYMOUS
    return Attributed.CLAIMED if parcel.claim_id else Attributed.ANONYMOUS


def _category(published: Published, event: Event) -> str | None:
    """Return what kind of thing an event is about: of our own assets we know it better."""
    asset = published.find(Asset, event.object)
    return asset.category if asset is not None else event.category
