"""What one model would have done, counted opportunity by opportunity."""

import statistics
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from regportal.buying.backtest.course import Turn
from regportal.buying.backtest.forecasting import DAY, MONDAY, WEEK
from regportal.buying.backtest.measures import half_left, wilson
from regportal.buying.compiled import Model
from regportal.buying.facts import when
from regportal.buying.words import called

FEWEST = 10
"""Fewer decided opportunities say nothing of a rate."""


class Way(NamedTuple):
    """How one opportunity went."""

    begun: int
    ended: int | None
    """When it was closed; None: it is open."""
    is_won: bool
    turns: Sequence[Turn]
    is_told: bool = True
    """Whether a CRM is told of its moves."""


class Stay(NamedTuple):
    """A time in one phase."""

    phase: str
    since: int
    until: int
    is_over: bool
    """Whether it was left, or the opportunity closed."""


def stays_of(first: str, way: Way, until: int) -> Iterator[Stay]:
    """
    Yield each time in a phase, from the first one on, until the end or as far as we look.

    >>> way = Way(2, 9, True, [Turn(4, "unaware", "interest")])
    >>> [(stay.phase, stay.until - stay.since) for stay in stays_of("unaware", way, 20)]
    [('unaware', 2), ('interest', 5)]
    """
    here, since = first, way.begun
    for turn in way.turns:
        yield Stay(here, since, turn.at, is_over=True)
        here, since = turn.to, turn.at
    yield Stay(here, since, until if way.ended is None else way.ended, way.ended is not None)


def again(turns: Sequence[Turn]) -> Iterator[Turn]:
    """
    Yield each move into a phase that was left less than a week before.

    >>> there, back = Turn(5, "interest", "comparison"), Turn(WEEK, "comparison", "interest")
    >>> [turn.at for turn in again([there, back, Turn(WEEK + 5, "interest", "comparison")])]
    [604800000000, 604800000005]
    """
    left: dict[str, int] = {}
    for turn in turns:
        if turn.to in left and turn.at - left[turn.to] <= WEEK:
            yield turn
        left[turn.came_from] = turn.at


@dataclass(slots=True)
class Passed:
    """What went through one phase."""

    open_now: int = 0
    won: int = 0
    lost: int = 0
    over: "array[int]" = field(default_factory=lambda: array("q"))
    lasting: "array[int]" = field(default_factory=lambda: array("q"))
    leads: "array[int]" = field(default_factory=lambda: array("q"))
    """How long before they were won those were there first that were."""


@dataclass(slots=True)
class Tally:
    """
    What one model would have done in [since, until], one opportunity after the other.

    A few numbers a move are kept, whatever the opportunities did.
    """

    model: Model
    since: int
    until: int
    moves: int = 0
    again: int = 0
    won: int = 0
    days: Counter[int] = field(default_factory=Counter)
    """By day what CRMs would have been told."""
    weeks: Counter[int] = field(default_factory=Counter)
    """By the Monday its week began on, the moves."""
    phases: dict[str, Passed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Count for every phase, in the order of the model."""
        self.phases = {name: Passed() for name in self.model.names}

    def add(self, way: Way) -> None:
        """Count one more opportunity."""
        lately = [turn for turn in way.turns if turn.at >= self.since]
        self.moves += len(lately)
        self.weeks.update(turn.at - (turn.at - MONDAY) % WEEK for turn in lately)
        self.again += sum(turn.at >= self.since for turn in again(way.turns))
        if way.is_told:
            self.days.update(turn.at // DAY for turn in lately)
        stays = [*stays_of(self.model.names[0], way, self.until)]
        for stay in stays:
            if stay.since >= self.since:
                passed = self.phases[stay.phase]
                (passed.over if stay.is_over else passed.lasting).append(stay.until - stay.since)
        if way.ended is None:
            self.phases[stays[-1].phase].open_now += 1
        elif way.ended >= self.since:
            self._decided(way, stays)

    def _decided(self, way: Way, stays: Sequence[Stay]) -> None:
        """Count an opportunity that was won or lost, once for every phase it was in."""
        self.won += way.is_won
        for phase, since in {stay.phase: stay.since for stay in reversed(stays)}.items():
            passed = self.phases[phase]
            passed.won += way.is_won
            passed.lost += not way.is_won
            if way.is_won and way.ended is not None:
                passed.leads.append(way.ended - since)

    def told(self, first: int) -> dict[str, Any]:
        """Return what was counted as JSON; ``first`` is the first moment there was anything."""
        days = max(1.0, (self.until - max(self.since, first)) / DAY)
        writes = self.days.total()
        busiest = max(self.days.items(), key=lambda one: (one[1], -one[0]), default=None)
        return {
            "model": self.model.buying.model,
            "moves": self.moves,
            "again_within_a_week": self.again,
            "writes": {
                "all": writes,
                "a_day": round(writes / days, 2),
                "most": busiest[1] if busiest else 0,
                "on": when(busiest[0] * DAY).date().isoformat() if busiest else None,
            },
            "weeks": {
                when(monday).date().isoformat(): many for monday, many in sorted(self.weeks.items())
            },
            "phases": [self._phase(name, one) for name, one in self.phases.items()],
        }

    def _phase(self, name: str, passed: Passed) -> dict[str, Any]:
        """Return what was counted of one phase."""
        decided = passed.won + passed.lost
        low, high = wilson(passed.won, decided)
        half = half_left(passed.over, passed.lasting)
        return {
            "phase": name,
            "label": called(self.model.buying, name),
            "open_now": passed.open_now,
            "stays": len(passed.over) + len(passed.lasting),
            "half_left_after_days": None if half is None else _days(half),
            "won_that_were_here": {
                "of": self.won,
                "share": round(passed.won / self.won, 4) if self.won else None,
                "lead_days": _days(statistics.median(passed.leads)) if passed.leads else None,
            },
            "win_rate": {
                "won": passed.won,
                "decided": decided,
                "rate": round(passed.won / decided, 4) if decided else None,
                "low": round(low, 4),
                "high": round(high, 4),
                "too_few": decided < FEWEST,
            },
        }


def _days(length: float) -> float:
    """Return a length of time in days."""
    return round(length / DAY, 2)
