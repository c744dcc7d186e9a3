"""What some lines of the log are about: looked up at once, however many lines there are."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.facts import Sign
from regportal.buying.glance import ahead
from regportal.buying.models import ContactRole, KnownInteraction, Opportunity
from regportal.buying.schema import Buying
from regportal.buying.signs import AT_ONCE, Owned, Spell, done_by, owned
from regportal.identity.kin import Kin, kin_of
from regportal.identity.models import Contact
from regportal.tracking.models import Attributed, Attribution, EntryKind, LogEntry

T = TypeVar("T")
Line = tuple[LogEntry, datetime]
"""A line of the log, and its time in the log's own order."""
Later = Mapping[uuid.UUID | None, Mapping[uuid.UUID, datetime]]
"""By contact the interactions that became his, and when that was first said."""
ONE = frozenset({EntryKind.INTERACTION, EntryKind.VERDICT})
"""Kinds of lines that are about one interaction: it became known, or who did it did."""


@dataclass(frozen=True, slots=True)
class Role:
    """A contact's part in an opportunity, in [since, until)."""

    opportunity: uuid.UUID
    contact: uuid.UUID
    since: datetime
    until: datetime | None

    def holds(self, at: datetime) -> bool:
        """Return whether he has it at a moment."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Batch:
    """
    What some lines are about.

    ``told`` are the interactions that every CRM has been told of; who tells of one adds it.
    """

    interactions: Mapping[uuid.UUID, Owned]
    later: Later
    told: set[uuid.UUID]
    contacts: Mapping[uuid.UUID, Contact]
    opportunities: Mapping[uuid.UUID, Opportunity]
    roles_of: Mapping[uuid.UUID, Sequence[Role]]
    """By contact."""
    roles_in: Mapping[uuid.UUID, Sequence[Role]]
    """By opportunity."""
    spells: Mapping[uuid.UUID, Sequence[Spell]]
    """By contact: what he did that may count."""
    kin: Kin
    """Which of these contacts were one person, and when."""

    def became_known(self, line: LogEntry, at: datetime) -> tuple[uuid.UUID | None, list[Owned]]:
        """Return whom a line is about, if anybody, and what became known to be his own."""
        if line.kind in ONE:
            found = self.interactions.get(line.ref)
            owner = found.owner(at) if found else None
            return owner, [found] if found and owner else []
        said = self.later.get(line.ref, {})
        theirs = [self.interactions.get(each) for each, since in said.items() if since <= at]
        mine = [one for one in theirs if one and one.owner(at) == line.ref]
        return line.ref, sorted(mine, key=lambda one: (one.taken.received_at, one.taken.id))

    def open_opportunities(self, contact: uuid.UUID, at: datetime) -> list[Opportunity]:
        """Return the open opportunities in which a person has a part at a moment."""
        theirs = {
            role.opportunity
            for one in self.kin.together(contact, at)
            for role in self.roles_of.get(one, ())
            if role.holds(at)
        }
        found = [self.opportunities[each] for each in theirs]
        return sorted(found, key=lambda each: (each.connector, each.external_id))

    def signs(self, opportunity: Opportunity, at: datetime) -> list[Sign]:
        """
        Return what those who have a part in an opportunity did, as it was known at a moment.

        Whatever a person did counts, under whichever of his addresses he has the part.
        """
        whose = {
            one
            for role in self.roles_in.get(opportunity.id, ())
            if role.holds(at)
            for one in self.kin.together(role.contact, at)
        }
        return [
            spell.sign
            for contact in whose
            for spell in self.spells.get(contact, ())
            if spell.holds(at)
        ]


def look_up(session: Session, model: Buying, lines: Sequence[Line]) -> Batch:
    """
    Return what these lines are about; of what nobody known did it reads nothing but that.

    The opportunities are held until the transaction ends: nobody closes them meanwhile.
    """
    touched, roused, people = (
        {line.ref for line, _ in lines if line.kind in kinds}
        for kinds in (ONE, {EntryKind.OPPORTUNITY}, {EntryKind.ATTRIBUTION})
    )
    later = _attributed(session, people)
    touched |= {each for said in later.values() for each in said}
    interactions = {one.taken.id: one for one in owned(session, touched)}
    people |= {spell.sign.contact for one in interactions.values() for spell in one.spells}
    opportunities = _open(session, kin_of(session, people).everybody(people), roused)
    roles = _roles(session, opportunities)
    parts = {role.contact for role in roles}
    kin = kin_of(session, people | parts)
    conditions = {each for one in opportunities.values() for each in ahead(model, one.phase)}
    times = [at for _, at in lines]
    done = done_by(
        session,
        kin.everybody(parts),
        conditions,
        first=min(times),
        last=max(times),
    )
    return Batch(
        interactions=interactions,
        later=later,
        told=_told(session, interactions),
        contacts=_contacts(session, people),
        opportunities=opportunities,
        roles_of=_by(roles, lambda role: role.contact),
        roles_in=_by(roles, lambda role: role.opportunity),
        spells=_by(
            (spell for one in done for spell in one.spells), lambda spell: spell.sign.contact
        ),
        kin=kin,
    )


def _by(values: Iterable[T], key: Callable[[T], uuid.UUID]) -> dict[uuid.UUID, list[T]]:
    """Return the values by what they are looked for."""
    found: defaultdict[uuid.UUID, list[T]] = defaultdict(list)
    for value in values:
        found[key(value)].append(value)
    return dict(found)


def _attributed(session: Session, contacts: Collection[uuid.UUID]) -> Later:
    """Return what became these contacts' own later than it happened, and was not told yet."""
    if not contacts:
        return {}
    rows = session.execute(
        sa.select(Attribution.contact_id, Attribution.interaction_id, sa.func.min(Attribution.at))
        .outerjoin(KnownInteraction, KnownInteraction.interaction_id == Attribution.interaction_id)
        .where(
            Attribution.contact_id.in_(contacts),
            Attribution.attribution == Attributed.VERIFIED,
            KnownInteraction.interaction_id.is_(None),
        )
        .group_by(Attribution.contact_id, Attribution.interaction_id)
    )
    found: defaultdict[uuid.UUID | None, dict[uuid.UUID, datetime]] = defaultdict(dict)
    for contact, interaction, at in rows:
        found[contact][interaction] = at
    return dict(found)


