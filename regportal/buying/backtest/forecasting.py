"""
Who will buy? What is known of opportunities on Mondays, each way of looking as a forecast.

On every Monday each way makes a forecast of every opportunity that was open: the share of those won
among earlier ones that stood at the same place on a Monday and were decided before the test
began. Then it is compared with what became of them (docs/buying.md; examples/bpi2012).
"""

import random
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from regportal.buying.backtest.measures import auc, between, brier

DAY = 86_400_000_000
WEEK = 7 * DAY
MONDAY = 4 * DAY
"""The first Monday of 1970."""
BANDS = (7 * DAY, 14 * DAY, 28 * DAY)
"""After which somebody has been at a place for long."""
STRENGTH = 5
"""So many that stood at a place before weigh as much as all others."""
DRAWS = 500
SEED = 2012
MOST_MONDAYS = 104
"""How long before its end an opportunity is looked at."""


class Case(NamedTuple):
    """An opportunity that was decided: when and how, and its place by each way, by Monday."""

    ended: int
    is_won: bool
    mondays: Sequence[tuple[int, tuple[Hashable, ...]]]


class Course:
    """Where something stood, by time: a stage, or a phase."""

    def __init__(self, steps: Sequence[tuple[int, str | None]]) -> None:
        """Take since when it stood where, oldest first."""
        self._times = [at for at, _ in steps]
        self._places = [place for _, place in steps]

    def place(self, at: int) -> tuple[str | None, int]:
        """
        Return where it stood at a moment, and in which band of time that had lasted.

        >>> Course([(0, "offer"), (9 * DAY, "order")]).place(8 * DAY)
        ('offer', 1)
        """
        found = bisect_right(self._times, at) - 1
        if found < 0:
            return None, 0
        return self._places[found], band(at - self._times[found])


def band(length: int) -> int:
    """
    Return how long that is: below a week (0), two (1), four (2), or longer (3).

    >>> [band(days * DAY) for days in (0, 7, 20, 28)]
    [0, 1, 2, 3]
    """
    return bisect_right(BANDS, length)


def mondays(begun: int, ended: int) -> Iterator[int]:
    """
    Yield each Monday, at midnight (UTC), on which something was open; of long ones the last.

    >>> [at // DAY for at in mondays(MONDAY, MONDAY + 2 * WEEK)]
    [11]
    """
    first = begun - (begun - MONDAY) % WEEK + WEEK
    first = max(first, first + (-(-(ended - first) // WEEK) - MOST_MONDAYS) * WEEK)
    yield from range(first, ended, WEEK)


@dataclass(slots=True)
class Sample:
    """Some of many cases, each as likely as any other: so that memory has a bound."""

    most: int
    seen: int = 0
    kept: list[Case] = field(default_factory=list)
    _chance: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311 - which are kept, nobody need guess

    def offer(self, case: Case) -> None:
        """Keep a case, or not."""
        self.seen += 1
        if len(self.kept) < self.most:
            self.kept.append(case)
        elif (place := self._chance.randrange(self.seen)) < self.most:
            self.kept[place] = case


class Found(NamedTuple):
    """How good forecasts were."""

    mondays: int
    opportunities: int
    """That were tested; ``won`` of them won."""
    won: int
    earlier: int
    """Mondays from which it was learned."""
    figures: dict[str, tuple[float, float]]
    """By way: AUC and Brier score."""
    ahead: dict[tuple[str, str], tuple[tuple[float, float], tuple[float, float]]]
    """By pair: how far the first is above the other in AUC and Brier, 95 of 100 draws."""


def half_way(cases: Sequence[Case]) -> int:
    """Return the moment at which half of the cases were decided."""
    return sorted(case.ended for case in cases)[len(cases) // 2]


def compare(
    cases: Sequence[Case], ways: Sequence[str], split: int, pairs: Sequence[tuple[str, str]]
) -> Found | None:
    """
    Return how good the forecasts of each way were, from a moment on, and which was ahead.

    Draws are of opportunities, not of Mondays: those of one opportunity say the same thing. None
    where there is nothing to learn from, or only won or only lost ones to test with.
    """
    train = [
        (places, case.is_won)
        for case in cases
        if case.ended < split
        for at, places in case.mondays
        if at < split
    ]
    test = [
        (case, some)
        for case in cases
        if (some := [places for at, places in case.mondays if at >= split])
    ]
    if not train or len({case.is_won for case, _ in test}) < 2:  # noqa: PLR2004 - both kinds
        return None
    told = {
        way: _told(train, [(case, some) for case, some in test], place)
        for place, way in enumerate(ways)
    }
    once = Counter(dict.fromkeys(range(len(test)), 1))
    return Found(
        mondays=sum(len(some) for _, some in test),
        opportunities=len(test),
        won=sum(case.is_won for case, _ in test),
        earlier=len(train),
        figures={way: _measured(each, once) for way, each in told.items()},
        ahead=_ahead(told, [case.is_won for case, _ in test], pairs),
    )


Told = list[tuple[bool, Counter[float]]]
"""Of each opportunity whether it was won, and how often which forecast was made."""


def _told(
    train: Sequence[tuple[tuple[Hashable, ...], bool]],
    test: Sequence[tuple[Case, Sequence[tuple[Hashable, ...]]]],
    way: int,
) -> Told:
    """Return the forecasts of one way, drawn to the share of all where few stood there before."""
    everybody = sum(is_won for _, is_won in train) / len(train)
    stood = Counter(places[way] for places, _ in train)
    won = Counter(places[way] for places, is_won in train if is_won)

    def forecast(place: Hashable) -> float:
        return (won[place] + STRENGTH * everybody) / (stood[place] + STRENGTH)

    return [(case.is_won, Counter(forecast(each[way]) for each in some)) for case, some in test]


def _measured(told: Told, weights: Counter[int]) -> tuple[float, float]:
    """Return AUC and Brier score, each opportunity counted so often."""
    outcomes: defaultdict[float, list[int]] = defaultdict(lambda: [0, 0])
    for number, weight in weights.items():
        is_won, values = told[number]
        for value, times in values.items():
            outcomes[value][is_won] += weight * times
    return auc(outcomes), brier(outcomes)


def _ahead(
    told: dict[str, Told], won: Sequence[bool], pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[tuple[float, float], tuple[float, float]]]:
    """Return how far the first way of each pair is above the other."""
    draws = random.Random(SEED)  # noqa: S311 - which draws, nobody need guess
    found: dict[tuple[str, str], list[tuple[float, float]]] = {pair: [] for pair in pairs}
    everybody = range(len(won))
    for _ in range(DRAWS):
        weights = Counter(draws.choices(everybody, k=len(won)))
        if len({won[number] for number in weights}) < 2:  # noqa: PLR2004 - both kinds
            continue
        figures = {
            way: _measured(told[way], weights) for way in {w for pair in pairs for w in pair}
        }
        for pair, so_far in found.items():
            (auc_1, brier_1), (auc_2, brier_2) = (figures[way] for way in pair)
            so_far.append((auc_1 - auc_2, brier_1 - brier_2))
    return {
        pair: (between(one for one, _ in each), between(other for _, other in each))
        for pair, each in found.items()
        if each
    }
