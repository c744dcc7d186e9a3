"""The list of accounts: companies, with who is there and what is open."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.lists.models import ListedPerson
from regportal.buying.models import ContactRole, Opportunity
from regportal.identity.models import Contact
from regportal.insight.filters import Filters, Owners, Word
from regportal.insight.paging import Page, Query, Run, page_of, prefixed
from regportal.insight.scope import seen_by


class Accounts(Filters):
    """Which accounts are listed."""

    q: Word | None = None
    """How the key begins: a company's domain, or a connector and its own key."""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account in a list."""

    key: str
    name: str | None
    """As a CRM calls it; None where none said so."""
    people: int
    last_at: datetime
    """When somebody of it did something last."""
    open: int
    """Opportunities that are open, in which somebody of it has a part."""


def page(
    session: Session,
    filters: Accounts,
    at: str | None = None,
    size: int = 50,
    *,
    owners: Owners = None,
) -> Page[AccountRow]:
    """
    Return a page of accounts, in the order of their keys.

    A seller sees, and counts, only whoever has a part in what he looks after.
    """
    account = ListedPerson.account
    query: Query = sa.select(
        account,
        sa.func.count().label("people"),
        sa.func.max(ListedPerson.last_at).label("last_at"),
    )
    query = query.where(account.is_not(None)).group_by(account)
    query = seen_by(query, ListedPerson.contact_id, owners)
    if filters.q is not None:
        query = query.where(prefixed(account, filters.q))
    found = page_of(session, [Run(query, (account,), falls=False)], at, size)
    told = _told(session, [row.account for row in found.rows], owners)
    return found.of(
        lambda rows: [
            AccountRow(
                key=row.account,
                name=told.get(row.account, (None, 0))[0],
                people=row.people,
                last_at=row.last_at,
                open=told.get(row.account, (None, 0))[1],
            )
            for row in rows
        ]
    )


def _told(
    session: Session, keys: Collection[str], owners: Owners
) -> Mapping[str, tuple[str | None, int]]:
    """Return of accounts how a CRM calls each, and in how many open purchases its people are."""
    query = (
        sa.select(
            *(ListedPerson.account, Opportunity.id, Opportunity.is_closed),
            (Opportunity.connector + ":" + Opportunity.account["external_id"].as_string()),
            Opportunity.account["name"].as_string(),
        )
        .join(Contact, Contact.person_id == ListedPerson.contact_id)
        .join(ContactRole, ContactRole.contact_id == Contact.id)
        .join(Opportunity, Opportunity.id == ContactRole.opportunity_id)
        .where(ListedPerson.account.in_(keys), ContactRole.until.is_(None))
        .order_by(Opportunity.told_at, Opportunity.id)
    )
    if owners is not None:
        query = query.where(Opportunity.owner_key.in_(sorted(owners)))
    names: dict[str, str] = {}
    there: dict[str, set[object]] = {}
    for key, opportunity, is_closed, whose, name in session.execute(query):
        if whose == key and name:
            names[key] = name
        if not is_closed:
            there.setdefault(key, set()).add(opportunity)
    return {key: (names.get(key), len(there.get(key, ()))) for key in keys}
