"""What figures are made of: rates with intervals, medians, and how good forecasts were. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence

NINETY = 1.6448536269514722
"""Standard deviations on either side of the middle that hold 90 of 100."""
Outcomes = Mapping[float, Sequence[int]]
"""By what was forecast how many were lost, and how many won."""


def wilson(hits: int, of: int) -> tuple[float, float]:
    """
    Return between what a rate lies, 90 times of 100, that showed so many hits.

    >>> [round(each, 4) for each in wilson(1, 10)]
    [0.0226, 0.3477]
    >>> wilson(0, 0)
    (0.0, 1.0)
    """
    if not of:
        return 0.0, 1.0
    square = NINETY**2 / of
    rate = hits / of
    middle = (rate + square / 2) / (1 + square)
    half = math.sqrt(rate * (1 - rate) * square + square**2 / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def half_left(over: Iterable[float], lasting: Iterable[float]) -> float | None:
    """
    Return after how long half have left, of stays that are over and of stays that still last.

    None where half have not left yet (Kaplan and Meier: who still stays counts as long as he did).

    >>> half_left([1, 3, 5], []), half_left([1, 3], [2, 10]), half_left([1], [5, 9])
    (3, 3, None)
    """
    stays = sorted([*((each, False) for each in over), *((each, True) for each in lasting)])
    still, there = 1.0, len(stays)
    for length, is_lasting in stays:
        if not is_lasting:
            still *= 1 - 1 / there
            if still <= 0.5 + 1e-12:  # half, and what floats do to it
                return length
        there -= 1
    return None


def auc(outcomes: Outcomes) -> float:
    """
    Return how often who was won was forecast higher than who was lost; ties count half.

    Some must be won, and some lost.

    >>> auc({0.2: [3, 1], 0.8: [1, 3]})
    0.75
    """
    lost_below, better, won_all = 0, 0.0, 0
    for value in sorted(outcomes):
        lost, won = outcomes[value]
        better += won * (lost_below + lost / 2)
        lost_below += lost
        won_all += won
    return better / (won_all * lost_below)


def brier(outcomes: Outcomes) -> float:
    """
    Return the mean of the squared errors: 0 is a prophet, 0.25 who always says a half.

    >>> brier({0.5: [7, 5]}), brier({0.0: [3, 0], 1.0: [0, 2]})
    (0.25, 0.0)
    """
    wrong = sum(lost * value**2 + won * (1 - value) ** 2 for value, (lost, won) in outcomes.items())
    return wrong / sum(lost + won for lost, won in outcomes.values())


def between(values: Iterable[float]) -> tuple[float, float]:
    """
    Return between what 95 of 100 of some values lie.

    >>> between(range(1000))
    (25, 975)
    """
    ordered = sorted(values)
    return ordered[len(ordered) * 25 // 1000], ordered[len(ordered) * 975 // 1000]
