"""A foreign log, replayed: what the phases would have been (design.md 8)."""

import heapq
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from regportal.buying.compiled import Model
from regportal.buying.facts import (
    Closed,
    Fact,
    Joined,
    Reached,
    Reopened,
    Sign,
    Staged,
    when,
)
from regportal.buying.folding import Line, Place, gathered, heard_since
from regportal.buying.foreign import Changes, FactRow, RoleRow, ToldRow, in_order, latest
from regportal.buying.rules import Step, fold, hear, settle, start, tick
from regportal.buying.schema import Buying
from regportal.buying.standing import Standing
from regportal.buying.words import Deed, called, rests_on_of, sentence


@dataclass(frozen=True, slots=True)
class Moved:
    """One move of an opportunity."""

    opportunity: str
    at: int
    cause: str
    step: Step
    gone: tuple[str, ...] = ()
    """Who has no part any more, where that is why."""


@dataclass(slots=True)
class _Person:
    """A contact: all that became known of him, and how far he has come by himself."""

    name: str
    standing: Standing
    history: list[tuple[Place, Fact]] = field(default_factory=list)
    deals: dict[str, "_Deal"] = field(default_factory=dict)
    """Those in which he has a part now."""


@dataclass(slots=True)
class _Part:
    """A contact's part in one opportunity, as long as it lasts without a gap."""

    person: _Person
    since: Place
    roles: list[tuple[Place, frozenset[str]]]


@dataclass(slots=True)
class _Deal:
    """An opportunity: who has a part, and what the seller did."""

    name: str
    standing: Standing
    parts: dict[str, _Part] = field(default_factory=dict)
    told: list[tuple[Place, Fact]] = field(default_factory=list)


