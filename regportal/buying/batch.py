"""What some lines of the log are about: looked up at once, however many lines there are."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import ContactRole, KnownInteraction, Opportunity
from regportal.buying.people import Person, people_of
from regportal.buying.signs import Owned, owned
from regportal.identity.kin import Kin, kin_of
from regportal.store.among import among
from regportal.tracking.actions import LogLine
from regportal.tracking.models import (
    OF_CONTACTS,
    Attributed,
    Attribution,
    EntryKind,
)

Line = tuple[LogLine, datetime]
"""A line of the log, and its time in the log's own order."""
Later = Mapping[uuid.UUID | None, Mapping[uuid.UUID, datetime]]
"""By contact the interactions that became his, and when that was first said."""
ONE = frozenset({EntryKind.INTERACTION, EntryKind.VERDICT})
"""Kinds of lines that are about one interaction: it became known, or who did it did."""
PARTS = sa.select(
    ContactRole.opportunity_id, ContactRole.contact_id, ContactRole.since, ContactRole.until
).where(among(ContactRole.contact_id))
IN_THEM = sa.select(ContactRole.contact_id).where(among(ContactRole.opportunity_id)).distinct()
HELD = (
    sa.select(Opportunity).where(among(Opportunity.id)).order_by(Opportunity.id).with_for_update()
)
TOLD = sa.select(KnownInteraction.interaction_id).where(among(KnownInteraction.interaction_id))


@dataclass(frozen=True, slots=True)
class Held:
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
    people: Mapping[uuid.UUID, Person]
    """By contact: whoever has several addresses is one person."""
    opportunities: Mapping[uuid.UUID, Opportunity]
    parts: Mapping[uuid.UUID, Sequence[Held]]
    """By person every part he ever had, in the order in which opportunities are looked at."""
    kin: Kin
    """Who ever was one person with those whom lines are about."""
    _asked: dict[tuple[uuid.UUID, datetime], list[Opportunity]] = field(default_factory=dict)
    """What was said of open opportunities: it is asked for more than once a line."""

    def became_known(self, line: LogLine, at: datetime) -> tuple[uuid.UUID | None, list[Owned]]:
        """Return whom a line is about, if anybody, and what became known to be his own."""
        if line.kind in ONE:
            found = self.interactions.get(line.ref)
            owner = found.owner(at) if found else None
            return owner, [found] if found and owner else []
        said = self.later.get(line.ref, {})
        theirs = [self.interactions.get(each) for each, since in said.items() if since <= at]
        mine = [one for one in theirs if one and one.owner(at) == line.ref]
        return line.ref, sorted(mine, key=lambda one: (one.taken.received_at, one.taken.id))

    def ever_of(self, line: LogLine) -> list[Person]:
        """Return everybody whose past a line may change, once each."""
        contacts = {line.ref}
        if line.kind in ONE:
            found = self.interactions.get(line.ref)
            contacts = {spell.sign.contact for spell in found.counts} if found else set()
        people = {self.people[one].id: self.people[one] for one in contacts if one in self.people}
        return [people[one] for one in sorted(people)]

    def concerned(self, line: LogLine) -> set[uuid.UUID]:
        """Return all whose standing must not be older than what a line lets be worked out anew."""
        if line.kind in OF_CONTACTS:
            return self.kin.ever(line.ref)
        if line.kind is EntryKind.OPPORTUNITY:
            parts = (part for theirs in self.parts.values() for part in theirs)
            who = {part.contact for part in parts if part.opportunity == line.ref}
            return {line.ref, *(one for each in who for one in self.people[each].contacts)}
        return {one for whose in self.ever_of(line) for one in whose.contacts}

    def open_opportunities(self, whose: Person, at: datetime) -> list[Opportunity]:
        """Return the open opportunities in which a person has a part at a moment."""
        found = self._asked.get((whose.id, at))
        if found is None:
            parts = (part for part in self.parts.get(whose.id, ()) if part.holds(at))
            found = self._asked[whose.id, at] = self._open(parts)
        return found

    def every_opportunity(self, people: Iterable[Person]) -> list[Opportunity]:
        """Return the open opportunities in which any of these people ever had a part."""
        parts = (part for whose in people for part in self.parts.get(whose.id, ()))
        return in_order(self._open(parts))

    def _open(self, parts: Iterable[Held]) -> list[Opportunity]:
        """Return the opportunities of these parts that are open, once each."""
        found = map(self.opportunities.__getitem__, dict.fromkeys(one.opportunity for one in parts))
        return [one for one in found if not one.is_closed]


def in_order(opportunities: Iterable[Opportunity]) -> list[Opportunity]:
    """Return opportunities in the order in which they are looked at: always the same."""
    return sorted(opportunities, key=lambda each: (each.connector, each.external_id))


def look_up(session: Session, lines: Sequence[LogLine], least: Attributed) -> Batch:
    """
    Return what these lines are about; of what nobody known did it reads nothing but that.

    ``least`` is how sure the rules must be whose an interaction is.

    The opportunities are held until the transaction ends: nobody closes them meanwhile.
    """
    touched, roused, named = (
        {line.ref for line in lines if line.kind in kinds}
        for kinds in (ONE, {EntryKind.OPPORTUNITY}, OF_CONTACTS)
    )
    later = _attributed(session, named)
    touched |= {each for said in later.values() for each in said}
    interactions = {one.taken.id: one for one in owned(session, touched, least)}
    contacts = {spell.sign.contact for one in interactions.values() for spell in one.counts}
    kin = kin_of(session, named) if named else Kin(())
    contacts |= kin.everybody(named) | everybody_in(session, roused)
    people = people_of(session, contacts)
    parts = _parts(session, people)
    wanted = roused | {part.opportunity for theirs in parts.values() for part in theirs}
    opportunities = opportunities_of(session, wanted)
    place = {one.id: number for number, one in enumerate(in_order(opportunities.values()))}
    for theirs in parts.values():
        theirs.sort(key=lambda part: place[part.opportunity])
    return Batch(
        interactions=interactions,
        later=later,
        told=told_of(session, interactions),
        people=people,
        opportunities=opportunities,
        parts=parts,
        kin=kin,
    )


def everybody_in(session: Session, opportunities: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return the contacts who ever had a part in one of these opportunities."""
    return {*session.scalars(IN_THEM, {"ids": opportunities})} if opportunities else set()


def _parts(session: Session, people: Mapping[uuid.UUID, Person]) -> dict[uuid.UUID, list[Held]]:
    """Return every part these people ever had, by person."""
    found: defaultdict[uuid.UUID, list[Held]] = defaultdict(list)
    if people:
        for row in session.execute(PARTS, {"ids": people}):
            part = Held(*row)
            found[people[part.contact].id].append(part)
    return dict(found)


def opportunities_of(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Opportunity]:
    """Return these opportunities, held until the transaction ends."""
    if not ids:
        return {}
    rows = session.scalars(HELD, {"ids": ids})
    return {opportunity.id: opportunity for opportunity in rows}


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


def told_of(session: Session, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return which of these interactions the CRMs have been told of."""
    return {*session.scalars(TOLD, {"ids": ids})} if ids else set()
