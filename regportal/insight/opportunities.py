"""The list of opportunities: which is in which phase, since when, and who looks after it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.lists.models import ListedPerson
from regportal.buying.models import ContactRole, Opportunity
from regportal.identity.models import Contact
from regportal.insight.filters import Filters, Owners, Word
from regportal.insight.paging import Page, Run, page_of
from regportal.insight.scope import owned_by


@dataclass(frozen=True, slots=True)
class MemberRow:
    """Somebody who has a part in an opportunity."""

    key: uuid.UUID
    email: str
    roles: list[str]
    is_primary: bool
    last_at: datetime | None
    """When he did something himself last; None: not yet worked out."""


class Opportunities(Filters):
    """Which opportunities are listed."""

    phase: Word | None = None
    owner: Word | None = None
    """The address, or the name, of who looks after it."""
    state: Literal["open", "won", "lost"] = "open"


@dataclass(frozen=True, slots=True)
class OpportunityRow:
    """One opportunity in a list."""

    key: uuid.UUID
    connector: str
    external_id: str
    name: str | None
    account: str | None
    phase: str
    since: datetime
    owner: str | None
    amount: str | None
    currency: str | None
    close_date: date | None
    url: str | None


def page(
    session: Session,
    filters: Opportunities,
    at: str | None = None,
    size: int = 50,
    *,
    owners: Owners = None,
) -> Page[OpportunityRow]:
    """Return a page of opportunities, those whose phase changed last first; a seller sees his."""
    one = Opportunity
    query = sa.select(
        *(one.id, one.connector, one.external_id, one.name, one.account["name"].as_string()),
        *(one.phase, one.phase_since, one.owner, one.amount, one.currency, one.close_date, one.url),
    ).where(one.is_closed.is_(filters.state != "open"))
    if filters.state != "open":
        query = query.where(one.is_won.is_(filters.state == "won"))
    if filters.phase is not None:
        query = query.where(one.phase == filters.phase)
    if filters.owner is not None:
        query = query.where(one.owner_key == filters.owner.strip().lower())
    query = owned_by(query, owners)
    found = page_of(session, [Run(query, (one.phase_since, one.id))], at, size)
    return found.of(lambda rows: [_row(row) for row in rows])


def members_of(session: Session, opportunity: uuid.UUID) -> Sequence[MemberRow]:
    """Return who has a part in an opportunity now, each person once, the last seen first."""
    listed = ListedPerson
    rows = session.execute(
        sa.select(Contact, ContactRole.role, ContactRole.is_primary, listed.last_at)
        .join(ContactRole, ContactRole.contact_id == Contact.id)
        .outerjoin(listed, listed.contact_id == Contact.person_id)
        .where(ContactRole.opportunity_id == opportunity, ContactRole.until.is_(None))
        .order_by(ContactRole.is_primary.desc(), ContactRole.since, Contact.email)
    )
    members: dict[uuid.UUID, MemberRow] = {}
    for contact, role, is_primary, last_at in rows:
        found = members.setdefault(
            contact.person_id,
            MemberRow(contact.id, contact.address.shown, [], is_primary, last_at),
        )
        if role and role not in found.roles:
            found.roles.append(role)
    return sorted(
        members.values(),
        key=lambda one: (one.last_at is None, -one.last_at.timestamp() if one.last_at else 0),
    )


def _row(row: Any) -> OpportunityRow:
    """Return an opportunity as it is shown."""
    key, connector, external_id, name, account, phase, since, owner, *rest = tuple(row)[:12]
    told = owner or {}
    shown = told.get("name") or told.get("email")
    return OpportunityRow(
        *(key, connector, external_id, name, account, phase, since),
        shown if isinstance(shown, str) else None,
        *rest,
    )
