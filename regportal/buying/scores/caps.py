"""How often the same may count: the newest moments that did, and no more of the past than that."""

from collections.abc import Sequence
from typing import NamedTuple

DAY, WEEK = 86_400.0, 604_800.0


class Cap(NamedTuple):
    """At most so many in any span of so many seconds."""

    most: int
    span: float


class Ring(NamedTuple):
    """What a limited rule remembers: the last sign it heard, and the newest moments it counted."""

    last: tuple[float, str] | None = None
    counted: tuple[float, ...] = ()


def heard(ring: Ring, caps: Sequence[Cap], at: float, name: str) -> tuple[Ring, bool] | None:
    """
    Return what is remembered after a sign, and whether the sign counts.

    Of signs in the order of their time each counts of which there were not enough before:

    >>> ring, twice_a_day = Ring(), [Cap(2, DAY)]
    >>> found = []
    >>> for hour in (0, 1, 2, 23, 24, 25):
    ...     ring, counts = heard(ring, twice_a_day, hour * 3600.0, f"{hour:02}")
    ...     found.append(counts)
    >>> found
    [True, True, False, False, True, True]

    None: the sign is older than one that was heard. Which of the later ones still count nobody
    knows who has not kept them all, so whoever asks must go through them again.

    >>> heard(ring, twice_a_day, 3600.0, "late") is None
    True
    """
    if ring.last is not None and (at, name) < ring.last:
        return None
    counts = all(
        len(ring.counted) < cap.most or ring.counted[-cap.most] <= at - cap.span for cap in caps
    )
    keep = max(cap.most for cap in caps)
    counted = (*ring.counted, at)[-keep:] if counts else ring.counted
    return Ring((at, name), counted), counts
