"""What the CRM tells of its opportunities, and of who has a part in them."""

import enum
import uuid
from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import ContactRole, Opportunity, Snapshot
from regportal.buying.reading import (
    list_moves,
    model_of,
    moves_of,
    opportunities_of_contact,
    opportunity_shown,
)
from regportal.buying.telling import Part, Told
from regportal.buying.weigher import weigh
from regportal.identity.models import Contact
from regportal.store.ids import uuid7
from regportal.tracking.actions import log
from regportal.tracking.models import EntryKind

__all__ = [
    "Heard",
    "add_role",
    "end_parts",
    "find_opportunity",
    "list_moves",
    "model_of",
    "moves_of",
    "opportunities_of_contact",
    "opportunity_shown",
    "remove_role",
    "upsert_opportunity",
    "weigh",
]


WHOSE = (
    sa.select(ContactRole.contact_id)
    .where(ContactRole.opportunity_id == sa.bindparam("opportunity"))
    .order_by(ContactRole.since, ContactRole.id)
    .limit(1)
)
"""Who had a part in an opportunity first."""
LAST_BODY = (
    sa.select(Snapshot.body)
    .where(Snapshot.opportunity_id == sa.bindparam("opportunity"))
    .order_by(Snapshot.id.desc())
    .limit(1)
)
"""What was told of an opportunity last."""


def find_opportunity(session: Session, connector: str, external_id: str) -> Opportunity | None:
    """Return the opportunity of this name, held until the transaction ends, or None."""
    return session.scalars(
        sa.select(Opportunity)
        .where(Opportunity.connector == connector, Opportunity.external_id == external_id)
        .with_for_update()
    ).first()


class Heard(enum.Enum):
    """What a description of an opportunity brought."""

    NEWS = enum.auto()
    KNOWN = enum.auto()
    """Nothing that we did not know: what we write over there comes back so."""
    OLDER = enum.auto()
    """We were told something newer before."""


def upsert_opportunity(
    session: Session, connector: str, told: Told, *, start: str, now: datetime
) -> tuple[Opportunity, Heard]:
    """
    Keep what a CRM tells of an opportunity; a new one begins in the phase ``start``.

    An older description is kept in the series, and never overwrites a newer one. One that says
    what was said before is no other one, and no rule hears of it.
    """
    opportunity = find_opportunity(session, connector, told.external_id)
    is_new = opportunity is None
    if opportunity is None:
        opportunity = Opportunity(
            id=uuid7(),
            connector=connector,
            external_id=told.external_id,
            is_closed=False,
            is_won=False,
            told_at=told.told_at,
            phase=start,
            phase_since=now,
        )
        session.add(opportunity)
    heard = Heard.NEWS if opportunity.told_at <= told.told_at else Heard.OLDER
    if heard is Heard.NEWS:
        before = {column: getattr(opportunity, column) for column in told.columns}
        for column, value in told.columns.items():
            setattr(opportunity, column, value)
        opportunity.told_at = told.told_at
        if not is_new and before == dict(told.columns):
            heard = Heard.KNOWN
    session.flush()
    if heard is Heard.KNOWN and session.scalar(LAST_BODY, {"opportunity": opportunity.id}) == dict(
        told.body
    ):
        return opportunity, heard
    session.add(
        Snapshot(
            id=uuid7(),
            opportunity_id=opportunity.id,
            told_at=told.told_at,
            received_at=now,
            body=dict(told.body),
        )
    )
    if heard is Heard.NEWS:
        whose = session.scalars(WHOSE, {"opportunity": opportunity.id}).first()
        log(session, EntryKind.OPPORTUNITY, opportunity.id, whose=whose, now=now)
    return opportunity, heard


def add_role(
    session: Session, opportunity: Opportunity, contact: Contact, part: Part, *, now: datetime
) -> bool:
    """Give a contact a part in an opportunity; return False where we know something newer."""
    last = _last_part(session, opportunity, contact)
    if last is not None and last.told_at > part.told_at:
        return False
    if last is not None and last.until is None:
        last.told_at = part.told_at
        if (last.role, last.is_primary) == (part.role, part.is_primary):
            return True
        last.until = now
    _begin_part(session, opportunity, contact, part, now=now)
    log(session, EntryKind.OPPORTUNITY, opportunity.id, whose=contact.id, now=now)
    return True


def remove_role(
    session: Session, opportunity: Opportunity, contact: Contact, part: Part, *, now: datetime
) -> bool:
    """
    End a contact's part in an opportunity; return False where we know something newer.

    Of a part we never heard of it keeps the end, so that its late beginning changes nothing.
    """
    last = _last_part(session, opportunity, contact)
    if last is not None and last.told_at > part.told_at:
        return False
    if last is None:
        last = _begin_part(session, opportunity, contact, part, now=now)
    last.told_at = part.told_at
    if last.until is None:
        last.until = now
        log(session, EntryKind.OPPORTUNITY, opportunity.id, whose=contact.id, now=now)
    return True


def end_parts(
    session: Session, opportunity: Opportunity, but: Collection[uuid.UUID], *, now: datetime
) -> bool:
    """End the parts of all contacts but these; return whether there was one."""
    ended = session.scalars(
        sa.select(ContactRole).where(
            ContactRole.opportunity_id == opportunity.id,
            ContactRole.until.is_(None),
            ContactRole.contact_id.not_in(but),
        )
    ).all()
    for part in ended:
        part.until, part.told_at = now, max(part.told_at, opportunity.told_at)
        log(session, EntryKind.OPPORTUNITY, opportunity.id, whose=part.contact_id, now=now)
    return bool(ended)


def _last_part(session: Session, opportunity: Opportunity, contact: Contact) -> ContactRole | None:
    """Return the last thing we were told of this contact's part."""
    return session.scalars(
        sa.select(ContactRole)
        .where(
            ContactRole.opportunity_id == opportunity.id,
            ContactRole.contact_id == contact.id,
        )
        .order_by(ContactRole.since.desc(), ContactRole.id.desc())
        .limit(1)
    ).first()


def _begin_part(
    session: Session, opportunity: Opportunity, contact: Contact, part: Part, *, now: datetime
) -> ContactRole:
    """Write down that a contact has a part from now on."""
    begun = ContactRole(
        id=uuid7(),
        opportunity_id=opportunity.id,
        contact_id=contact.id,
        role=part.role,
        is_primary=part.is_primary,
        since=now,
        told_at=part.told_at,
    )
    session.add(begun)
    session.flush()
    return begun
