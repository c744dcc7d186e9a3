"""Whom somebody's right is about: a person with all addresses, or whoever only claimed one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import NotHereError
from regportal.identity.actions import find_contact
from regportal.identity.addresses import read_address
from regportal.identity.models import Claim, Contact
from regportal.identity.people import own_contacts
from regportal.store.ids import uuid7


@dataclass(frozen=True, slots=True)
class Whom:
    """A person: the contacts that are his, and the addresses he is known by."""

    key: str
    """Our key for the person; of somebody who only claimed an address, one made for the report."""
    contacts: Sequence[Contact]
    match_keys: Collection[str]


def find_whom(session: Session, email: str) -> Whom:
    """
    Return whom an address belongs to: the person with all addresses, or whoever only claimed it.

    His are the addresses he proved or an administrator joined. One that only a CRM takes for his
    stays: it may be a colleague's, who never asked to be forgotten (it is erased by its own name).

    Raises NotHereError for an address under which nothing is kept.
    """
    contact = find_contact(session, email) if email.isprintable() else None
    if contact is not None:
        return whom_of(own_contacts(session, contact))
    try:
        match_key = read_address(email).match_key
    except ValueError:
        match_key = ""
    if session.scalar(sa.select(Claim.id).where(Claim.match_key == match_key).limit(1)) is None:
        raise NotHereError(f"nobody is known by the address {email!r}")
    return Whom(str(uuid7()), [], [match_key])


def left_out(session: Session, whom: Whom) -> list[str]:
    """Return the addresses that only a CRM takes for this person's, too: they are not his here."""
    together = sa.select(Contact.email).where(
        Contact.person_id.in_([one.person_id for one in whom.contacts]),
        Contact.id.not_in([one.id for one in whom.contacts]),
    )
    return list(session.scalars(together.order_by(Contact.email)))


def whom_of(contacts: Sequence[Contact]) -> Whom:
    """Return whom the addresses of one person stand for."""
    return Whom(str(contacts[0].person_id), contacts, [one.match_key for one in contacts])
