"""What one person did: what is proven to be his, and apart from it what is only claimed."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.models import Claim, ClaimState
from regportal.identity.people import contacts_of
from regportal.insight.filters import Filters, Owners
from regportal.insight.paging import Mark, Page, Run, page_of, paged
from regportal.insight.scope import contact_seen
from regportal.tracking.actions import NOW, Seen
from regportal.tracking.events import Type
from regportal.tracking.later import ATTRIBUTION, JUDGED, known_now
from regportal.tracking.models import Attributed, Interaction, Judged
from regportal.tracking.series import Wanted
from regportal.tracking.series import page_of as series_page


class Deeds(Filters):
    """Which interactions are listed."""

    type: tuple[Type, ...] = ()
    judged: Judged | None = None
    """Only what people did, or machines; else both."""


@dataclass(frozen=True, slots=True)
class DeedRow:
    """One interaction in a list."""

    id: uuid.UUID
    type: str
    object: str
    category: str | None
    occurred_at: datetime
    attribution: str
    judged: str
    judged_because: str | None
    properties: Mapping[str, Any]


def proven(
    session: Session,
    contact: uuid.UUID,
    filters: Deeds,
    at: str | None = None,
    size: int = 50,
    *,
    owners: Owners = None,
) -> Page[DeedRow]:
    """
    Return a page of what counts as a person's own, under all of his addresses, newest first.

    Raises NotHereError where there is no such contact, or a seller does not see him, and
    BadRequestError for a mark of another list.
    """
    person = contact_seen(session, contact, owners).person_id
    theirs = [one.id for one in contacts_of(session, person)]
    wanted = Wanted(theirs, frozenset(filters.type), filters.judged)

    def some(mark: Mark, most: int) -> list[tuple[Mark, Seen]]:
        place = (mark.keys[0], mark.keys[1]) if mark.keys else None
        found, _ = series_page(session, wanted, place, most, back=mark.back)
        return [(Mark(0, (one.occurred_at, one.id)), one) for one in found]

    found = paged(some, [[datetime, uuid.UUID]], at, size)
    return found.of(lambda rows: [_row(one) for one in rows])


def claimed(
    session: Session,
    contact: uuid.UUID,
    filters: Deeds,
    at: str | None = None,
    size: int = 50,
    *,
    owners: Owners = None,
) -> Page[DeedRow]:
    """
    Return a page of what was done by somebody who only says that he is this person, newest first.

    Raises NotHereError and BadRequestError as :func:`proven` does.
    """
    person = contact_seen(session, contact, owners).person_id
    keys = [one.match_key for one in contacts_of(session, person)]
    open_ones = sa.select(Claim.id).where(Claim.match_key.in_(keys), Claim.state == ClaimState.OPEN)
    query = known_now(sa.select(*NOW)).where(
        Interaction.claim_id.in_(open_ones), ATTRIBUTION.in_([Attributed.CLAIMED])
    )
    if filters.type:
        query = query.where(Interaction.type.in_(filters.type))
    if filters.judged is not None:
        query = query.where(JUDGED.in_([filters.judged]))
    run = Run(query, (Interaction.occurred_at, Interaction.id))
    return page_of(session, [run], at, size).of(
        lambda rows: [_row(Seen(*row[: len(NOW)])) for row in rows]
    )


def _row(seen: Seen) -> DeedRow:
    """Return an interaction as it is shown."""
    return DeedRow(
        *(seen.id, seen.type, seen.object, seen.category, seen.occurred_at),
        *(Attributed(seen.attribution).value, Judged(seen.judged).value, seen.judged_because),
        properties=seen.properties,
    )
