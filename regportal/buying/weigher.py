"""The weigher: reads the log in order, exactly once, and commits what it means."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.batch import Batch, Line, look_up
from regportal.buying.glance import furthest
from regportal.buying.models import KnownInteraction, LogPlace, Move, Opportunity
from regportal.buying.reading import interactions_of, model_of, reasons
from regportal.buying.rules import Step
from regportal.buying.signs import Owned
from regportal.buying.telling import log_time
from regportal.connectors.rules import in_full
from regportal.connectors.schema import Connector
from regportal.identity.actions import told
from regportal.identity.models import Contact
from regportal.outbox.actions import News, owe, put_facts
from regportal.store.documents import Published, Shelf
from regportal.store.ids import uuid7
from regportal.store.sessions import Store
from regportal.tracking.actions import Place, Seen, read_log
from regportal.tracking.models import EntryKind, LogEntry
from regportal.tracking.series import as_told

READER = "weigher"
BATCH = 100
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
            lambda session: _weigh_some(session, shelf.published(session), limit, now=now),
            patient=True,
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
    read = read_log(session, Place(place.transaction, place.number), limit)
    if not read:
        return 0
    lines = list(_timed(place.at, read))
    weighing = Weighing(session, published, look_up(session, model_of(published)[0], lines), now)
    for line, at in lines:
        weighing.weigh(line, at)
    weighing.tell()
    last, place.at = lines[-1]
    place.transaction, place.number = last.transaction, last.number
    return len(lines)


def _timed(last: datetime | None, read: Iterable[LogEntry]) -> Iterator[Line]:
    """Yield each line with its time in the log's own order."""
    for line in read:
        last = log_time(last, line.at)
        yield line, last


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
    What a batch of lines means, under one set of documents.

    Line by line it only thinks; :meth:`tell` writes down all that was found.
    """

    session: Session
    published: Published
    batch: Batch
    now: datetime
    known: list[tuple[Connector, News]] = field(default_factory=list)
    moves: list[tuple[Opportunity, Move]] = field(default_factory=list)
    fresh: list[uuid.UUID] = field(default_factory=list)
    """Interactions that were found to be somebody's own, and that no CRM was told of before."""

    def weigh(self, line: LogEntry, at: datetime) -> None:
        """
        Find what became known with a line, and settle what it touches.

        ``at`` is the log's own time: only what was known then counts, however late it is read.
        """
        if line.kind is EntryKind.OPPORTUNITY:
            opportunity = self.batch.opportunities.get(line.ref)
            touched = [opportunity] if opportunity else []
        else:
            whose, known = self.batch.became_known(line, at)
            if whose is None:
                return
            touched = self.batch.open_opportunities(whose, at)
            self._note(whose, known, touched)
        for opportunity in touched:
            self._settle(opportunity, at)

    def tell(self) -> None:
        """Keep what was found, and owe the news of it."""
        if self.fresh:
            rows = [{"interaction_id": each} for each in self.fresh]
            self.session.execute(sa.insert(KnownInteraction), rows)
        put_facts(self.session, self.known, now=self.now)
        if self.moves:
            self._tell_moves()

    def _tell_moves(self) -> None:
        """Keep the moves, and tell each the CRM whose opportunity moved."""
        self.session.add_all(move for _, move in self.moves)
        self.session.flush()
        why = reasons(self.session, self.published, [move for _, move in self.moves])
        for opportunity, move in self.moves:
            connector = self.published.find(Connector, opportunity.connector)
            if connector is not None:
                news = phase_news(opportunity, move, why[move.id])
                owe(self.session, [connector], news, now=self.now)

    def _note(
        self, whose: uuid.UUID, known: Iterable[Owned], opportunities: Sequence[Opportunity]
    ) -> None:
        """Find out what each connector must be told of a contact's own interactions, once."""
        for one in known:
            if one.taken.id in self.batch.told:
                continue
            self.batch.told.add(one.taken.id)
            self.fresh.append(one.taken.id)
            contact, seen = self.batch.contacts[whose], one.as_done_by(whose)
            for connector in self.published.all(Connector):
                there = [
                    each.external_id for each in opportunities if each.connector == connector.key
                ]
                self.known.append((connector, interaction_news(seen, contact, there)))

    def _settle(self, opportunity: Opportunity, at: datetime) -> None:
        """Let an opportunity take the step its contacts' signs call for."""
        model, version = model_of(self.published)
        step = furthest(model, opportunity.phase, self.batch.signs(opportunity, at), at)
        if step is None:
            return
        move = Move(
            id=uuid7(),
            opportunity_id=opportunity.id,
            from_phase=opportunity.phase,
            to_phase=step.to,
            at=at,
            cause="event",
            evidence=evidence(step),
            rules_version=version,
        )
        opportunity.phase, opportunity.phase_since = step.to, at
        self.moves.append((opportunity, move))


def evidence(step: Step) -> list[dict[str, Any]]:
    """Return the evidence of a step as it is kept: conditions and keys, no names."""
    return [
        {
            "event": met.condition.event,
            "category": list(met.condition.categories) or None,
            "at_least": met.condition.count.at_least,
            "within": met.condition.within,
            "interactions": [str(sign) for sign in met.signs],
        }
        for met in step.because
        if met.condition.event and not met.absent
    ]


def interaction_news(seen: Seen, contact: Contact, opportunities: list[str]) -> News:
    """Return what a CRM is told of one interaction (design.md 7)."""
    return News(
        topic="interaction.recorded",
        subject=f"contact:{contact.key}",
        payload={
            "id": str(seen.id),
            "contact": told(contact),
            "interaction": as_told(seen).model_dump(mode="json"),
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
        keeps=frozenset({"from"}),
    )
