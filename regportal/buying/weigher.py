"""The weigher: reads the log in order, exactly once, and commits what it means."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.batch import Batch, Line, in_order, look_up
from regportal.buying.facts import Sign
from regportal.buying.models import KnownInteraction, LogPlace
from regportal.buying.news import interaction_news, tell_moves
from regportal.buying.passing import look_at_scores, own_place
from regportal.buying.scores.actions import score
from regportal.buying.scores.heard import Heard
from regportal.buying.scores.news import tell
from regportal.buying.subjects import Subjects
from regportal.buying.telling import log_time
from regportal.connectors.schema import Connector
from regportal.outbox.actions import News, put_facts
from regportal.store.documents import Published, Shelf
from regportal.store.sessions import Store
from regportal.tracking.actions import Place, read_log
from regportal.tracking.models import EntryKind, LogEntry

READER = "weigher"
BATCH = 100
"""Lines weighed in one transaction; more would make other writers wait."""
HELD = timedelta(milliseconds=200)
"""When to look again at lines that wait for a transaction still running before them."""
CAUSES = {
    EntryKind.ATTRIBUTION: "event",
    EntryKind.ANSWER: "event",
    EntryKind.VERDICT: "event",
}
"""Why a phase moves when such a fact becomes known; backwards it is a correction."""


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
    place = own_place(session)
    read = read_log(session, Place(place.transaction, place.number), limit)
    if not read:
        return 0
    lines = list(_timed(place.at, read))
    batch, subjects = look_up(session, lines), Subjects.of(session, published)
    people = {person.id: person for person in batch.people.values()}
    subjects.recall(people.keys(), batch.opportunities)
    still_open = {one.id for one in batch.opportunities.values() if not one.is_closed}
    subjects.read_ahead(people.values(), still_open)
    weighing = Weighing(session, published, batch, subjects, now)
    for _, together in groupby(lines, key=_together):
        weighing.weigh([*together])
    weighing.tell()
    last, place.at = lines[-1]
    place.transaction, place.number = last.transaction, last.number
    return len(lines)


def _together(line: Line) -> Any:
    """Return by what lines are one: what became known at one moment is weighed at once."""
    entry, at = line
    return (at, entry.at) if entry.kind is EntryKind.INTERACTION else entry.number


def _timed(last: datetime | None, read: Iterable[LogEntry]) -> Iterator[Line]:
    """Yield each line with its time in the log's own order."""
    for line in read:
        last = log_time(last, line.at)
        yield line, last


@dataclass(slots=True)
class Weighing:
    """
    What a batch of lines means, under one set of documents.

    Line by line it only thinks; :meth:`tell` writes down all that was found.
    """

    session: Session
    published: Published
    batch: Batch
    subjects: Subjects
    now: datetime
    known: list[tuple[Connector, News]] = field(default_factory=list)
    fresh: list[uuid.UUID] = field(default_factory=list)
    """Interactions that were found to be somebody's own, and that no CRM was told of before."""
    heard: Heard = field(default_factory=Heard)
    """What scores are to hear of it."""

    def weigh(self, lines: Sequence[Line]) -> None:
        """
        Find what became known with lines of one moment, and settle what they touch.

        The time of a line is the log's own: only what was known then counts, however late it is
        read.
        """
        first, at = lines[0]
        for line, _ in lines:
            self.heard.line(line, at, self.batch)
            self._note(line, at)
        if first.kind is EntryKind.INTERACTION:
            self._hear([line for line, _ in lines], at)
        elif first.kind is EntryKind.OPPORTUNITY:
            opportunity = self.batch.opportunities.get(first.ref)
            self.subjects.look_again([], [opportunity] if opportunity else [], at, "crm")
        else:
            people = self.batch.ever_of(first)
            theirs = in_order(
                {
                    one.id: one for whose in people for one in self.batch.every_opportunity(whose)
                }.values()
            )
            self.subjects.look_again(people, theirs, at, CAUSES[first.kind])

    def _hear(self, lines: Sequence[LogEntry], at: datetime) -> None:
        """Let everybody know what somebody did."""
        signs: defaultdict[tuple[uuid.UUID, datetime], list[Sign]] = defaultdict(list)
        for line in lines:
            found = self.batch.interactions.get(line.ref)
            for spell in found.spells if found else ():
                if spell.holds(at):
                    whose = self.batch.people[spell.sign.contact]
                    signs[whose.id, spell.since].append(spell.sign)
        for (key, since), theirs in signs.items():
            whose = self.batch.people[key]
            opportunities = self.batch.open_opportunities(whose, at)
            self.subjects.hear(whose, theirs, since, at, opportunities)

    def tell(self) -> None:
        """Keep what was found, and owe the news of it."""
        if self.fresh:
            rows = [{"interaction_id": each} for each in self.fresh]
            self.session.execute(sa.insert(KnownInteraction), rows)
        put_facts(self.session, self.known, now=self.now)
        self._score()
        self.subjects.keep()
        tell_moves(self.session, self.published, self.subjects.moves, now=self.now)

    def _score(self) -> None:
        """Keep what it means for scores; rules that ask for one look again."""
        found = score(self.session, self.published, self.heard, now=self.now)
        tell(self.session, self.published, found.news, now=self.now)
        at = self.heard.at
        if at is not None:
            look_at_scores(self.subjects, found.crossings, at)

    def _note(self, line: LogEntry, at: datetime) -> None:
        """Find out what each connector must be told of a contact's own interactions, once."""
        if line.kind is EntryKind.OPPORTUNITY:
            return
        whose, known = self.batch.became_known(line, at)
        for one in known:
            if whose is None or one.taken.id in self.batch.told:
                continue
            self.batch.told.add(one.taken.id)
            self.fresh.append(one.taken.id)
            self.heard.fresh(one, at)
            contact, seen = self.batch.contacts[whose], one.as_done_by(whose)
            opportunities = self.batch.open_opportunities(self.batch.people[whose], at)
            for connector in self.published.all(Connector):
                there = [
                    each.external_id for each in opportunities if each.connector == connector.key
                ]
                self.known.append((connector, interaction_news(seen, contact, there)))
