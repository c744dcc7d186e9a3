"""
How sure it is that one way of asking is better than another, however often somebody looks.

The test is sequential: it may be read at any time, and stopped by what it says, and still is wrong
no more often than it was allowed to be. It compares how well the numbers are explained by two
shares, each of its own (all shares being as likely before), with the best explanation under which
the one is not larger (universal inference: Wasserman, Ramdas and Balakrishnan 2020, PNAS 117).
That ratio is beyond a number N, at any time, in at most one of N cases where nothing is there.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log

STEPS = 80
"""Each cuts off a third: more digits than a float has."""
MOST = 700.0
"""Beyond it e to the power is no number any more."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    of: int = 0
    yes: int = 0

    @property
    def rate(self) -> float:
        """Return the share; 0 of nobody."""
        return self.yes / self.of if self.of else 0.0


class Verdict(enum.StrEnum):
    """What an experiment says of an arm."""

    OPEN = "open"
    BETTER = "better"
    WORSE = "worse"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Odds:
    """How many times better the numbers fit a difference than none; and how often is needed."""

    better: float
    worse: float
    loses: float
    """That more people go away than the guard allows."""
    needed: float


def evidence(low: Share, high: Share, margin: float = 0.0) -> float:
    """
    Return how many times better it fits that ``high`` is more than ``margin`` above ``low``.

    >>> round(evidence(Share(10, 5), Share(10, 5)), 2) < 1
    True
    >>> evidence(Share(1000, 300), Share(1000, 400)) > 40
    True
    >>> evidence(Share(1000, 300), Share(1000, 400), margin=0.2) < 1
    True
    """
    mixed = _mixed(low) + _mixed(high)
    return exp(min(MOST, mixed - _best(low, high, margin)))


def odds(
    control: Share, arm: Share, seen: tuple[Share, Share], guard: float, needed: float
) -> Odds:
    """
    Return what the numbers say of an arm against the first one.

    ``control`` and ``arm`` are who answered and were proven; ``seen`` who sent the form at all, in
    the same order; ``guard`` by how much that share may be smaller (0 to 1).
    """
    return Odds(
        better=evidence(control, arm),
        worse=evidence(arm, control),
        loses=evidence(seen[1], seen[0], guard),
        needed=needed,
    )


def needed(sure: int, arms: int) -> float:
    """
    Return how large an evidence must be, for this many percent and arms (Bonferroni, both sides).

    >>> round(needed(95, 2)), round(needed(95, 3))
    (40, 80)
    """
    return 2 * (arms - 1) / (1 - sure / 100)


def verdict(found: Odds) -> Verdict:
    """Return what is sure; a loss of people comes before everything else."""
    if found.loses >= found.needed:
        return Verdict.STOPPED
    if found.better >= found.needed:
        return Verdict.BETTER
    return Verdict.WORSE if found.worse >= found.needed else Verdict.OPEN


def _mixed(share: Share) -> float:
    """Return the logarithm of how likely the answers are, in their order, by any share at all."""
    yes, no = share.yes, share.of - share.yes
    return lgamma(yes + 1) + lgamma(no + 1) - lgamma(share.of + 2)


def _likely(pairs: Sequence[tuple[Share, float]]) -> float:
    """Return the logarithm of how likely the answers are by these shares."""
    total = 0.0
    for share, rate in pairs:
        for many, one in ((share.yes, rate), (share.of - share.yes, 1 - rate)):
            if many:
                total += many * log(one) if one > 0 else -MOST * many
    return total


def _best(low: Share, high: Share, margin: float) -> float:
    """Return the same by the best shares of which ``high`` is at most ``margin`` above."""
    if high.rate <= low.rate + margin:
        return _likely([(low, low.rate), (high, high.rate)])
    left, right = 0.0, 1.0 - margin  # along the edge it has one top
    for _ in range(STEPS):
        third = (right - left) / 3
        one, other = left + third, right - third
        if _edge(low, high, one, margin) < _edge(low, high, other, margin):
            left = one
        else:
            right = other
    return _edge(low, high, (left + right) / 2, margin)


def _edge(low: Share, high: Share, rate: float, margin: float) -> float:
    """Return how likely the answers are where the two are just as far apart as they may be."""
    return _likely([(low, rate), (high, rate + margin)])
