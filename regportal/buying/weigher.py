"""The weigher: reads the log in order, exactly once, and commits what it means."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from regportal.buying.models import ContactRole, KnownInteraction, LogPlace, Move, Opportunity
from regportal.buying.reading import interactions_of, model_of, reasons
from regportal.buying.rules import Step, ahead, furthest, in_full, log_time
from regportal.buying.signs import done_by, own, seen_at
from regportal.connectors.schema import Connector
from regportal.identity.actions import told
from regportal.identity.models import Contact
from regportal.outbox.actions import News, owe
from regportal.store.documents import Published, Shelf
from regportal.store.ids import uuid7
from regportal.store.sessions import Store
from regportal.tracking.actions import Place, Seen, read_log
from regportal.tracking.models import Attributed, Attribution, EntryKind, LogEntry

READER = "weigher"
BATCH = 200
"""Lines weighed in one transaction; more would make other writers wait."""
HELD = timedelta(milliseconds=200)
"""When to look again at lines that wait for a transaction still running before them."""


def weigh(store: Store, shelf: Shelf, *, now: datetime, limit: int = BATCH) -> datetime | None:
    """
    Weigh every line of the log not weighed yet, ``limit`` of them a transaction.

    Returns when to come again where lines must wait for another transaction, else None.
    """
    while _is_waiting(store):
        read = store.write(
            lambda session: _weigh_some(session, shelf.published(session), limit, now=now)
        )
        if not read:
            return now + HELD
    return None


def _is_waiting(store: Store) -> bool:
    """Return whether any line has not been weighed; costs no writer anything."""
    with store.read() as session:
        place = session.get(LogPlace, READER)
        done = (place.transaction, place.number) if place else (0, 0)
        order = sa.tuple_(LogEntry.transaction, LogEntry.number)
        later = order > sa.tuple_(sa.literal(done[0]), sa.literal(done[1]))
        found = session.scalars(sa.select(LogEntry.number).where(later).limit(1)).first()
        return found is not None


def _weigh_some(session: Session, published: Published, limit: int, *, now: datetime) -> int:
    """Weigh the next lines and keep the place; return how many there were."""
    place = _own_place(session)
    lines = read_log(session, Place(place.transaction, place.number), limit)
    weighing = Weighing(session, published, now)
    for line in lines:
        at = log_time(place.at, line.at)
        weighing.weigh(line, at)
        place.transaction, place.number, place.at = line.transaction, line.number, at
    return len(lines)


def _own_place(session: Session) -> LogPlace:
    """Return the weigher's place; another worker waits here until this transaction ends."""
    place = session.get(LogPlace, READER, with_for_update=True)
    if place is None:
        try:
            with session.begin_nested():
                session.add(LogPlace(reader=READER, transaction=0, number=0))
        except sa.exc.IntegrityError:  # another worker was first
            pass
        place = session.get_one(LogPlace, READER, with_for_update=True)
    return place