class Replay:
    """A log that is replayed under one model; `moves` grows while `run` goes on."""

    def __init__(self, model: Model) -> None:
        """Begin with nobody and nothing."""
        self.model = model
        self.moves: list[Moved] = []
        self._is_grouped = any(model.groups)
        self._people: dict[str, _Person] = {}
        self._deals: dict[str, _Deal] = {}
        self._timers: list[tuple[int, int, str]] = []
        self._expected: dict[tuple[int, str], int] = {}
        self._seen: set[object] = set()

    def run(
        self,
        roles: Sequence[RoleRow],
        told: Sequence[ToldRow],
        facts: Sequence[FactRow],
        until: int | None,
    ) -> Iterator[int]:
        """
        Replay rows up to a moment (else to the last one they name), and yield how many are done.

        Rows of a moment are taken in this order: parts, what the seller did, what contacts did.
        Timers that are due at a moment are before its rows.
        """
        rows = in_order(roles, told, facts)
        end = until if until is not None else latest(roles, told, facts)
        for number, (at, _, place, row) in enumerate(rows):
            if at > end:
                break
            self._fire(at)
            here = (at, place)
            if isinstance(row, FactRow):
                self._hear(row, here)
            elif isinstance(row, ToldRow):
                self._tell(row, here)
            else:
                self._change(row, here)
            yield number + 1
        self._fire(end)
        yield len(rows)

    # --- what contacts did ---

    def _hear(self, row: FactRow, here: Place) -> None:
        """Let everybody know a fact of a contact."""
        if isinstance(row.fact, Sign):
            if row.fact.id in self._seen:
                return
            self._seen.add(row.fact.id)
        person = self._person(row.contact)
        person.history.append((here, row.fact))
        news: list[Fact] = [row.fact]
        if self._is_grouped:
            bits = hear(self.model, person.standing, row.fact, here[0])
            step = settle(self.model, person.standing, here[0], bits)
            self._expect(person.standing, 0, person.name)
            if step is not None:
                news.append(self._reached(person, step, here))
        for deal in person.deals.values():
            self._settle(deal, news, here[0], "event")

    def _reached(self, person: _Person, step: Step, here: Place) -> Reached:
        """Note how far somebody has come."""
        reached = Reached(person.name, step.to)
        person.history.append((here, reached))
        return reached

    # --- what the seller did ---

    def _tell(self, row: ToldRow, here: Place) -> None:
        """Take what the seller did with an opportunity."""
        deal = self._deal(row.opportunity)
        facts: list[Fact] = []
        if row.is_closed is False and deal.standing.frozen:
            facts.append(Reopened())
        if row.stage is not None:
            facts.append(Staged(row.stage))
        if row.is_closed:
            facts.append(Closed())
        deal.told += [(here, fact) for fact in facts]
        self._settle(deal, facts, here[0], "crm")

    # --- who has a part ---

    def _change(self, rows: Changes, here: Place) -> None:
        """Let parts begin and end: all that do so in one opportunity at one moment."""
        deal = self._deal(rows.opportunity)
        gone, news = [], []
        for contact, roles in rows.roles.items():
            part = deal.parts.get(contact)
            if roles is None:
                if part is not None:
                    gone.append(contact)
                    del deal.parts[contact], part.person.deals[deal.name]
                continue
            if part is None:
                person = self._person(contact)
                part = deal.parts[contact] = _Part(person, here, [])
                person.deals[deal.name] = deal
                before = heard_since(here, person.history)
                news += [Joined(contact, roles), *(fact for _, fact in before)]
            else:
                news.append(Joined(contact, roles))
            part.roles.append((here, roles))
        if gone:
            self._rebuild(deal, here[0], tuple(gone))
        else:
            self._settle(deal, news, here[0], "crm")

    def _rebuild(self, deal: _Deal, at: int, gone: tuple[str, ...]) -> None:
        """Begin anew with what holds now; where that leads elsewhere, it is one move."""
        before = deal.standing
        deal.standing, steps = fold(self.model, self._lines(deal), at)
        if before.frozen:
            deal.standing.phase, deal.standing.since = before.phase, before.since
        elif deal.standing.phase != before.phase:
            names = self.model.names
            last = steps[-1][1] if steps else None
            why = (last.because, last.group) if last else ((),)
            step = Step(names[before.phase], names[deal.standing.phase], *why)
            self.moves.append(Moved(deal.name, at, "crm", step, gone))
        self._expect(deal.standing, 1, deal.name)

    def _lines(self, deal: _Deal) -> list[Line]:
        """Return all that holds of an opportunity now, in the order in which it became known."""
        facts = list(deal.told)
        for part in deal.parts.values():
            facts += [(place, Joined(part.person.name, roles)) for place, roles in part.roles]
            facts += heard_since(part.since, part.person.history)
        return gathered(facts)

    # --- settling, and time ---

    def _settle(self, deal: _Deal, facts: Sequence[Fact], at: int, cause: str) -> None:
        """Let an opportunity hear of facts, and go where they lead."""
        bits = 0
        for fact in facts:
            bits |= hear(self.model, deal.standing, fact, at)
        step = settle(self.model, deal.standing, at, bits)
        if step is not None:
            self.moves.append(Moved(deal.name, at, cause, step))
        self._expect(deal.standing, 1, deal.name)

    def _expect(self, standing: Standing, kind: int, name: str) -> None:
        """Note when to look at somebody again."""
        wake_at = standing.wake_at
        if wake_at is not None and self._expected.get((kind, name)) != wake_at:
            self._expected[kind, name] = wake_at
            heapq.heappush(self._timers, (wake_at, kind, name))

    def _fire(self, until: int) -> None:
        """Fire every timer that is due; at one moment first those of contacts."""
        while self._timers and self._timers[0][0] <= until:
            at, is_deal, name = heapq.heappop(self._timers)
            if self._expected.get((is_deal, name)) != at:
                continue  # something happened since, and it is looked at another time
            del self._expected[is_deal, name]
            if is_deal:
                self._wake_deal(self._deals[name], at)
            else:
                self._wake_person(self._people[name], at)

    def _wake_deal(self, deal: _Deal, at: int) -> None:
        """Look at an opportunity although nothing happened."""
        for due, step in tick(self.model, deal.standing, at):
            self.moves.append(Moved(deal.name, due, "timer", step))
        self._expect(deal.standing, 1, deal.name)

    def _wake_person(self, person: _Person, at: int) -> None:
        """Look at a contact although nothing happened; his opportunities hear of a step."""
        for due, step in tick(self.model, person.standing, at):
            reached = self._reached(person, step, (due, -1))
            for deal in person.deals.values():
                hear(self.model, deal.standing, reached, due)
                self._expect(deal.standing, 1, deal.name)
        self._expect(person.standing, 0, person.name)

    def _person(self, name: str) -> _Person:
        """Return a contact; a new one stands at the beginning."""
        if name not in self._people:
            self._people[name] = _Person(name, start(self.model, alone=True))
        return self._people[name]

    def _deal(self, name: str) -> _Deal:
        """Return an opportunity; a new one stands at the beginning."""
        if name not in self._deals:
            self._deals[name] = _Deal(name, start(self.model))
        return self._deals[name]


def reason_of(
    buying: Buying,
    at: int,
    step: Step,
    deed_of: Callable[[Hashable], Deed],
    gone: Sequence[str] = (),
) -> str:
    """Return why somebody or something moved at a moment, as one plain sentence."""
    left = [f"{', '.join(gone)} has no part any more"] if gone else None
    rests_on = left or rests_on_of(step, deed_of)
    return sentence(called(buying, step.to), when(at), rests_on, buying.zone)
