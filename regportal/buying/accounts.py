"""Whose deeds are an account's: the CRM's own, or a company's by its domain."""

import uuid
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import ContactRole, Opportunity
from regportal.errors import NotHereError
from regportal.identity.addresses import Address, read_address
from regportal.identity.models import Assurance, Contact

NO_ACCOUNT = "There is no such account."


def contacts_of_account(session: Session, key: str) -> list[uuid.UUID]:
    """
    Return the contacts of an account; raise NotHereError where it is none.

    ``<connector>:<external id>`` is the CRM's account: theirs who have a part in one of its
    opportunities now. A domain is a company's: theirs who proved an address there, whatever
    stands before the domain it registered. One where anybody gets an address is nobody's account.
    """
    if not key.isprintable():  # no database takes it
        raise NotHereError(NO_ACCOUNT)
    connector, colon, external_id = key.partition(":")
    found = _of_crm(session, connector, external_id) if colon else _of_domain(session, key.lower())
    if found is None:
        raise NotHereError(NO_ACCOUNT)
    return found


def account_of(session: Session, contacts: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """
    Return of which account these contacts are, as far as anybody knows.

    The CRM's, where it gives them a part in an opportunity of one; else that of their company.
    """
    known = session.execute(
        sa.select(Contact.id, Contact.match_key).where(
            Contact.id.in_(contacts), Contact.assurance == Assurance.VERIFIED
        )
    )
    companies = {  # an address that is kept was read before
        one: company for one, key in known if (company := Address(key, key, key).company)
    }
    account = Opportunity.account["external_id"].as_string()
    told = session.execute(
        sa.select(ContactRole.contact_id, Opportunity.connector, account)
        .join(Opportunity, Opportunity.id == ContactRole.opportunity_id)
        .where(
            ContactRole.contact_id.in_(contacts), ContactRole.until.is_(None), account.is_not(None)
        )
        .order_by(ContactRole.since, ContactRole.id)
    )
    return companies | {one: f"{connector}:{external_id}" for one, connector, external_id in told}


def _of_crm(session: Session, connector: str, external_id: str) -> list[uuid.UUID] | None:
    """Return who has a part in an opportunity of this account; None where there is none."""
    theirs = (
        Opportunity.connector == connector,
        Opportunity.account["external_id"].as_string() == external_id,
    )
    if session.scalars(sa.select(Opportunity.id).where(*theirs).limit(1)).first() is None:
        return None
    query = (
        sa.select(ContactRole.contact_id)
        .join(Opportunity, Opportunity.id == ContactRole.opportunity_id)
        .where(*theirs, ContactRole.until.is_(None))
    )
    return [*session.scalars(query.distinct())]


def _of_domain(session: Session, domain: str) -> list[uuid.UUID] | None:
    """Return who proved an address of this company; None where nobody did, or it is none."""
    company = company_of(f"somebody@{domain}")
    if company is None:
        return None
    query = sa.select(Contact.id, Contact.match_key).where(
        sa.or_(
            *(
                Contact.match_key.endswith(f"{before}{company}", autoescape=True)
                for before in ("@", ".")
            )
        ),
        Contact.assurance == Assurance.VERIFIED,
    )
    found = session.execute(query)
    return [one for one, email in found if company_of(email) == company] or None


def company_of(email: str) -> str | None:
    """
    Return the domain that the company of an address registered, or None where there is none.

    >>> company_of("ann@mail.initech.co.uk"), company_of("ann@gmail.com"), company_of("x@co.uk")
    ('initech.co.uk', None, None)
    """
    try:
        return read_address(email).company
    except ValueError:
        return None
