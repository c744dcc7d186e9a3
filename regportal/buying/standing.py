"""Where an opportunity or a contact stands: as little as is needed to go on from there."""

from bisect import bisect_right
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

NEVER = -(2**62)
"""Before everything that ever happened."""


class Ring:
    """The newest signs of a kind: when each happened, and which it is."""

    __slots__ = ("ids", "times")

    def __init__(self, times: list[int] | None = None, ids: list[Hashable] | None = None) -> None:
        """Begin empty, or where another one ended."""
        self.times: list[int] = times or []
        self.ids: list[Hashable] = ids or []

    def add(self, at: int, sign: Hashable, size: int) -> bool:
        """
        Keep a sign if it is one of the ``size`` newest and is not there; return whether it is new.

        >>> ring = Ring()
        >>> [ring.add(at, name, 2) for at, name in [(5, "a"), (5, "a"), (9, "b"), (7, "c")]]
        [True, False, True, True]
        >>> ring.ids, ring.add(3, "d", 2)
        (['c', 'b'], False)
        """
        times, ids = self.times, self.ids
        if not times or at > times[-1]:
            times.append(at)
            ids.append(sign)
        else:
            if len(times) >= size and at <= times[0]:
                return False
            place = bisect_right(times, at)
            same = place
            while same and times[same - 1] == at:
                same -= 1
                if ids[same] == sign:
                    return False
            times.insert(place, at)
            ids.insert(place, sign)
        if len(times) > size:
            del times[0], ids[0]
        return True


class Faces(Ring):
    """The newest sign of each of the contacts who did something last."""

    __slots__ = ("whose",)

    def __init__(
        self,
        times: list[int] | None = None,
        ids: list[Hashable] | None = None,
        whose: list[Hashable] | None = None,
    ) -> None:
        """Begin empty, or where another one ended."""
        super().__init__(times, ids)
        self.whose: list[Hashable] = whose or []

    def add_of(self, at: int, sign: Hashable, contact: Hashable, size: int) -> bool:
        """
        Keep a contact's sign if it is the contact's newest, and among the ``size`` newest.

        >>> faces = Faces()
        >>> [faces.add_of(at, at, who, 2) for at, who in [(1, "ann"), (2, "ann"), (3, "bob")]]
        [True, True, True]
        >>> faces.add_of(4, 4, "cy", 2), faces.whose
        (True, ['bob', 'cy'])
        """
        times, ids, whose = self.times, self.ids, self.whose
        if contact in whose:
            place = whose.index(contact)
            if at <= times[place]:
                return False
            del times[place], ids[place], whose[place]
        elif len(times) >= size and at <= times[0]:
            return False
        place = bisect_right(times, at)
        times.insert(place, at)
        ids.insert(place, sign)
        whose.insert(place, contact)
        if len(times) > size:
            del times[0], ids[0], whose[0]
        return True


@dataclass(slots=True)
class Person:
    """A contact with a part: which parts, and how far he has come by himself."""

    roles: frozenset[str]
    phase: int = 0


@dataclass(slots=True)
class Standing:
    """
    Where one opportunity (or one contact) stands under one compiled model.

    It changes as it hears of facts. It is a cache: `rules.fold` makes it anew from the facts, and
    `kept.written` and `kept.read` take it to a row and back. It does not grow with the history.
    """

    phase: int
    since: int
    epochs: list[int]
    """By phase: what happened until then no longer counts for it, because it fell back."""
    rings: list[Any]
    last: int | None = None
    """When anybody did anything last."""
    wake_at: int | None = None
    """When to look again though nothing happens; never later than something could change."""
    frozen: bool = False
    alone: bool = False
    """Whether it is the standing of a single contact: no group binds him."""
    stage: str | None = None
    stage_since: int = NEVER
    answers: dict[str, dict[Hashable, tuple[tuple[str, ...], int]]] = field(default_factory=dict)
    """By question and contact what was answered last, and when."""
    scores: dict[str, dict[Hashable, float]] = field(default_factory=dict)
    fields: dict[str, dict[Hashable, str]] = field(default_factory=dict)
    people: dict[Hashable, Person] = field(default_factory=dict)
    ahead: list[tuple[int, Any]] = field(default_factory=list)
    """Signs of clocks that go before ours: they count when their moment comes."""
