"""How much of a film somebody watched: every stretch of it, and when it was seen last."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from regportal.buying.facts import Watched
from regportal.buying.standing import NEVER, Ring
from regportal.tracking.rules import merged

MOST_PIECES = 40
"""Of one film no more stretches are remembered than these: those that were seen last."""
MOST_TOLD = 5
"""Of one telling no more stretches count than these: the longest. Between two pauses are few."""
MOST_FILMS = 20
"""Of one person no more films are remembered than these: those that were watched last."""
WHOLE = 100
FILMED = frozenset({"video_watch"})
"""What tells how much of a film was watched."""
Signs = tuple[Hashable, ...]
"""The interactions by which so much was watched, oldest first."""


def watched_in(kind: str, properties: Mapping[str, Any]) -> Watched | None:
    """
    Return what the properties of an interaction tell of a film; None where it is about none.

    >>> watched_in("video_watch", {"watched": [[0, 42.5], [60, 75]], "duration": 180})
    Watched(stretches=((0, 42500), (60000, 75000)), length=180000)
    """
    if kind not in FILMED:
        return None
    told = properties.get("watched", ())
    stretches = merged((_thousandths(start), _thousandths(end)) for start, end in told)
    longest = sorted((end - start, start, end) for start, end in stretches)[-MOST_TOLD:]
    length = properties.get("duration")
    whole = _thousandths(length) if length else None
    return Watched(tuple(sorted((start, end) for _, start, end in longest)), whole)


def _thousandths(seconds: float) -> int:
    """Return seconds in milliseconds: shares of whole numbers are exact."""
    return round(seconds * 1000)


def share_of(stretches: Iterable[tuple[int, int]], whole: int | None) -> int:
    """
    Return how much of a film these stretches are, none over another: in percent, rounded down.

    >>> share_of([(0, 300), (500, 700)], 600), share_of([(0, 300)], None)
    (66, 0)
    """
    if not whole:
        return 0
    seen = sum(min(end, whole) - start for start, end in stretches if start < whole)
    return WHOLE * seen // whole


class Piece(NamedTuple):
    """A stretch of a film, and by which interaction it was seen last."""

    start: int
    end: int
    at: int
    sign: Hashable


newness = itemgetter(2, 3)
"""By what a piece is newer than another: its moment, and its sign."""


class Film:
    """What one person watched of one film: of each moment of it only when he saw it last."""

    __slots__ = ("_found", "length", "length_told", "pieces")

    def __init__(
        self, pieces: Sequence[Piece] = (), length: int | None = None, length_told: int = NEVER
    ) -> None:
        """Begin with nothing, or where another one ended."""
        self.pieces = [*pieces]
        """In the order of the film, none over another."""
        self.length = length
        self.length_told = length_told
        """When somebody said so last: films are cut anew."""
        self._found: dict[int, tuple[int, Signs] | None] = {}

    def watch(self, watched: Watched, at: int, sign: Hashable) -> bool:
        """
        Take in what was watched; return whether that made a difference.

        What was watched later stays, in whatever order it is told:

        >>> film = Film()
        >>> film.watch(Watched(((0, 60),), 100), 7, "b")
        True
        >>> film.watch(Watched(((40, 80),), 100), 5, "a")
        True
        >>> [(piece.start, piece.end, piece.sign) for piece in film.pieces]
        [(0, 60, 'b'), (60, 80, 'a')]
        >>> film.watch(Watched(((40, 80),), 100), 5, "a")
        False
        """
        before = self.pieces, self.length
        told = watched.length or 0
        if told and (at, told) > (self.length_told, self.length or 0):
            self.length, self.length_told = told, at
        self._lay(watched, at, sign)
        if len(self.pieces) > MOST_PIECES:
            self.pieces = sorted(sorted(self.pieces, key=newness)[-MOST_PIECES:])
        is_new = before != (self.pieces, self.length)
        if is_new:
            self._found.clear()
        return is_new

    def _lay(self, watched: Watched, at: int, sign: Hashable) -> None:
        """Put what one interaction tells over what is older, and under what is newer."""
        new = [Piece(start, end, at, sign) for start, end in watched.stretches]
        own, newer, older = (at, sign), list[Piece](), self.pieces
        if older and max(map(newness, older)) >= own:
            newer = [piece for piece in self.pieces if newness(piece) >= own]
            older = [piece for piece in self.pieces if newness(piece) < own]
        self.pieces = sorted([*newer, *_without(new, newer), *_without(older, new)])

    def seen(self, after: int = NEVER) -> int:
        """
        Return how much of the whole was watched after a moment, in percent, rounded down.

        >>> Film([Piece(0, 300, 7, "a"), Piece(300, 500, 9, "b")], 600).seen(7)
        33
        """
        since = ((piece.start, piece.end) for piece in self.pieces if piece.at > after)
        return share_of(since, self.length)

    def reached(self, share: int) -> tuple[int, Signs] | None:
        """
        Return since when he has watched so much of it, and by which interactions; else None.

        It is the latest moment since which, with what was watched at it, there is enough: what
        came before it is not needed, and whoever asks for something newer does not find enough.

        >>> film = Film([Piece(0, 300, 7, "a"), Piece(300, 500, 9, "b")], 600)
        >>> film.reached(33), film.reached(75), film.reached(100)
        ((9, ('b',)), (7, ('a', 'b')), None)
        """
        if share not in self._found:
            self._found[share] = self._look(share)
        return self._found[share]

    def _look(self, share: int) -> tuple[int, Signs] | None:
        """Go back from what was seen last until there is enough."""
        whole = self.length
        if not whole:
            return None
        lacking, signs = share * whole, []
        for piece in sorted(self.pieces, key=newness, reverse=True):
            seen = min(piece.end, whole) - piece.start
            if seen > 0:
                signs.append(piece.sign)
                lacking -= WHOLE * seen
            if lacking <= 0:
                return piece.at, tuple(dict.fromkeys(reversed(signs)))
        return None

    @property
    def newest(self) -> tuple[Any, ...]:
        """Return when it was watched last."""
        return max(map(newness, self.pieces), default=(NEVER,))


def _without(pieces: Sequence[Piece], others: Sequence[Piece]) -> Iterator[Piece]:
    """Yield what of some pieces is under none of the others; both in the order of the film."""
    place, last = 0, len(others)
    for piece in pieces:
        start, end, at, sign = piece
        while place < last and others[place][1] <= start:
            place += 1
        here = place
        while here < last and others[here][0] < end:
            if start < others[here][0]:
                yield Piece(start, others[here][0], at, sign)
            start = max(start, others[here][1])
            here += 1
        if start < end:
            yield piece if start == piece[0] else Piece(start, end, at, sign)


class Films:
    """What everybody watched of everything that a condition counts."""

    __slots__ = ("each",)

    def __init__(self, each: Mapping[tuple[Hashable, str], Film] | None = None) -> None:
        """Begin with nothing, or where another one ended."""
        self.each = {**(each or {})}
        """By contact and film."""

    def watch(
        self, who: Hashable, thing: str, watched: Watched | None, at: int, sign: Hashable
    ) -> bool:
        """Take in what somebody watched of a film; return whether that made a difference."""
        if watched is None:
            return False
        film = self.each.get((who, thing))
        if film is not None:
            return film.watch(watched, at, sign)
        film = self.each[who, thing] = Film()
        is_new = film.watch(watched, at, sign)
        theirs = [name for name in self.each if name[0] == who]
        if len(theirs) > MOST_FILMS:
            del self.each[min(theirs, key=lambda name: self.each[name].newest)]
        return is_new

    def written(self) -> list[Any]:
        """Return it as JSON has it."""
        return [
            [who, thing, film.length, film.length_told, film.pieces]
            for (who, thing), film in sorted(self.each.items(), key=str)
        ]

    @classmethod
    def read(cls, told: Sequence[Any], key: Callable[[str], Hashable]) -> "Films":
        """Return what was written; ``key`` makes the ids of signs and contacts of their texts."""
        return cls(
            {
                (key(who), thing): Film(
                    [Piece(start, end, at, key(sign)) for start, end, at, sign in pieces],
                    *length,
                )
                for who, thing, *length, pieces in told
            }
        )

    def rings(self, share: int, by: str) -> Iterator[Ring]:
        """
        Yield what counts of which so much was watched: once a film and contact, oldest first.

        Of all together; of each contact where the ``same_contact`` must have done it; of
        ``distinct_contacts`` of each the newest.
        """
        theirs: defaultdict[Hashable, list[tuple[int, Signs]]] = defaultdict(list)
        for (who, _), film in self.each.items():
            found = film.reached(share)
            if found is not None:
                theirs[who].append(found)
        if by == "same_contact":
            groups = [*theirs.values()]
        elif by == "distinct_contacts":
            groups = [[max(own, key=_moment) for own in theirs.values()]]
        else:
            groups = [[found for own in theirs.values() for found in own]]
        for group in groups:
            group.sort(key=_moment)
            yield Ring([at for at, _ in group], [signs for _, signs in group])


def _moment(found: tuple[int, Signs]) -> int:
    """Return since when there is enough."""
    return found[0]
