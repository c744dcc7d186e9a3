"""What a seller sees: whoever has a part in an opportunity that is his to look after."""

import uuid
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import ContactRole, Opportunity
from regportal.errors import NotHereError
from regportal.identity.models import Contact
from regportal.insight.filters import Owners
from regportal.insight.paging import Query
from regportal.store.words import N_

NOBODY = N_("There is no such contact.")
NOTHING = N_("There is no such opportunity.")


def people_of(owners: frozenset[str]) -> sa.Select[uuid.UUID]:
    """Select the people who have a part in these sellers' opportunities now."""
    return (
        sa.select(Contact.person_id)
        .join(ContactRole, ContactRole.contact_id == Contact.id)
        .join(Opportunity, Opportunity.id == ContactRole.opportunity_id)
        .where(Opportunity.owner_key.in_(sorted(owners)), ContactRole.until.is_(None))
    )


def seen_by(query: Query, person: Any, owners: Owners) -> Query:
    """Narrow a query to people whom these sellers see; ``person`` is their column."""
    return query if owners is None else query.where(person.in_(people_of(owners)))


def contact_seen(session: Session, contact: uuid.UUID, owners: Owners) -> Contact:
    """Return a contact whom these sellers see; raise NotHereError for anybody else."""
    found = session.get(Contact, contact)
    if found is not None and owners is not None:
        theirs = people_of(owners).where(Contact.person_id == found.person_id)
        found = found if session.scalars(theirs.limit(1)).first() else None
    if found is None:
        raise NotHereError(NOBODY)
    return found


def opportunity_seen(session: Session, opportunity: uuid.UUID, owners: Owners) -> Opportunity:
    """Return an opportunity that these sellers see; raise NotHereError for any other one."""
    query = sa.select(Opportunity).where(Opportunity.id == opportunity)
    found: Opportunity | None = session.scalars(owned_by(query, owners)).first()
    if found is None:
        raise NotHereError(NOTHING)
    return found


def owners_but(session: Session, known: Collection[str], *, most: int) -> Sequence[str]:
    """Return who looks after opportunities and is none of these, ``most`` of them."""
    key = Opportunity.owner_key
    query = sa.select(key).where(key.is_not(None), key.not_in(sorted(known))).distinct()
    return [one for one in session.scalars(query.order_by(key).limit(most)) if one]


def owned_by(query: Any, owners: Owners) -> Any:
    """Narrow a query of opportunities to those that these sellers look after."""
    return query if owners is None else query.where(Opportunity.owner_key.in_(sorted(owners)))