@dataclass(frozen=True, slots=True)
class Weighing:
    """
    What lines of the log mean, under one set of documents.

    ``at`` is the log's own time: only what was known then counts, however late it is read.
    """

    session: Session
    published: Published
    now: datetime

    def weigh(self, line: LogEntry, at: datetime) -> None:
        """Tell what became known with a line, and settle what it touches."""
        if line.kind is EntryKind.OPPORTUNITY:
            opportunity = self.session.get(Opportunity, line.ref)
            if opportunity is not None and not opportunity.is_closed:
                self._settle(opportunity, at)
            return
        if line.kind is EntryKind.INTERACTION:
            known = list(seen_at(self.session, [line.ref], at).values())
            whose = [contact for each in known if (contact := own(each)) is not None]
        else:
            known, whose = self._attributed(line.ref, at), [line.ref]
        for contact in whose:
            opportunities = self._open_opportunities(contact, at)
            self._tell(contact, known, opportunities)
            for opportunity in opportunities:
                self._settle(opportunity, at)

    def _attributed(self, contact: uuid.UUID, at: datetime) -> list[Seen]:
        """Return what became a contact's own later than it happened, and was not told yet."""
        ids = self.session.scalars(
            sa.select(Attribution.interaction_id)
            .outerjoin(
                KnownInteraction,
                KnownInteraction.interaction_id == Attribution.interaction_id,
            )
            .where(
                Attribution.contact_id == contact,
                Attribution.attribution == Attributed.VERIFIED,
                Attribution.at <= at,
                KnownInteraction.interaction_id.is_(None),
            )
            .distinct()
        ).all()
        found: list[Seen] = []
        for start in range(0, len(ids), BATCH):
            found += seen_at(self.session, ids[start : start + BATCH], at).values()
        mine = [each for each in found if own(each) == contact]
        return sorted(mine, key=lambda each: (each.received_at, each.id))

    def _tell(
        self, whose: uuid.UUID, known: Iterable[Seen], opportunities: Sequence[Opportunity]
    ) -> None:
        """Owe each connector what is a contact's own, once."""
        for seen in known:
            if not self._is_new(seen):
                continue
            contact = self.session.get_one(Contact, whose)
            for connector in self.published.all(Connector):
                there = [
                    each.external_id for each in opportunities if each.connector == connector.key
                ]
                self._owe(connector, interaction_news(seen, contact, there))

    def _is_new(self, seen: Seen) -> bool:
        """Note that an interaction is a contact's own; return whether it was not known yet."""
        dialect = self.session.get_bind().dialect.name
        insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
        noted = self.session.execute(
            insert(KnownInteraction)
            .values(interaction_id=seen.id)
            .on_conflict_do_nothing()
            .returning(KnownInteraction.interaction_id)
        )
        return noted.first() is not None

    def _open_opportunities(self, contact: uuid.UUID, at: datetime) -> Sequence[Opportunity]:
        """Return the open opportunities in which a contact has a part."""
        return self.session.scalars(
            sa.select(Opportunity)
            .where(
                Opportunity.id.in_(
                    sa.select(ContactRole.opportunity_id).where(
                        ContactRole.contact_id == contact, *_holds(at)
                    )
                ),
                Opportunity.is_closed.is_(False),
            )
            .order_by(Opportunity.connector, Opportunity.external_id)
        ).all()

    def _settle(self, opportunity: Opportunity, at: datetime) -> None:
        """Let an opportunity take the step its contacts' signs call for."""
        model, version = model_of(self.published)
        contacts = self.session.scalars(
            sa.select(ContactRole.contact_id).where(
                ContactRole.opportunity_id == opportunity.id, *_holds(at)
            )
        ).all()
        open_ways = ahead(model, opportunity.phase)
        signs = done_by(self.session, set(contacts), open_ways, at=at)
        step = furthest(model, opportunity.phase, signs, at)
        if step is not None:
            self._move(opportunity, step, version, at)

    def _move(self, opportunity: Opportunity, step: Step, version: int, at: datetime) -> None:
        """Move an opportunity if it still stands where the rules saw it, and say why."""
        before = opportunity.phase
        moved = self.session.execute(
            sa.update(Opportunity)
            .where(
                Opportunity.id == opportunity.id,
                Opportunity.phase == before,
                Opportunity.is_closed.is_(False),
            )
            .values(phase=step.to, phase_since=at)
            .returning(Opportunity.id)
            .execution_options(synchronize_session=False)
        ).first()
        self.session.refresh(opportunity)
        if moved is None:
            return
        move = Move(
            id=uuid7(),
            opportunity_id=opportunity.id,
            from_phase=before,
            to_phase=step.to,
            at=at,
            cause="event",
            evidence=evidence(step),
            rules_version=version,
        )
        self.session.add(move)
        self.session.flush()
        connector = self.published.find(Connector, opportunity.connector)
        if connector is not None:
            reason = reasons(self.session, self.published, [move])[move.id]
            self._owe(connector, phase_news(opportunity, move, reason))

    def _owe(self, connector: Connector, news: News) -> None:
        """Owe one connector one piece of news."""
        owe(self.session, [connector], news, now=self.now)


def _holds(at: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Return what is true of a part that holds at a moment: [since, until)."""
    return (
        ContactRole.since <= at,
        sa.or_(ContactRole.until.is_(None), ContactRole.until > at),
    )


def evidence(step: Step) -> list[dict[str, Any]]:
    """Return the evidence of a step as it is kept: conditions and keys, no names."""
    return [
        {
            "event": met.condition.event,
            "category": list(met.condition.categories) or None,
            "at_least": met.condition.count.at_least,
            "within": met.condition.within,
            "interactions": [str(sign.id) for sign in met.signs],
        }
        for met in step.because
    ]


def interaction_news(seen: Seen, contact: Contact, opportunities: list[str]) -> News:
    """Return what a CRM is told of one interaction (design.md 7)."""
    return News(
        topic="interaction.recorded",
        subject=f"contact:{contact.key}",
        payload={
            "id": str(seen.id),
            "contact": told(contact),
            "interaction": {
                "id": str(seen.id),
                "type": seen.type,
                "object": seen.object,
                "category": seen.category,
                "properties": dict(seen.properties),
                "occurred_at": in_full(seen.occurred_at),
                "received_at": in_full(seen.received_at),
                "attribution": seen.attribution.value,
                "judged": seen.judged.value,
            },
            "opportunities": opportunities,
        },
        occurred_at=seen.occurred_at,
    )


def phase_news(opportunity: Opportunity, move: Move, reason: str) -> News:
    """Return what a CRM is told of one move (design.md 7)."""
    return News(
        topic="phase.changed",
        subject=f"opportunity:{opportunity.key}",
        payload={
            "id": str(move.id),
            "opportunity": {
                "key": opportunity.key,
                "external_id": opportunity.external_id,
                "name": opportunity.name,
            },
            "from": move.from_phase,
            "to": move.to_phase,
            "since": in_full(move.at),
            "reason": reason,
            "evidence": interactions_of(move),
            "rules_version": move.rules_version,
        },
        occurred_at=move.at,
        merges="phase",
    )
