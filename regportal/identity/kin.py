"""Who is one person with whom: what the links between contacts say, now and at any moment."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.models import ContactLink
from regportal.identity.rules import PROOF, TRUSTED


@dataclass(frozen=True, slots=True)
class Kin:
    """Who was one person with whom, and from when until when."""

    links: Sequence[ContactLink]

    def everybody(self, contacts: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Return these contacts, and all that ever were one person with one of them."""
        ends = {end for link in self.links for end in (link.contact_id, link.person_id)}
        return {*contacts, *ends}

    def ever(self, contact: uuid.UUID) -> set[uuid.UUID]:
        """Return every contact that ever was one person with this one; itself too."""
        return reached(contact, self.links)

    def together(self, contact: uuid.UUID, at: datetime) -> set[uuid.UUID]:
        """Return every contact that was one person with this one at a moment; itself too."""
        held = (
            link
            for link in self.links
            if link.made_at <= at and (link.undone_at is None or at < link.undone_at)
        )
        return reached(contact, held)

    def joined_since(self, contact: uuid.UUID, other: uuid.UUID) -> datetime | None:
        """Return since when two who are one person now have been so; None: ever, or never."""
        for link in self._live:  # oldest first
            before = [one for one in self._live if one.made_at <= link.made_at]
            if other in reached(contact, before):
                return None if other == contact else link.made_at
        return None

    def own(self, contact: uuid.UUID) -> set[uuid.UUID]:
        """Return the contacts that are the same person's by now, on better than a CRM's word."""
        return reached(contact, (link for link in self._live if link.by in TRUSTED))

    def above(self, contact: uuid.UUID) -> ContactLink | None:
        """Return by what a contact's own addresses are joined to another's; None: by nothing."""
        own = self.own(contact)
        links = (one for one in self._live if one.contact_id in own and one.person_id not in own)
        return next(links, None)

    def leaving(self, contact: uuid.UUID) -> ContactLink | None:
        """Return by what a contact was left for another; None where its owner still has it."""
        decided = [link for link in self._live if link.by in TRUSTED]
        same = reached(contact, (link for link in decided if link.by != PROOF))
        links = (one for one in decided if one.by == PROOF and one.contact_id in same)
        return next(links, None)

    def is_left(self, contact: uuid.UUID) -> bool:
        """Return whether its owner proved another address, and wants to be written to there."""
        return self.leaving(contact) is not None

    @property
    def _live(self) -> list[ContactLink]:
        """Return the links that hold."""
        return [link for link in self.links if link.undone_at is None]


def reached(start: uuid.UUID, links: Iterable[ContactLink]) -> set[uuid.UUID]:
    """Return every contact that these links lead to, however far; where they start, too."""
    beside = defaultdict(set)
    for link in links:
        beside[link.contact_id].add(link.person_id)
        beside[link.person_id].add(link.contact_id)
    found, new = {start}, {start}
    while new:
        new = {end for one in new for end in beside[one]} - found
        found |= new
    return found


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
