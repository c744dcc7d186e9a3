"""Keeping standings as the engine's manual (regportal/buying/rules.py) says, on a log in memory."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from regportal.buying import facts, rules
from regportal.buying.compiled import Model
from regportal.buying.counting import Met
from regportal.buying.films import watched_in
from regportal.buying.kept import read, written
from regportal.buying.standing import Standing
from tests.buying.conditions import Subject, view
from tests.buying.foreign import film_of
from tests.buying.holding import Holding, Step, holding
from tests.buying.log import Answered, Closed, Described, Did, Reopened, Scored
from tests.buying.oracle import EVER, takes_away

Line = tuple[int, list[Any]]
Moved = tuple[Subject, str, str, int]
Why = tuple[Subject, int, Holding, tuple[Met, ...]]


class Keeper:
    """Standings of everybody in a log, kept from step to step, each written down and read again."""

    def __init__(self, model: Model, steps: Sequence[Step], subjects: Iterable[Subject]) -> None:
        self.model = model
        self.steps = steps
        self.standings = {
            subject: rules.start(model, alone=subject[0] == "contact")
            for subject in sorted(subjects)
        }
        self.moves: list[Moved] = []
        self.grounds: list[Why] = []
        """Why each came where he came, and all that was known then."""
        self.held = holding([])
        self.pinned: set[Subject] = set()
        """Purchases that lost something while they were closed, and stayed where they were."""

    def run(self, until: int) -> Iterator[int]:
        """Go through all steps, yield the place of each when it has had its effect; go on."""
        for place, step in enumerate(self.steps):
            at = facts.moment(step[0].at)
            before = self.held
            self._tick(before, at)
            self.held = holding(self.steps[: place + 1])
            self._hear(before, self.held, place, at)
            for subject, standing in self.standings.items():
                kept = read(written(standing, self.model.digest), self.model.digest)
                assert kept is not None
                self.standings[subject] = kept
            yield place
        self._tick(self.held, until)

    def _tick(self, held: Holding, until: int) -> None:
        """Fire the timers: people's first, for purchases hear how far people came."""
        reached: list[tuple[int, str, str]] = []
        for subject, standing in self.standings.items():
            kind, name = subject
            if kind == "contact":
                for at, step in rules.tick(self.model, standing, until):
                    self._moved(subject, at, step)
                    reached.append((at, name, step.to))
                continue
            people = {who for who, _ in view(held, subject, EVER, {}).roles}
            of_those = sorted(one for one in reached if one[1] in people)
            for at, some in groupby(of_those, key=itemgetter(0)):
                self._fire(subject, at - 1)
                bits = 0
                for _, who, phase in some:
                    bits |= rules.hear(self.model, standing, facts.Reached(who, phase), at)
                self._fire(subject, at)
                self._moved(subject, at, rules.settle(self.model, standing, at, bits))
            self._fire(subject, until)

    def _fire(self, subject: Subject, until: int) -> None:
        """Fire the timers of one."""
        for at, step in rules.tick(self.model, self.standings[subject], until):
            self._moved(subject, at, step)

    def _hear(self, before: Holding, after: Holding, place: int, at: int) -> None:
        """Let a step be heard by everybody, or fold anew where it takes something away."""
        came = {name: self._phase(("contact", name)) for name in self._people()}
        for subject, standing in self.standings.items():
            if takes_away(before, after, subject):
                self._rebuild(subject, place, at)
                continue
            bits = 0
            reached = self._reached(after, place, subject, came)
            for fact in [*self.brought(after, place, subject), *reached]:
                bits |= rules.hear(self.model, standing, fact, at)
            self._moved(subject, at, rules.settle(self.model, standing, at, bits))

    def _rebuild(self, subject: Subject, place: int, at: int) -> None:
        """Fold anew who loses something; who is closed no longer counts it, but stays."""
        standing, folded = self.standings[subject], self.fold(subject, place)
        self.standings[subject] = folded
        if standing.frozen:
            folded.phase, folded.since = standing.phase, standing.since
            folded.epochs, folded.frozen = standing.epochs, True
            self.pinned.add(subject)
            return
        self.pinned.discard(subject)
        came_from, to = (self.model.names[one.phase] for one in (standing, folded))
        self._moved(subject, at, rules.Step(came_from, to, ()) if came_from != to else None)

    def _people(self) -> list[str]:
        """Return who there is."""
        return [name for kind, name in self.standings if kind == "contact"]

    def _phase(self, subject: Subject) -> str:
        """Return the phase somebody is in."""
        return self.model.names[self.standings[subject].phase]

    def _reached(
        self, held: Holding, place: int, subject: Subject, came: dict[str, str]
    ) -> list[Any]:
        """Return how far those came who have a part: where it changed, or where they are new."""
        then, now = (_having_part(held.until(p), subject) for p in (place - 1, place))
        return [
            facts.Reached(name, self._phase(("contact", name)))
            for name in sorted(now)
            if name not in then or self._phase(("contact", name)) != came[name]
        ]

    def _moved(self, subject: Subject, at: int, step: rules.Step | None) -> None:
        """Write a move down."""
        if step is not None:
            self.moves.append((subject, step.came_from, step.to, at))
            self.grounds.append((subject, at, self.held, step.because))

    def brought(self, held: Holding, place: int, subject: Subject) -> list[Any]:
        """Return the facts that a step brings somebody, but for how far people came."""
        found = brought(held, place, subject)
        for row in self.steps[place]:
            if isinstance(row, Closed | Reopened) and subject == ("opportunity", row.opportunity):
                found.append(facts.Closed() if isinstance(row, Closed) else facts.Reopened())
        return found

    # --- the fold ---

    def fold(self, subject: Subject, place: int) -> Standing:
        """Return a standing made anew of all that holds after the step at a place."""
        held = holding(self.steps[: place + 1])
        until = facts.moment(self.steps[place][0].at)
        if subject[0] == "contact":
            lines = self._lines(held, place, subject)
            return rules.fold(self.model, lines, until, alone=True)[0]
        return rules.fold(self.model, [*self._lines_of_all(held, place, subject)], until)[0]

    def _lines(self, held: Holding, last: int, subject: Subject) -> list[Line]:
        """Return each step that brings somebody something."""
        return [
            (facts.moment(self.steps[place][0].at), self.brought(held, place, subject))
            for place in range(last + 1)
        ]

    def _lines_of_all(self, held: Holding, last: int, subject: Subject) -> Iterator[Line]:
        """Yield the lines of a purchase, with how far its people came between them and by them."""
        own = self._lines(held, last, subject)
        lines = {name: self._lines(held, last, ("contact", name)) for name in self._people()}
        phases = dict.fromkeys(lines, self.model.names[0])
        steps_done = dict.fromkeys(lines, 0)
        for place, (at, found) in enumerate(own):
            then, now = (_having_part(held.until(p), subject) for p in (place - 1, place))
            timed: dict[int, list[Any]] = {}
            by_line: list[Any] = []
            for name, told in lines.items():
                by_time = rules.fold(self.model, told[:place], at, alone=True)[1]
                all_of_it = rules.fold(self.model, told[: place + 1], at, alone=True)[1]
                for when, step in by_time[steps_done[name] :]:
                    if name in then:
                        timed.setdefault(when, []).append(facts.Reached(name, step.to))
                changed = len(all_of_it) > len(by_time)
                if all_of_it:
                    phases[name] = all_of_it[-1][1].to
                steps_done[name] = len(all_of_it)
                if name in now and (changed or name not in then):
                    by_line.append(facts.Reached(name, phases[name]))
            yield from sorted(timed.items())
            yield at, [*found, *by_line]


