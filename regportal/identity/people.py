"""
One person with several addresses: contacts joined by links that can be undone.

Nothing is fused: each address stays a contact with its own answers, permissions and history.
A link says that two are one person's; ``Contact.person_id`` is what follows from the links.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import RegportalError
from regportal.identity.models import Contact, ContactLink
from regportal.identity.rules import why_not_joined
from regportal.store.ids import uuid7


@dataclass(frozen=True, slots=True)
class Kin:
    """Who was one person with whom, and from when until when."""

    links: Sequence[ContactLink]

    def everybody(self, contacts: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Return these contacts, and all that ever were one person with one of them."""
        ends = {end for link in self.links for end in (link.contact_id, link.person_id)}
        return {*contacts, *ends}

    def together(self, contact: uuid.UUID, at: datetime) -> set[uuid.UUID]:
        """Return every contact that was one person with this one at a moment; itself too."""
        beside = defaultdict(set)
        for link in self.links:
            if link.made_at <= at and (link.undone_at is None or at < link.undone_at):
                beside[link.contact_id].add(link.person_id)
                beside[link.person_id].add(link.contact_id)
        found, new = {contact}, {contact}
        while new:
            new = {end for one in new for end in beside[one]} - found
            found |= new
        return found


def contacts_of(session: Session, person_id: uuid.UUID) -> list[Contact]:
    """Return all addresses of one person, the main one first."""
    found = session.scalars(
        sa.select(Contact).where(Contact.person_id == person_id).order_by(Contact.first_seen)
    ).all()
    return sorted(found, key=lambda contact: contact.id != person_id)


def ids_of_person(contact_id: uuid.UUID) -> sa.Select[uuid.UUID]:
    """Return the query for the ids of all contacts that are one person with this one."""
    mine = sa.select(Contact.person_id).where(Contact.id == contact_id).scalar_subquery()
    return sa.select(Contact.id).where(Contact.person_id == mine)


def kin_of(session: Session, contacts: Iterable[uuid.UUID]) -> Kin:
    """Return every link that ever joined one of these contacts with another, and so on."""
    known = set(contacts)
    links: Sequence[ContactLink] = ()
    while known:
        links = session.scalars(
            sa.select(ContactLink)
            .where(sa.or_(ContactLink.contact_id.in_(known), ContactLink.person_id.in_(known)))
            .order_by(ContactLink.made_at, ContactLink.id)
        ).all()
        more = Kin(links).everybody(known) - known
        if not more:
            break
        known |= more
    return Kin(links)


def join(
    session: Session, kept: Contact, joined: Contact, *, because: str, by: str, now: datetime
) -> None:
    """
    Take two addresses for one person's from now on; ``kept`` names the person.

    ``by`` is ``administrator``, ``proof`` (the owner proved both), or ``crm:<connector>``.
    Raises RegportalError where they are one person already, or nobody may decide it so.
    """
    theirs = _held(session, kept, joined)
    if kept.person_id == joined.person_id:
        raise RegportalError(f"{kept.email} and {joined.email} are one person already")
    sides = [
        {one.assurance.value for one in theirs if one.person_id == side.person_id}
        for side in (kept, joined)
    ]
    refusal = why_not_joined(*sides, by=by)
    if refusal is not None:
        raise RegportalError(refusal)
    person, before = kept.person_id, joined.person_id
    session.add(
        ContactLink(
            id=uuid7(), contact_id=before, person_id=person, because=because, by=by, made_at=now
        )
    )
    for one in theirs:
        if one.person_id == before:
            one.person_id = person
    session.flush()


def split(session: Session, joined: Contact, *, because: str, by: str, now: datetime) -> None:
    """
    Take back that an address is another person's: it, and what was joined to it, is its own again.

    Raises RegportalError where it is joined to nobody, or where it is the main one of several.
    """
    theirs = _held(session, joined)
    live = [link for link in kin_of(session, [joined.id]).links if link.undone_at is None]
    link = next((one for one in live if one.contact_id == joined.id), None)
    if link is None and len(live) == 1:  # of two it does not matter which one is named
        (link,) = live
    if link is None:
        others = ", ".join(one.email for one in theirs if one.id != joined.id)
        says = f"{joined.email} is joined to no other address"
        if others:
            says = f"{joined.email} is the main address of a person: split one of {others}"
        raise RegportalError(says)
    link.undone_at = now
    link.because = f"{link.because}; undone by {by}: {because}"
    apart = Kin([one for one in live if one is not link]).together(link.contact_id, now)
    for one in theirs:
        if one.id in apart:
            one.person_id = link.contact_id
    session.flush()


def _held(session: Session, *contacts: Contact) -> Sequence[Contact]:
    """Return all addresses of these people, held until the transaction ends."""
    session.flush()
    persons = sa.select(Contact.person_id).where(Contact.id.in_([one.id for one in contacts]))
    return session.scalars(
        sa.select(Contact)
        .where(Contact.person_id.in_(persons))
        .order_by(Contact.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
