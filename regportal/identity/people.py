"""
One person with several addresses: contacts joined by links that can be undone.

Nothing is fused: each address stays a contact with its own answers, permissions and history.
A link says that two are one person's; ``Contact.person_id`` is what follows from the links.

Whose word a link rests on decides what it is good for. A CRM's word lets two addresses count in
the same opportunity, and nothing more: what one of them left here is neither shown, exported,
erased nor asked for again under the other. That is decided from the links whenever it is read, so
there is no moment in which a CRM's mistake opens somebody else's page: not before the other
mailbox is proven, not after, not while the worker settles the proof. (Undoing the link at the
proof, which :func:`doubted_by` finds as well, would alone leave such moments.) An administrator's
word, and a proof of both mailboxes, make the addresses one person's *own*; but an address that
was left for another opens nothing any more.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import RegportalError
from regportal.identity.kin import Kin, kin_of, reached
from regportal.identity.models import Assurance, Contact, ContactLink
from regportal.identity.rules import PROOF, TRUSTED, why_not_joined
from regportal.store.ids import uuid7


def contacts_of(session: Session, person_id: uuid.UUID) -> list[Contact]:
    """Return all addresses that count as one person's, on whoever's word; the main one first."""
    found = session.scalars(
        sa.select(Contact).where(Contact.person_id == person_id).order_by(Contact.first_seen)
    ).all()
    return sorted(found, key=lambda contact: contact.id != person_id)


def own_contacts(session: Session, contact: Contact) -> list[Contact]:
    """
    Return this address and all others of its owner, the main one first.

    This is what his page, his export and his erasure are about: what a CRM joined is left out.
    """
    theirs = contacts_of(session, contact.person_id)
    return theirs if len(theirs) == 1 else _own(theirs, kin_of(session, [contact.id]), contact.id)


def ids_of_person(session: Session, contact_id: uuid.UUID) -> list[uuid.UUID]:
    """Return the ids of all contacts whose answers count as those of this one's owner."""
    return [one.id for one in own_contacts(session, session.get_one(Contact, contact_id))]


def ids_opened_by(session: Session, contact_id: uuid.UUID) -> list[uuid.UUID]:
    """Return the ids of all contacts whose answers a proof of this one may show; perhaps none."""
    own = ids_of_person(session, contact_id)
    return own if len(own) == 1 or not is_left(session, contact_id) else []


def keys_of_owner(session: Session, match_key: str) -> set[str]:
    """
    Return the keys of all addresses of whoever owns this one: in a browser of his he stays.

    An address that was left for another is somebody else's by now, from either side.
    """
    contact = session.scalars(sa.select(Contact).where(Contact.match_key == match_key)).first()
    own = own_contacts(session, contact) if contact is not None else []
    if contact is None or len(own) == 1:
        return {match_key}
    kept = {one.match_key for one in own if not is_left(session, one.id)}
    return kept if match_key in kept else {match_key}


def is_left(session: Session, contact_id: uuid.UUID) -> bool:
    """
    Return whether an address was left for another one, which was proven in its stead.

    Whoever reads that mailbox now need not be whom we knew by it. He may decide what is sent
    there; the page of the person opens by the new address alone (security.md 2.2, 2.3).
    """
    return kin_of(session, [contact_id]).is_left(contact_id)


def join(
    session: Session, kept: Contact, joined: Contact, *, because: str, by: str, now: datetime
) -> None:
    """
    Take two addresses for one person's from now on; ``kept`` names the person.

    ``by`` is ``administrator``, ``proof`` (the owner proved both, and leaves ``joined`` for
    ``kept``), or ``crm:<connector>``. Raises RegportalError where they are one person already,
    or nobody may decide it so.
    """
    theirs = _held(session, kept, joined)
    kin = kin_of(session, [kept.id, joined.id])
    returns = by == PROOF and kin.is_left(kept.id) and joined.id in kin.own(kept.id)
    refusal = None if returns else _refusal(kin, theirs, kept, joined, by)
    if refusal is not None:
        raise RegportalError(refusal)
    loose = [] if by not in TRUSTED else [kin.above(one.id) for one in (kept, joined)]
    if returns:
        loose.append(kin.leaving(kept.id))
    for link in loose:
        if link is not None:
            link.undone_at = now
    _name(theirs, kin)
    _link(session, joined.person_id, kept.person_id, because, by, now)
    kin = _named_anew(session, theirs)
    for link in loose:  # what a CRM said still holds: of the person as a whole
        if link is not None and link.by not in TRUSTED:
            _say_again(session, kin, theirs, link, kept, now)
            kin = _named_anew(session, theirs)


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
    _undo(link, f"undone by {by}: {because}", now)
    _named_anew(session, theirs)


