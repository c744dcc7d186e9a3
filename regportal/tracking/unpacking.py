"""Unpacking what was told: each event an interaction, judged, in its visit, under a name."""

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.models import Claim, Contact
from regportal.library.schema import Asset
from regportal.store.among import among
from regportal.store.bulk import Row, insert_groups
from regportal.store.compact import read_json
from regportal.store.documents import Published, Shelf
from regportal.store.facts import table_of
from regportal.store.sessions import Store
from regportal.tracking.actions import log_all
from regportal.tracking.models import Attributed, EntryKind, Interaction, Parcel
from regportal.tracking.verdicts import (
    BELIEVED,
    Around,
    Circumstances,
    Kept,
    around_all,
    judge,
)
from regportal.tracking.visits import Sitting, Visits

AT_ONCE = 64
"""Parcels of one transaction, as far as they are not too full."""
MOST = 1280
"""Events after which no other parcel is begun: other writers wait no longer than for these."""
IN_HAND = timedelta(milliseconds=500)
"""When to look again for parcels that another worker is unpacking: it may die of them."""
OWN = (
    *("id", "type", "object", "category", "properties", "occurred_at"),
    *("judged", "judged_because", "judged_by"),
)
SHARED = ("received_at", "visitor_id", "visit_id", "claim_id", "contact_id", "attribution")
"""Columns of an interaction: its own, and those that all of one parcel share."""
CLAIM, CONTACT = SHARED.index("claim_id"), SHARED.index("contact_id")
Group = tuple[Row, Sequence[Row]]
"""What the interactions of a parcel share, and what is the own of each."""
PARCEL = table_of(Parcel).c
WAITING = sa.select(PARCEL.id).where(PARCEL.unpacked_at.is_(None)).limit(1)
"""A parcel that nobody has unpacked."""
NEXT = (
    sa.select(
        *(PARCEL.id, PARCEL.received_at, PARCEL.source, PARCEL.agent, PARCEL.purpose),
        *(PARCEL.visitor_id, PARCEL.claim_id, PARCEL.contact_id, PARCEL.proven, PARCEL.own_staff),
        *(PARCEL.touch, sa.cast(PARCEL.events, sa.Text).label("events")),
    )
    .where(PARCEL.unpacked_at.is_(None))
    .order_by(PARCEL.id)
    .limit(AT_ONCE)
    .with_for_update(skip_locked=True)
)
"""The next ones, with their events as text: not all of them may be opened."""
DONE_WITH = sa.update(table_of(Parcel)).where(among(PARCEL.id))
"""What says of parcels that they are unpacked."""
MADE, KNOWN = table_of(Claim), table_of(Contact)
CLAIMS = (
    sa.select(MADE.c.id, MADE.c.contact_id, MADE.c.own_staff, KNOWN.c.id.label("is_about"))
    .select_from(MADE.outerjoin(KNOWN, KNOWN.c.match_key == MADE.c.match_key))
    .where(among(MADE.c.id))
)
"""Claims: whose each is, who made it, and whom we know by its address."""


def unpack(
    store: Store, shelf: Shelf, *, now: datetime, on_heard: Callable[[], None] = lambda: None
) -> datetime | None:
    """
    Unpack every parcel that waits, oldest first, some of them a transaction.

    ``on_heard`` is called whenever the weigher has something to read, which it seldom has: most
    interactions are nobody's. Returns when to come back where another worker has the rest in hand;
    None: for the next parcel.
    """
    some = partial(_unpack_some, shelf=shelf, now=now)
    while _is_waiting(store):
        done = store.write(some, patient=True)
        if done.heard:
            on_heard()
        if done.is_all:
            return now + IN_HAND if _is_waiting(store) else None
    return None


def _is_waiting(store: Store) -> bool:
    """Return whether any parcel waits; costs no writer anything."""
    with store.read() as session:
        return session.execute(WAITING).first() is not None


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of one transaction."""

    heard: int
    """Of how many interactions the weigher hears."""
    is_all: bool
    """Whether that was all there was: what has come since wakes us again."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A parcel with its events; its row has the names of :class:`Parcel`."""

    parcel: Any
    events: Sequence[Kept]


def _unpack_some(session: Session, *, shelf: Shelf, now: datetime) -> _Done:
    """Unpack the next parcels; on PostgreSQL other workers meanwhile take the next ones."""
    opened: list[_Opened] = []
    left = MOST
    waiting = session.connection().execute(NEXT).all()
    for parcel in waiting:
        if left > 0:
            opened.append(_Opened(parcel, read_json(parcel.events)))
            left -= len(opened[-1].events)
    if not opened:
        return _Done(0, is_all=True)
    published = shelf.published(session)
    visits = Visits.look_up(session, published, [one.parcel for one in opened])
    claims = _claims(session, {one.parcel.claim_id for one in opened} - {None})
    around = around_all(session, [(one.parcel, one.events) for one in opened])
    groups = [
        _interactions(
            one, published, visits.of(one.parcel), claims.get(one.parcel.claim_id), around
        )
        for one in opened
    ]
    named = [
        (shared, rows)
        for shared, rows in groups
        if shared[CONTACT] or (shared[CLAIM] and claims[shared[CLAIM]].is_about)
    ]
    heard = [
        (row[0], shared[0], shared[CONTACT] or claims[shared[CLAIM]].is_about)
        for shared, rows in named
        for row in rows
    ]
    visits.keep(session)
    insert_groups(session, Interaction, OWN, SHARED, groups, once=True)
    log_all(session, EntryKind.INTERACTION, heard)
    done_with = {"unpacked_at": now, "ids": [one.parcel.id for one in opened]}
    session.connection().execute(DONE_WITH, done_with)
    return _Done(len(heard), is_all=len(waiting) < AT_ONCE)


def _claims(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID | None, Any]:
    """Return of these claims whose each is, whom we know by its address, and who made it."""
    if not ids:
        return {}
    rows = session.connection().execute(CLAIMS, {"ids": ids})
    return {row.id: row for row in rows}


def _interactions(
    one: _Opened, published: Published, sitting: Sitting | None, claim: Any, around: Around
) -> Group:
    """Return the interactions of one parcel."""
    parcel = one.parcel
    contact_id = parcel.contact_id
    if contact_id is None and claim is not None and parcel.proven:
        contact_id = claim.contact_id
    circumstances = Circumstances(
        own_staff=claim is not None and claim.own_staff,
        begun_at=sitting.started_at if sitting else None,
        around=around.of(parcel, one.events),
    )
    shared = (
        parcel.received_at,
        parcel.visitor_id,
        sitting.id if sitting else None,
        parcel.claim_id,
        contact_id,
        _attributed(parcel).value,
    )
    return shared, [
        (
            kept["id"],
            kept["type"],
            kept["object"],
            _category(published, kept),
            kept["properties"],
            kept["occurred_at"],
            judged.judged.value,
            judged.because,
            judged.rules,
        )
        for kept, judged in zip(one.events, judge(parcel, one.events, circumstances), strict=True)
    ]


def _attributed(parcel: Any) -> Attributed:
    """Return whose it is, as far as was known when it was told."""
    if parcel.proven:
        return Attributed.VERIFIED
    if parcel.source in BELIEVED:
        return Attributed.IMPORTED if parcel.contact_id else Attributed.ANONYMOUS
    return Attributed.CLAIMED if parcel.claim_id else Attributed.ANONYMOUS


def _category(published: Published, kept: Kept) -> Any:
    """Return what kind of thing an event is about: of our own assets we know it better."""
    asset = published.find(Asset, kept["object"])
    return asset.category if asset is not None else kept["category"]
