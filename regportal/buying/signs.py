"""
What contacts did, as it was known at a moment.

Whose an interaction is may become known later than the interaction. The weigher asks what was
known when a line of the log was written, so that reading the log late, or again, finds the same.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.rules import Sign
from regportal.buying.schema import Condition
from regportal.tracking.actions import Seen
from regportal.tracking.models import Attributed, Attribution, Interaction, Judged

COLUMNS = (
    Interaction.id,
    Interaction.type,
    Interaction.object,
    Interaction.category,
    Interaction.occurred_at,
    Interaction.received_at,
    Interaction.attribution,
    Interaction.judged,
    Interaction.contact_id,
    Interaction.claim_id,
    Interaction.properties,
)
"""What there is to know of an interaction, in the order of :class:`Seen`."""


def seen_at(session: Session, ids: Sequence[uuid.UUID], at: datetime) -> dict[uuid.UUID, Seen]:
    """Return these interactions as they were known at a moment."""
    if not ids:
        return {}
    return {seen.id: seen for seen in _read(session, Interaction.id.in_(ids), at)}


def done_by(
    session: Session,
    contacts: Collection[uuid.UUID],
    conditions: Collection[Condition],
    *,
    at: datetime,
) -> list[Sign]:
    """
    Return what these contacts themselves did that counts for any of the conditions.

    As it was known at ``at``, and as far back as the longest condition looks.
    """
    if not contacts or not conditions:
        return []
    since = at - max(condition.window for condition in conditions)
    lately = sa.and_(Interaction.occurred_at > since, Interaction.occurred_at <= at)
    first_hand = sa.select(Interaction.id).where(Interaction.contact_id.in_(contacts), lately)
    later = sa.select(Attribution.interaction_id).where(Attribution.contact_id.in_(contacts))
    theirs = Interaction.id.in_(sa.union(first_hand, later))
    rows = _read(session, sa.and_(theirs, lately, _concerns(conditions)), at)
    return [
        Sign(seen.id, contact, seen.type, seen.category, seen.occurred_at, seen.received_at)
        for seen in rows
        if (contact := own(seen)) in contacts and contact is not None
    ]


def _concerns(conditions: Collection[Condition]) -> sa.ColumnElement[bool]:
    """Say to the database which kinds of interaction can count."""
    kinds = {(condition.event, condition.categories) for condition in conditions}
    return sa.or_(
        *(
            sa.and_(Interaction.type == event, Interaction.category.in_(categories))
            if categories
            else Interaction.type == event
            for event, categories in sorted(kinds)
        )
    )


def own(seen: Seen) -> uuid.UUID | None:
    """Return the contact who did this himself: proven, and not a machine; else None."""
    counts = seen.attribution is Attributed.VERIFIED and seen.judged is Judged.PERSON
    return seen.contact_id if counts else None


def _read(session: Session, which: sa.ColumnElement[bool], at: datetime) -> list[Seen]:
    """Read interactions, in the order they became known, the last attribution laid over each."""
    rows = session.execute(
        sa.select(*COLUMNS, Attribution.id, Attribution.attribution, Attribution.contact_id)
        .outerjoin(
            Attribution,
            sa.and_(Attribution.interaction_id == Interaction.id, Attribution.at <= at),
        )
        .where(which, Interaction.received_at <= at)
        .order_by(Interaction.received_at, Interaction.id, Attribution.at, Attribution.id)
    )
    last = {row[0]: row for row in rows}
    return [_seen(*row) for row in last.values()]


def _seen(*row: Any) -> Seen:
    """Lay the last attribution, if there is one, over an interaction."""
    *columns, later, attribution, contact = row
    seen = Seen(*columns)
    if later is None:
        return seen
    return replace(seen, attribution=attribution, contact_id=contact)