def _having_part(held: Holding, subject: Subject) -> set[str]:
    """Return who has a part in a purchase."""
    return {who for who, _ in view(held, subject, EVER, {}).roles}


def brought(held: Holding, place: int, subject: Subject) -> list[Any]:
    """Return what of all that holds the step at a place brings somebody."""
    before, after = (view(held.until(p), subject, EVER, {}) for p in (place - 1, place))
    found: list[Any] = []
    for contact in sorted({who for who, _ in after.roles}):
        then, now = (
            [role for who, role in sees.roles if who == contact] for sees in (before, after)
        )
        if then != now:
            found.append(facts.Joined(contact, frozenset(role for role in now if role)))
    known = [*before.signs, *before.said]
    new = [one for one in [*after.signs, *after.said] if one not in known]
    found += [_fact(one.contact, one.fact) for one in sorted(new, key=lambda one: one.fact.at)]
    return found + [facts.Staged(stage.stage) for stage in after.stages[len(before.stages) :]]


def _fact(contact: str, row: Any) -> Any:
    """Return a row as the engine takes it."""
    match row:
        case Did():
            about = (row.type, row.category, row.when, row.at, row.object or "")
            return facts.Sign(row.id, contact, *about, watched_in(row.type, film_of(row)))
        case Answered():
            return facts.Answered(contact, row.question, (str(row.value),), row.at)
        case Scored():
            return facts.Scored(contact, row.score, row.value)
        case Described():
            return facts.Noted(contact, row.field, row.value)
    raise TypeError(row)