def _told(session: Session, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return which of these interactions the CRMs have been told of."""
    every = sorted(ids)
    found: set[uuid.UUID] = set()
    for start in range(0, len(every), AT_ONCE):
        some = KnownInteraction.interaction_id.in_(every[start : start + AT_ONCE])
        found.update(session.scalars(sa.select(KnownInteraction.interaction_id).where(some)))
    return found


def _contacts(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Contact]:
    """Return these contacts."""
    if not ids:
        return {}
    rows = session.scalars(sa.select(Contact).where(Contact.id.in_(ids)))
    return {contact.id: contact for contact in rows}


def _open(
    session: Session, contacts: Collection[uuid.UUID], ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, Opportunity]:
    """Return the open ones of these opportunities, and of those these contacts ever had part in."""
    if not contacts and not ids:
        return {}
    theirs = sa.select(ContactRole.opportunity_id).where(ContactRole.contact_id.in_(contacts))
    rows = session.scalars(
        sa.select(Opportunity)
        .where(
            sa.or_(Opportunity.id.in_(ids), Opportunity.id.in_(theirs)),
            Opportunity.is_closed.is_(False),
        )
        .order_by(Opportunity.id)
        .with_for_update()
    )
    return {opportunity.id: opportunity for opportunity in rows}


def _roles(session: Session, opportunities: Collection[uuid.UUID]) -> list[Role]:
    """Return every part anybody ever had in these opportunities."""
    if not opportunities:
        return []
    rows = session.execute(
        sa.select(
            ContactRole.opportunity_id, ContactRole.contact_id, ContactRole.since, ContactRole.until
        ).where(ContactRole.opportunity_id.in_(opportunities))
    )
    return [Role(*row) for row in rows]
