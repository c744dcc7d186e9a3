"""What a seller sees: whoever has a part in an opportunity that is his to look after."""

import uuid
from typing import Any

import sqlalchemy as sa

from regportal.buying.models import ContactRole, Opportunity
from regportal.identity.models import Contact
from regportal.insight.filters import Owners
from regportal.insight.paging import Query


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
