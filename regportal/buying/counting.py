"""Conditions that count what was done, made ready to be asked quickly and explained."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from regportal.buying.facts import length
from regportal.buying.films import Films, Signs
from regportal.buying.schema import Condition, Prefix
from regportal.buying.standing import Ring, Standing

Holds = Callable[[Standing, int, int], bool]
"""Whether something holds of a standing, at a moment, by what happened after an epoch."""


@dataclass(frozen=True, slots=True)
class Met:
    """A condition that holds, and what makes it hold."""

    condition: Condition
    signs: tuple[Hashable, ...] = ()
    """The newest that were needed, oldest first."""
    told: tuple[tuple[Hashable, str], ...] = ()
    """Whose answer, score or field it is, and what it says."""
    absent: bool = False
    """It is one that must not hold, and does not."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Which objects count."""

    names: frozenset[str]
    begins: str | None = None

    @classmethod
    def of(cls, told: str | Sequence[str] | Prefix) -> "Ask":
        """Return what a document asks."""
        if isinstance(told, Prefix):
            return cls(frozenset(), told.prefix)
        return cls(frozenset({told} if isinstance(told, str) else told))

    @property
    def fits(self) -> Callable[[str], bool]:
        """Return what says whether an object counts."""
        begins = self.begins
        if begins is None:
            return self.names.__contains__
        return lambda thing: thing.startswith(begins)


class Leaf:
    """One condition."""

    fades: bool | None = None
    """What time alone does to it: True ends it, False makes it hold, None nothing."""
    span: int | None = None
    """How long a silence it asks for, where it does."""

    def __init__(self, condition: Condition) -> None:
        """Make a condition ready."""
        self.condition = condition

    def holds(self, standing: Standing, at: int, epoch: int) -> bool:
        """Return whether it holds at a moment, by what happened after the epoch."""
        raise NotImplementedError

    def met(self, standing: Standing, at: int, epoch: int) -> Iterator[Met]:
        """Yield the evidence of one that holds."""
        raise NotImplementedError

    def flip(self, standing: Standing, at: int, epoch: int) -> int | None:
        """Return when time alone changes it, as far as is known at a moment."""
        del standing, at, epoch
        return None


class Counted(Leaf):
    """So many interactions within so long, of whichever contacts or of different ones."""

    fades = True

    def __init__(self, condition: Condition, number: int) -> None:
        """Make a condition ready that counts in the series of this number."""
        super().__init__(condition)
        self.number = number
        self.least = condition.count.at_least
        self.window = length(condition.window)

    def holds(self, standing: Standing, at: int, epoch: int) -> bool:
        """Return whether the last that is needed is young enough."""
        ring = standing.rings[self.number]
        if ring is None:
            return False
        times, least = ring.times, self.least
        if len(times) < least:
            return False
        oldest: int = times[-least]
        return oldest > epoch and oldest > at - self.window

    def met(self, standing: Standing, at: int, epoch: int) -> Iterator[Met]:
        """Yield the newest signs."""
        ring = self._ring(standing, at, epoch)
        if ring is not None:
            yield Met(self.condition, tuple(ring.ids[-self.least :]))

    def flip(self, standing: Standing, at: int, epoch: int) -> int | None:
        """Return when the oldest of those needed is too old."""
        ring = self._ring(standing, at, epoch)
        return None if ring is None else ring.times[-self.least] + self.window

    def rings(self, standing: Standing) -> Iterator[Ring]:
        """Yield what was counted: of all together, or of each who must have done it alone."""
        ring: Ring | None = standing.rings[self.number]
        if ring is not None:
            yield ring

    def _ring(self, standing: Standing, at: int, epoch: int) -> Ring | None:
        """Return the ring by which it holds, the newest of several; None where it does not."""
        least, best, latest = self.least, None, max(epoch, at - self.window)
        for ring in self.rings(standing):
            if len(ring.times) >= least and ring.times[-least] > latest:
                best, latest = ring, ring.times[-least]
        return best


class CountedOfOne(Counted):
    """So many interactions within so long, all of one contact."""

    def holds(self, standing: Standing, at: int, epoch: int) -> bool:
        """Return whether anybody did so much."""
        rings: dict[Hashable, Ring] | None = standing.rings[self.number]
        if rings is None:
            return False
        least = self.least
        for ring in rings.values():
            times = ring.times
            if len(times) >= least and times[-least] > epoch and times[-least] > at - self.window:
                return True
        return False

    def rings(self, standing: Standing) -> Iterator[Ring]:
        """Yield what each contact did."""
        yield from (standing.rings[self.number] or {}).values()


class CountedFilms(Counted):
    """So many films of which so much was watched within so long, each by one contact."""

    def __init__(self, condition: Condition, number: int) -> None:
        """Make a condition ready that asks what was watched in the series of this number."""
        super().__init__(condition, number)
        self.share, self.by = condition.share or 0, condition.by

    def holds(self, standing: Standing, at: int, epoch: int) -> bool:
        """Return whether the last that is needed is young enough."""
        return self._ring(standing, at, epoch) is not None

    def met(self, standing: Standing, at: int, epoch: int) -> Iterator[Met]:
        """Yield the newest signs by which there is enough of each."""
        ring = self._ring(standing, at, epoch)
        if ring is not None:
            some = cast("list[Signs]", ring.ids[-self.least :])
            signs = (sign for each in some for sign in each)
            yield Met(self.condition, tuple(signs))

    def rings(self, standing: Standing) -> Iterator[Ring]:
        """Yield of which films there is enough, and since when."""
        films: Films | None = standing.rings[self.number]
        if films is not None:
            yield from films.rings(self.share, self.by)

    def furthest(self, standing: Standing, after: int) -> int:
        """Return how much of a film was watched after a moment, in percent, where not enough."""
        films: Films | None = standing.rings[self.number]
        each = (film.seen(after) for film in films.each.values()) if films is not None else ()
        return max((seen for seen in each if seen < self.share), default=0)
