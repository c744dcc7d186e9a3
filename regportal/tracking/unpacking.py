"""Unpacking what was told: each event an interaction, judged, in its visit, under a name."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.models import Claim
from regportal.library.schema import Asset
from regportal.store.documents import Published, Shelf, Site, span
from regportal.store.facts import insert_in, table_of
from regportal.store.sessions import Store
from regportal.tracking.actions import log, visit_of
from regportal.tracking.collecting import event_of
from regportal.tracking.events import Event
from regportal.tracking.models import (
    Attributed,
    EntryKind,
    Interaction,
    Parcel,
    Source,
    Visit,
)
from regportal.tracking.verdicts import BELIEVED, Circumstances, around, judge

AT_ONCE = 20
"""Parcels of one transaction: other writers wait no longer than for these."""


def unpack(store: Store, shelf: Shelf, *, now: datetime) -> datetime | None:
    """
    Unpack every parcel that waits, oldest first, some of them a transaction.

    Returns None: there is nothing to come back for but the next parcel.
    """
    while _is_waiting(store):
        store.write(lambda session: _unpack_some(session, shelf.published(session), now=now))
    return None


def _is_waiting(store: Store) -> bool:
    """Return whether any parcel waits; costs no writer anything."""
    with store.read() as session:
        return session.scalars(_waiting().limit(1)).first() is not None


def _waiting() -> sa.Select[Any]:
    """Select the parcels that nobody has unpacked."""
    return sa.select(Parcel).where(Parcel.unpacked_at.is_(None)).order_by(Parcel.id)


def _unpack_some(session: Session, published: Published, *, now: datetime) -> None:
    """Unpack the next parcels; on PostgreSQL other workers meanwhile take the next ones."""
    some = session.scalars(_waiting().limit(AT_ONCE).with_for_update(skip_locked=True)).all()
    for parcel in some:
        _unpack(session, published, parcel)
        parcel.unpacked_at = now


def _unpack(session: Session, published: Published, parcel: Parcel) -> None:
    """Write the interactions of one parcel; the weigher hears of those that are somebody's."""
    events = [event_of(kept) for kept in parcel.events]
    visit = _visit(session, published, parcel)
    claim = session.get(Claim, parcel.claim_id) if parcel.claim_id else None
    contact_id = parcel.contact_id
    if contact_id is None and claim is not None and parcel.proven:
        contact_id = claim.contact_id
    circumstances = Circumstances(
        own_staff=claim is not None and claim.own_staff,
        begun_at=visit.started_at if visit else None,
        around=around(session, parcel, events),
    )
    rows = []
    for event, judged in zip(events, judge(parcel, events, circumstances), strict=True):
        rows.append(
            {
                "id": event.id,
                "type": event.type,
                "object": event.object,
                "category": _category(published, event),
                "properties": dict(event.properties),
                "occurred_at": event.occurred_at,
                "received_at": parcel.received_at,
                "visitor_id": parcel.visitor_id,
                "visit_id": visit.id if visit else None,
                "claim_id": parcel.claim_id,
                "contact_id": contact_id,
                "attribution": _attributed(parcel),
                "judged": judged.judged,
                "judged_because": judged.because,
                "judged_by": judged.rules,
            }
        )
    table, connection = table_of(Interaction), session.connection()
    insert = insert_in(connection.dialect.name)
    connection.execute(insert(table).on_conflict_do_nothing(), rows)
    if contact_id is not None:
        for event in events:
            log(session, EntryKind.INTERACTION, event.id, now=parcel.received_at)


def _visit(session: Session, published: Published, parcel: Parcel) -> Visit | None:
    """Return the visit that a browser's parcel belongs to; None where nothing may be linked."""
    if parcel.visitor_id is None or parcel.source is not Source.BROWSER:
        return None
    return visit_of(
        session,
        parcel.visitor_id,
        span(Site.of(published).visit),
        referrer=parcel.touch.get("referrer"),
        parameters=parcel.touch.get("parameters"),
        now=parcel.received_at,
    )


def _attributed(parcel: Parcel) -> Attributed:
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
