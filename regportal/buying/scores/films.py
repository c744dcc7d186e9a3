"""How much of a film somebody has seen so far, put together over all his visits."""

from typing import NamedTuple

from regportal.buying.facts import Watched
from regportal.buying.films import MOST_PIECES, share_of
from regportal.tracking.rules import merged


class Seen(NamedTuple):
    """What is remembered of one film: its seconds in milliseconds, and by which sign it ended."""

    last: tuple[float, str]
    stretches: tuple[tuple[int, int], ...] = ()
    length: int | None = None
    """As it was told last."""
    best: int = 0
    """How many percent it ever was: films are cut anew."""


def seen(held: Seen | None, watched: Watched, at: float, name: str) -> Seen | None:
    """
    Return what is remembered of a film after a sign.

    >>> first = seen(None, Watched(((0, 60),), 100), 7.0, "a")
    >>> seen(first, Watched(((50, 80),), 100), 8.0, "b")
    Seen(last=(8.0, 'b'), stretches=((0, 80),), length=100, best=80)

    None: the sign is older than one that was heard. By which of them so much was seen nobody knows
    who has not kept them all, so whoever asks must go through them again.

    >>> seen(first, Watched(((0, 9),), 100), 6.0, "c") is None
    True
    """
    if held is None:
        held = Seen((at, name))
    if (at, name) < held.last:
        return None
    every = [(start, end) for start, end in merged((*held.stretches, *watched.stretches))]
    longest = sorted(every, key=lambda one: one[0] - one[1])[:MOST_PIECES]
    length = watched.length or held.length
    best = max(held.best, share_of(longest, length))
    return Seen((at, name), tuple(sorted(longest)), length, best)
