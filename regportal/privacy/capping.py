"""Keeping no more than we said of what nobody is known for: a flood must not fill the disk."""

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import KnownInteraction
from regportal.store.sessions import Store
from regportal.tracking.models import (
    Attribution,
    Interaction,
    Judged,
    Parcel,
    Told,
    Verdict,
)

OF_ONE = 10_000
"""Of what one browser did unknown, or a machine in it, so much is kept."""
CALLS = 5
"""To so many interactions one call is kept as it came: it is a few times as large."""
AT_ONCE = 500
"""Rows of one transaction: other writers wait no longer than for these."""
LISTED = 100_000
"""Ids in memory at a time."""


def cap(store: Store, most: int) -> dict[str, int]:
    """
    Delete what is more than ``most`` interactions that nobody is known for, a little at a time.

    First what one browser did beyond ``OF_ONE``, then what can never be linked to anybody, then
    the rest; of each the oldest. Returns how many of each kind went.
    """
    did: Counter[str] = Counter()
    with store.read() as session:
        full = session.scalars(_full_browsers()).all()
    for browser in full:
        did["interactions"] += _without(store, _beyond(browser))
    while gone := _without(store, _surplus(store, most)):
        did["interactions"] += gone
    while gone := store.write(partial(_calls, most=most // CALLS)):
        did["parcels"] += gone
    return {kind: number for kind, number in did.items() if number}


def remove_interactions(session: Session, ids: Sequence[uuid.UUID]) -> int:
    """Delete interactions with all that became known of them; return how many they were."""
    for table, column in (
        (Attribution, Attribution.interaction_id),
        (Verdict, Verdict.interaction_id),
        (KnownInteraction, KnownInteraction.interaction_id),
        (Interaction, Interaction.id),
    ):
        session.execute(
            sa.delete(table).where(column.in_(ids)).execution_options(synchronize_session=False)
        )
    return len(ids)


def nobodys() -> sa.ColumnElement[bool]:
    """Return the condition that nobody is known for an interaction, nor claims to be."""
    given = sa.exists().where(
        Attribution.interaction_id == Interaction.id, Attribution.contact_id.is_not(None)
    )
    return sa.and_(Interaction.contact_id.is_(None), Interaction.claim_id.is_(None), ~given)


def _machines() -> sa.ColumnElement[bool]:
    """Return the condition that a machine did it, and nobody ever said otherwise."""
    doubted = sa.exists().where(
        Verdict.interaction_id == Interaction.id, Verdict.judged == Judged.PERSON
    )
    return sa.and_(Interaction.judged == Judged.MACHINE, ~doubted)


def _full_browsers() -> sa.Select[Any]:
    """Select the browsers of which too much is kept."""
    return (
        sa.select(Interaction.visitor_id)
        .where(Interaction.visitor_id.is_not(None), sa.or_(nobodys(), _machines()))
        .group_by(Interaction.visitor_id)
        .having(sa.func.count() > OF_ONE)
    )


def _beyond(browser: uuid.UUID) -> sa.Select[Any]:
    """Select what is too much of one browser."""
    newest = (Interaction.received_at.desc(), Interaction.id.desc())
    theirs = sa.select(Interaction.id).where(
        Interaction.visitor_id == browser, sa.or_(nobodys(), _machines())
    )
    return theirs.order_by(*newest).offset(OF_ONE).limit(LISTED)


def _surplus(store: Store, most: int) -> sa.Select[Any]:
    """Select what is too much of all that nobody is known for."""
    with store.read() as session:
        there = session.scalar(sa.select(sa.func.count(Interaction.id)).where(nobodys())) or 0
    linked = Interaction.visitor_id.is_not(None)
    return (
        sa.select(Interaction.id)
        .where(nobodys())
        .order_by(linked, Interaction.received_at, Interaction.id)
        .limit(min(max(there - most, 0), LISTED))
    )


def _without(store: Store, which: sa.Select[Any]) -> int:
    """Delete these interactions, and forget that they were told; return how many went."""
    with store.read() as session:
        ids = session.scalars(which).all()
    return sum(store.write(partial(_forget, ids=some)) for some in _parts(ids))


def _parts(ids: Sequence[uuid.UUID]) -> Iterator[Sequence[uuid.UUID]]:
    """Yield ids, so many at a time."""
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]


def _forget(session: Session, ids: Sequence[uuid.UUID]) -> int:
    """Delete those of these interactions that are nobody's still."""
    still = sa.select(Interaction.id).where(Interaction.id.in_(ids), sa.or_(nobodys(), _machines()))
    locked = session.scalars(still.with_for_update(skip_locked=True)).all()
    session.execute(sa.delete(Told).where(Told.id.in_(locked)))
    return remove_interactions(session, locked)


def _calls(session: Session, *, most: int) -> int:
    """Delete some calls of nobody's that are too many, the oldest first."""
    theirs = (
        Parcel.unpacked_at.is_not(None),
        Parcel.contact_id.is_(None),
        Parcel.claim_id.is_(None),
    )
    there = session.scalar(sa.select(sa.func.count(Parcel.id)).where(*theirs)) or 0
    oldest = (
        sa.select(Parcel.id)
        .where(*theirs)
        .order_by(Parcel.received_at, Parcel.id)
        .limit(min(max(there - most, 0), AT_ONCE))
    )
    ids = session.scalars(oldest).all()
    session.execute(sa.delete(Parcel).where(Parcel.id.in_(ids)))
    return len(ids)
