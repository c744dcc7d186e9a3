"""The list of accounts: companies, with who is there and what is open."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.accounts import NO_ACCOUNT
from regportal.buying.lists.models import ListedPerson
from regportal.buying.models import ContactRole, Opportunity
from regportal.errors import NotHereError
from regportal.identity.models import Contact
from regportal.insight.filters import Filters, Owners, Word
from regportal.insight.paging import MOST, Page, Query, Run, page_of, prefixed
from regportal.insight.scope import owned_by, seen_by


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
    query = _counted(owners).where(account.is_not(None))
    if filters.q is not None:
        query = query.where(prefixed(account, filters.q))
    found = page_of(session, [Run(query, (account,), falls=False)], at, size)
    return found.of(lambda rows: _rows(session, rows, owners))


def account(session: Session, key: str, *, owners: Owners = None) -> AccountRow:
    """Return one account; raise NotHereError where there is none, or these sellers see nobody."""
    rows = session.execute(_counted(owners).where(ListedPerson.account == key)).all()
    if not rows:
        raise NotHereError(NO_ACCOUNT)
    return _rows(session, rows, owners)[0]


def open_in(session: Session, key: str, *, owners: Owners = None) -> Sequence[Opportunity]:
    """Return the open opportunities of an account's people, whose phase changed last first."""
    theirs = (
        sa.select(ContactRole.opportunity_id)
        .join(Contact, Contact.id == ContactRole.contact_id)
        .join(ListedPerson, ListedPerson.contact_id == Contact.person_id)
        .where(ListedPerson.account == key, ContactRole.until.is_(None))
    )
    query = (
        sa.select(Opportunity)
        .where(Opportunity.id.in_(theirs), Opportunity.is_closed.is_(False))
        .order_by(Opportunity.phase_since.desc(), Opportunity.id.desc())
        .limit(MOST)
    )
    return session.scalars(owned_by(query, owners)).all()


def _counted(owners: Owners) -> Query:
    """Select accounts, and how many people of each these sellers see."""
    account = ListedPerson.account
    query: Query = sa.select(
        account,
        sa.func.count().label("people"),
        sa.func.max(ListedPerson.last_at).label("last_at"),
    ).group_by(account)
    return seen_by(query, ListedPerson.contact_id, owners)


def _rows(session: Session, rows: Sequence[Any], owners: Owners) -> list[AccountRow]:
    """Return accounts as they are shown."""
    told = _told(session, [row.account for row in rows], owners)
    return [
        AccountRow(
            key=row.account,
            name=told.get(row.account, (None, 0))[0],
            people=row.people,
            last_at=row.last_at,
            open=told.get(row.account, (None, 0))[1],
        )
        for row in rows
    ]


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
    query = owned_by(query, owners)
    names: dict[str, str] = {}
    there: dict[str, set[object]] = {}
    for key, opportunity, is_closed, whose, name in session.execute(query):
        if whose == key and name:
            names[key] = name
        if not is_closed:
            there.setdefault(key, set()).add(opportunity)
    return {key: (names.get(key), len(there.get(key, ()))) for key in keys}
