"""
The weigher: reads the log in order, exactly once, and commits what it means.

On PostgreSQL the log has several shards, and workers weigh one each at the same time.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from time import perf_counter

from sqlalchemy.orm import Session

from regportal.buying.batch import ONE, Batch, Line
from regportal.buying.facts import Sign
from regportal.buying.following import Following
from regportal.buying.holding import look_up_held
from regportal.buying.labels import title
from regportal.buying.lists.keeping import list_anew, list_doers
from regportal.buying.models import KnownInteraction
from regportal.buying.news import interaction_news, tell_moves
from regportal.buying.passing import look_at_scores
from regportal.buying.place import move_on, next_lines, open_places, own_place
from regportal.buying.scores.actions import score
from regportal.buying.scores.heard import Heard
from regportal.buying.scores.news import tell
from regportal.buying.shadow import Followed
from regportal.buying.signs import least_of
from regportal.buying.telling import SKEW, log_time
from regportal.connectors.schema import Connector
from regportal.outbox.actions import News, owe_all
from regportal.store.bulk import insert_all
from regportal.store.documents import Published, Shelf
from regportal.store.sessions import Store
from regportal.tracking.actions import LogLine, Place, read_log
from regportal.tracking.models import EntryKind
from regportal.tracking.shards import shards_in

BATCH, MOST = 100, 5_000
"""Lines weighed in one transaction: at least, and at most."""
BRIEF = {"sqlite": 0.1, "postgresql": 0.25}
"""
Seconds such a transaction may take where more lines would do: the longer it is, the fewer times the
same people are looked up. On SQLite all other writers wait for it, on PostgreSQL only those who
write of the same people.
"""
A_WHILE = 10.0
"""Seconds for which a moment counts as now; a day is told of later than that (``days.py``)."""
HELD = timedelta(milliseconds=200)
"""When to look again at lines that wait for a transaction still running, or for their worker."""


def weigh(
    store: Store, shelf: Shelf, *, now: datetime, limit: int | None = None
) -> datetime | None:
    """
    Weigh every line of the log not weighed yet, ``limit`` of them a transaction.

    Without a limit as many as are weighed in a brief time. Of the shards of the log each time the
    one whose next line is oldest and that no other worker has in hand; of one that dies in the
    middle it is free again. Returns when to come again where lines must wait for another
    transaction, or where it took so long that now is no longer now, else None.
    """
    size, brief = limit or BATCH, BRIEF[store.engine.dialect.name]
    until = perf_counter() + A_WHILE

    def some(session: Session, shard: int) -> tuple[int, float]:
        begun = perf_counter()
        sizes = (size, limit or MOST)
        read = _weigh_some(session, shelf.published(session), shard, sizes, now=now)
        return read, perf_counter() - begun

    while shards := _waiting(store):
        for shard in shards:
            read, seconds = store.write(partial(some, shard=shard), patient=True)
            if read:
                break
        else:
            return now + HELD
        if perf_counter() > until:
            return now
        if limit is None:
            size = fitting(read, seconds, brief)
    return None


def fitting(lines: int, seconds: float, brief: float) -> int:
    """
    Return how many lines to weigh in a transaction that may take ``brief``, where so many took so.

    >>> [fitting(100, seconds, 0.1) for seconds in (0.05, 0.2, 0.001, 2.5)]
    [200, 100, 5000, 100]
    """
    return max(BATCH, min(MOST, round(lines * brief / seconds)))


def _waiting(store: Store) -> Sequence[int]:
    """Return the shards of the log in which lines wait, the oldest first; costs no writer much."""
    with store.read() as session:
        found = next_lines(session)
        if len(found) >= shards_in(session):
            return [shard for shard, at in found.items() if at is not None]
    store.write(open_places)
    return _waiting(store)


def _weigh_some(
    session: Session, published: Published, shard: int, sizes: Sequence[int], *, now: datetime
) -> int:
    """Weigh the next lines of a shard and keep the place; return how many there were."""
    mark = own_place(session, shard)
    read = _read_on(session, shard, mark.place, sizes) if mark else ()
    if not mark or not read:
        return 0
    followed = Followed.of(session, published)
    least = [least_of(each.model.buying) for each in followed.all]
    seen = look_up_held(session, read, dict.fromkeys(least))
    lines = list(_timed(mark.at, read))
    batches = [seen[one] for one in least]
    for subjects, batch in zip(followed.all, batches, strict=True):
        people = {person.id: person for person in batch.people.values()}
        still_open = {one.id for one in batch.opportunities.values() if not one.is_closed}
        subjects.recall(batch.people.keys(), batch.opportunities)
        subjects.read_ahead(people.values(), still_open)
    weighing = Weighing(session, published, batches, followed, now)
    for _, together in groupby(lines, key=_together):
        weighing.weigh([*together])
    weighing.tell()
    did = list_doers(session, [line.ref for line in read if line.kind in ONE])
    list_anew(session, did.union(*(batch.people for batch in batches)))
    move_on(session, shard, *lines[-1])
    return len(lines)


def _read_on(session: Session, shard: int, place: Place, sizes: Sequence[int]) -> Sequence[LogLine]:
    """
    Return the next lines of a shard: so many, or more where that is not a moment as a whole.

    In the middle of a moment they end only where more became known at once than any of ``sizes``:
    the rest of it would have everybody worked out anew who was in its beginning.
    """
    read: Sequence[LogLine] = ()
    for size in sizes:
        read = read_log(session, shard, place, size)
        if len(read) < size:
            return read
        whole = len(read)
        while whole and _moment(read[whole - 1]) == _moment(read[-1]):
            whole -= 1
        if whole:
            return read[:whole]
    return read


def _moment(line: LogLine) -> datetime | int:
    """Return by what lines are one: what became known at one moment is weighed at once."""
    return line.at if line.kind is EntryKind.INTERACTION else line.number


def _together(line: Line) -> tuple[datetime, datetime | int]:
    """Return by what timed lines are one."""
    entry, at = line
    return at, _moment(entry)


def _timed(last: datetime | None, read: Iterable[LogLine]) -> Iterator[Line]:
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
    batches: Sequence[Batch]
    """What the lines are about, as each of those sees it that are followed."""
    followed: Followed
    now: datetime
    known: list[tuple[Connector, News]] = field(default_factory=list)
    fresh: list[uuid.UUID] = field(default_factory=list)
    """Interactions that were found to be somebody's own, and that no CRM was told of before."""
    heard: Heard = field(default_factory=Heard)
    """What scores are to hear of it."""
    _titles: dict[str, str] = field(default_factory=dict)

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
        for subjects, batch in zip(self.followed.all, self.batches, strict=True):
            if first.kind is EntryKind.INTERACTION:
                _hear(subjects, batch, [line for line, _ in lines], at)
                continue
            anew = max(at, min(subjects.weighed(batch.concerned(first), at), self.now + SKEW))
            if first.kind is EntryKind.OPPORTUNITY:
                opportunity = batch.opportunities.get(first.ref)
                subjects.look_again([], [opportunity] if opportunity else [], anew, "crm")
            else:
                people = batch.ever_of(first)
                subjects.look_again(people, batch.every_opportunity(people), anew, "event")

    @property
    def batch(self) -> Batch:
        """Return what the lines are about, as the published rules see it."""
        return self.batches[0]

    def tell(self) -> None:
        """Keep what was found, and owe the news of it."""
        if self.fresh:
            rows = [(each,) for each in self.fresh]
            insert_all(self.session, KnownInteraction, ("interaction_id",), rows)
        owe_all(self.session, self.known, now=self.now)
        self._score()
        self.followed.keep()
        tell_moves(self.session, self.published, self.followed.live.moves, now=self.now)

    def _score(self) -> None:
        """Keep what it means for scores; rules that ask for one look again."""
        found = score(self.session, self.published, self.heard, now=self.now)
        tell(self.session, self.published, found.news, now=self.now)
        at = self.heard.at
        if at is not None:
            look_at_scores(self.followed, found.crossings, at)

    def _note(self, line: LogLine, at: datetime) -> None:
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
            person = self.batch.people[whose]
            contact = person.contacts[whose]
            opportunities = self.batch.open_opportunities(person, at)
            about = self._title(one.taken.object)
            for connector in self.published.all(Connector):
                there = [
                    each.external_id for each in opportunities if each.connector == connector.key
                ]
                self.known.append((connector, interaction_news(one.taken, contact, there, about)))

    def _title(self, name: str) -> str:
        """Return what people call an object; many lines are about the same."""
        if name not in self._titles:
            self._titles[name] = title(self.published, name)
        return self._titles[name]


def _hear(subjects: Following, batch: Batch, lines: Sequence[LogLine], at: datetime) -> None:
    """Let everybody know what somebody did."""
    signs: defaultdict[tuple[uuid.UUID, datetime], list[Sign]] = defaultdict(list)
    for line in lines:
        found = batch.interactions.get(line.ref)
        for spell in found.counts if found else ():
            if spell.holds(at):
                whose = batch.people[spell.sign.contact]
                signs[whose.id, spell.since].append(spell.sign)
    for (key, since), theirs in signs.items():
        whose = batch.people[key]
        opportunities = batch.open_opportunities(whose, at)
        subjects.hear(whose, theirs, since, at, opportunities)