def doubted_by(session: Session, contact: Contact) -> list[Contact]:
    """
    Return the addresses to split, now that this one is proven: two proven people are never fused.

    Each was joined on a CRM's word alone, between this one's owner and another proven person.
    """
    theirs = {one.id: one for one in _held(session, contact)}
    kin = kin_of(session, [contact.id])
    proven = {one.id for one in theirs.values() if one.assurance == Assurance.VERIFIED}
    own, live = kin.own(contact.id), [link for link in kin.links if link.undone_at is None]
    doubtful = []
    for link in live:
        ends = {link.contact_id, link.person_id}
        if link.by not in TRUSTED and ends & own:
            (other,) = ends - own
            beyond = reached(other, (one for one in live if one is not link))
            if beyond & proven:
                doubtful.append(theirs[link.contact_id])
    return doubtful


def let_go(session: Session, contacts: Sequence[Contact], *, now: datetime) -> None:
    """Undo every link between these and others: they are about to be erased, the others stay."""
    theirs = _held(session, *contacts)
    gone = {one.id for one in contacts}
    for link in kin_of(session, gone).links:
        if link.undone_at is None and len({link.contact_id, link.person_id} & gone) == 1:
            _undo(link, "undone: the other one was erased", now)
    _named_anew(session, theirs)


def _own(theirs: Sequence[Contact], kin: Kin, contact_id: uuid.UUID) -> list[Contact]:
    """Return those of these contacts that are one owner's, the main one first."""
    own = kin.own(contact_id)
    joined = {
        link.contact_id for link in kin.links if link.undone_at is None and link.person_id in own
    }
    return sorted((one for one in theirs if one.id in own), key=lambda one: one.id in joined)


def _refusal(
    kin: Kin, theirs: Sequence[Contact], kept: Contact, joined: Contact, by: str
) -> str | None:
    """Return why two addresses are not joined, or None where they are."""
    together = kept.person_id == joined.person_id
    if joined.id in kin.own(kept.id) or (together and by not in TRUSTED):
        return f"{kept.email} and {joined.email} are one person already"
    if by == PROOF and (kin.is_left(kept.id) or kin.is_left(joined.id)):
        return "one of these addresses was left for another: a person must decide"
    sides = [
        {one.assurance.value for one in theirs if one.person_id == side.person_id}
        for side in (kept, joined)
    ]
    return why_not_joined(*sides, by=by)


def _link(
    session: Session,
    contact_id: uuid.UUID,
    person_id: uuid.UUID,
    because: str,
    by: str,
    now: datetime,
) -> None:
    """Add a link."""
    session.add(
        ContactLink(
            id=uuid7(),
            contact_id=contact_id,
            person_id=person_id,
            because=because,
            by=by,
            made_at=now,
        )
    )
    session.flush()


def _say_again(
    session: Session,
    kin: Kin,
    theirs: Sequence[Contact],
    link: ContactLink,
    kept: Contact,
    now: datetime,
) -> None:
    """Join again whom a CRM named, but to the person that was made since; not two proven ones."""
    other = next(one for one in theirs if one.id == link.person_id)
    proven = {one.id for one in theirs if one.assurance == Assurance.VERIFIED}
    both = [kin.together(one.id, now) for one in (kept, other)]
    if both[0] != both[1] and not all(side & proven for side in both):
        _link(session, other.person_id, kept.person_id, link.because, link.by, now)


def _undo(link: ContactLink, because: str, now: datetime) -> None:
    """Let a link hold no longer, and keep why."""
    link.undone_at = now
    link.because = f"{link.because}; {because}"


def _named_anew(session: Session, contacts: Sequence[Contact]) -> Kin:
    """Let each contact bear the name of the one it is joined to in the end."""
    session.flush()
    kin = kin_of(session, [one.id for one in contacts])
    _name(contacts, kin)
    session.flush()
    return kin


def _name(contacts: Sequence[Contact], kin: Kin) -> None:
    """Do so by the links as they are in memory."""
    onward = {link.contact_id: link.person_id for link in kin.links if link.undone_at is None}
    for one in contacts:
        person = one.id
        while person in onward:
            person = onward[person]
        one.person_id = person


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
