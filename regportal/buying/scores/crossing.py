"""
When a score will reach another threshold by itself, while nothing happens.

What is given fades, so it will cool down; what was taken fades, too, so it may also recover.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from regportal.buying.scores.decay import MONTH, PULSE, WEEK, falls_below, left
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.standing import Standing

SOON = 0.001
"""Seconds within which the moment is found."""
OVER = 64
"""After so many half-lives nothing is left of anything."""
STEPS, PIECES = 1_000, 128
"""Looks after which one gives up…"""
AGAIN = 3_600.0
"""…and asks to be asked again so many seconds later, at the earliest."""


def next_change(scoring: Scoring, standing: Standing, start: float) -> float | None:
    """
    Return when, after a moment, the level may be another one; None: never by itself.

    It is that moment to a millisecond. Only where points that fade and points that recover hold
    each other just at a threshold it is one to look again at, and that may be an hour late.
    """
    level = standing.level(scoring, start)
    if not scoring.marks or (level == 0 and not standing.lost):
        return None
    if standing.lost:
        return _searched(scoring, standing, start, level)
    below = scoring.marks[level - 1] - standing.fixed
    if below <= 0:
        return None
    alone = _only_sum(scoring, standing)
    if alone is None:
        return _fallen([*_terms(scoring, standing, start)], start, below)
    found = falls_below(standing.gained[alone], below, scoring.half_lives[alone])
    return None if found is None else max(found, start) + SOON


def _only_sum(scoring: Scoring, standing: Standing) -> int | None:
    """Return the group that is all there is of what changes, where it is one alone."""
    if scoring.recency or scoring.pulse or len(standing.gained) != 1:
        return None
    return next(iter(standing.gained))


# --- what only fades ---


class _Term(NamedTuple):
    """Something that fades: what it is at first, what of it counts at most, and how fast."""

    value: float
    most: float
    half_life: float
    later: tuple[float, float] | None = None
    """From so many seconds on it goes by another half-life."""

    def at(self, seconds: float) -> tuple[float, float]:
        """Return what counts of it after so many seconds, and how much of that goes in a second."""
        value, half_life = self.value, self.half_life
        if self.later is not None and seconds > self.later[0]:
            value *= math.exp2(-self.later[0] / half_life)
            seconds, half_life = seconds - self.later[0], self.later[1]
        value *= math.exp2(-seconds / half_life)
        if value > self.most:
            return self.most, 0.0
        return value, value * math.log(2) / half_life


def _terms(scoring: Scoring, standing: Standing, start: float) -> Iterator[_Term]:
    """Yield everything that fades from a moment on."""
    for index, held in standing.gained.items():
        half_life = scoring.half_lives[index]
        yield _Term(left(held, start, half_life), scoring.limits[index], half_life)
    if scoring.recency:
        most, half_life = scoring.recency
        yield _Term(standing.newness(scoring, start), most, half_life)
    if scoring.pulse:
        month = left(standing.month, start, MONTH)
        until = MONTH * math.log2(month) if month > 1 else 0.0
        now = standing.pulse(scoring, start)
        yield _Term(now, scoring.pulse, PULSE, (until, WEEK))


def _fallen(terms: list[_Term], start: float, below: float) -> float | None:
    """
    Return when all of this together is below a value.

    Newton's steps from the left never go past it while nothing is held back by a limit; where
    one does, the rest is halved.
    """
    near, far = 0.0, OVER * max(term.half_life for term in terms)
    for _ in range(STEPS):
        found = [term.at(near) for term in terms]
        over = sum(value for value, _ in found) - below
        falls = sum(speed for _, speed in found)
        step = over / falls if falls > 0 else math.inf
        after = max(near + step, near + SOON)
        if after >= far:
            after = (near + far) / 2
        if sum(term.at(after)[0] for term in terms) < below:
            far = after
        else:
            near = after
        if far - near <= SOON:
            return start + far + SOON  # the last bits of fractions must not keep it up
    return start + near + AGAIN


# --- what fades, and what recovers ---


def _searched(scoring: Scoring, standing: Standing, start: float, level: int) -> float | None:
    """
    Return the first moment with another level, by halving the time to come.

    Between two moments the score is never below what is left at the end of what fades and what
    is still taken at the beginning, and never above the other way round: most spans need no
    second look.
    """
    given, taken = [*_terms(scoring, standing, start)], [*_taken(scoring, standing, start)]

    def at(seconds: float) -> tuple[float, float, float]:
        gives, takes = (sum(term.at(seconds)[0] for term in terms) for terms in (given, taken))
        return seconds, standing.fixed + gives, takes

    spans = [(at(0.0), at(OVER * scoring.slowest))]
    for _ in range(PIECES):
        if not spans:
            return None
        first, last = spans.pop()
        lowest, highest = scoring.level(last[1] - first[2]), scoring.level(first[1] - last[2])
        if lowest == highest == level:
            continue
        if last[0] - first[0] > SOON:
            middle = at((first[0] + last[0]) / 2)
            spans += [(middle, last), (first, middle)]
        elif scoring.level(last[1] - last[2]) != level:
            return start + last[0]
    return start + max(spans[-1][0][0], AGAIN) if spans else None


def _taken(scoring: Scoring, standing: Standing, start: float) -> Iterator[_Term]:
    """Yield everything that was taken, and is forgotten from a moment on."""
    for index, held in standing.lost.items():
        half_life = scoring.half_lives[index]
        yield _Term(left(held, start, half_life), math.inf, half_life)
