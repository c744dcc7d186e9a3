"""
Points that fade: a value and its moment, exact at any later moment, in whatever order they come.

A moment is a number of seconds, so is a half-life. Nothing here is ever recomputed by night: what
is kept is (value, time), and every reading is worked out from that.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

NEVER = -math.inf
EPSILON = 1e-9
"""Two values nearer than that are the same: sums of fractions are not exact to the last bit."""
WEEK, MONTH = 7 * 86_400.0, 28 * 86_400.0
PULSE = WEEK * MONTH / (MONTH - WEEK)
"""No momentum fades more slowly than by this half-life."""


class Sum(NamedTuple):
    """Points that fade together: how many there were, and when."""

    value: float = 0.0
    time: float = NEVER


def added(held: Sum, points: float, at: float, half_life: float) -> Sum:
    """
    Return a sum with points that were earned at a moment, also an earlier one.

    >>> day = 86_400.0
    >>> first = added(Sum(), 10, 0, 7 * day)
    >>> added(first, 10, 7 * day, 7 * day)
    Sum(value=15.0, time=604800.0)
    >>> added(added(Sum(), 10, 7 * day, 7 * day), 10, 0, 7 * day)
    Sum(value=15.0, time=604800.0)
    """
    if at >= held.time:
        return Sum(left(held, at, half_life) + points, at)
    return Sum(held.value + points * math.exp2((at - held.time) / half_life), held.time)


def left(held: Sum, at: float, half_life: float) -> float:
    """
    Return what is left of a sum at a moment; before its own moment it is what it was.

    >>> left(Sum(10, 0), 7, 7), left(Sum(10, 0), 14, 7), left(Sum(), 7, 7)
    (5.0, 2.5, 0.0)
    """
    if held.value == 0.0 or at <= held.time:
        return held.value
    return held.value * math.exp2((held.time - at) / half_life)


def momentum(week: Sum, month: Sum, at: float) -> float:
    """
    Return how much of what somebody did lately he did this week, from 0 to 1.

    Who does the same every week is at a quarter; who has just begun at 1:

    >>> momentum(Sum(20, 0), Sum(20, 0), 0)
    1.0
    >>> momentum(Sum(5, 0), Sum(20, 0), 0)
    0.25

    Of less than one point in a month nothing can be said: it is not made larger than it is.

    >>> momentum(Sum(0.5, 0), Sum(0.5, 0), 0)
    0.5
    """
    return min(1.0, left(week, at, WEEK) / max(1.0, left(month, at, MONTH)))


def rank(value: float, at: float, half_life: float) -> float | None:
    """
    Return a key that never changes, by which all that fade by one half-life stay in order.

    It is log2 of the value as it would have been at moment 0. None: there is nothing to rank.

    >>> rank(8, 0, 7), rank(4, 7, 7), rank(0, 7, 7)
    (3.0, 3.0, None)
    """
    return math.log2(value) + at / half_life if value > 0 else None


def rank_needed(value: float, at: float, half_life: float) -> float | None:
    """
    Return the least rank of what is at least a value at a moment; None: everything is.

    >>> rank_needed(2, 14, 7) == rank(8, 0, 7)
    True
    """
    return rank(value, at, half_life)


def falls_below(held: Sum, value: float, half_life: float) -> float | None:
    """
    Return when a sum is down to a value; None: it is there already, or never will be.

    >>> falls_below(Sum(40, 100), 10, 7)
    114.0
    >>> falls_below(Sum(10, 100), 20, 7) is None, falls_below(Sum(10, 100), 0, 7) is None
    (True, True)
    """
    if not 0 < value < held.value:
        return None
    return held.time + half_life * math.log2(held.value / value)


def closed_form(points: Iterable[tuple[float, float]], at: float, half_life: float) -> float:
    """
    Return what all of these points, each with its moment, come to: the definition.

    >>> closed_form([(10, 0), (10, 7)], 14, 7)
    7.5
    """
    return math.fsum(given * math.exp2((when - at) / half_life) for given, when in points)
