"""When a visit ends, and how much of a film was watched."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeVar

Number = TypeVar("Number", int, float)


def goes_on(last_at: datetime, now: datetime, idle: timedelta) -> bool:
    """
    Return whether a visit that was last heard of at ``last_at`` still goes on.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> goes_on(noon, noon + timedelta(minutes=29), timedelta(minutes=30))
    True
    >>> goes_on(noon, noon + timedelta(minutes=30), timedelta(minutes=30))
    False
    """
    return now - last_at < idle


def merged(spans: Iterable[tuple[Number, Number]]) -> list[list[Number]]:
    """
    Return stretches in order, with what overlaps or touches made one.

    >>> merged([(5, 7), (0, 2), (2, 3), (6, 9)])
    [[0, 3], [5, 9]]
    """
    found: list[list[Number]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([start, end])
    return found
