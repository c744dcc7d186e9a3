"""A score made ready: which lines of points something that was done can touch."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from regportal.buying.scores.caps import DAY, WEEK, Cap
from regportal.buying.scores.decay import EPSILON, PULSE
from regportal.buying.scores.schema import Deed, Score
from regportal.buying.vocabulary import percent
from regportal.store.schema import span


class Rule(NamedTuple):
    """One line of points, ready to be asked."""

    name: str
    group: int
    points: int
    categories: frozenset[str]
    caps: tuple[Cap, ...]
    share: int | None = None
    """How many percent of a film must have been seen: the sign that brings it there counts."""

    def concerns(self, category: str | None) -> bool:
        """Return whether a sign of this category counts."""
        return not self.categories or category in self.categories


@dataclass(frozen=True)
class Scoring:
    """A score, indexed by what somebody does."""

    score: Score
    version: int = 0

    @cached_property
    def rules(self) -> Mapping[str, tuple[Rule, ...]]:
        """Return the rules by the type of sign they are about."""
        found: dict[str, tuple[Rule, ...]] = {}
        for index, group in enumerate(self.score.behaviour):
            for place, deed in enumerate(group.points):
                name = f"{group.group}/{place}"
                about = frozenset(deed.categories), _caps(deed), percent(deed.watched)
                rule = Rule(name, index, deed.points, *about)
                found[deed.event] = (*found.get(deed.event, ()), rule)
        return found

    @cached_property
    def half_lives(self) -> tuple[float, ...]:
        """Return the half-life of each group."""
        return tuple(span(group.half_life).total_seconds() for group in self.score.behaviour)

    @cached_property
    def limits(self) -> tuple[int, ...]:
        """Return the most that each group may give."""
        return tuple(group.at_most for group in self.score.behaviour)

    @cached_property
    def recency(self) -> tuple[int, float] | None:
        """Return the most that having been here lately gives, and its half-life."""
        part = self.score.temporal.recency if self.score.temporal else None
        return (part.at_most, span(part.half_life).total_seconds()) if part else None

    @cached_property
    def pulse(self) -> int:
        """Return the most that momentum gives."""
        part = self.score.temporal.momentum if self.score.temporal else None
        return part.at_most if part else 0

    @cached_property
    def slowest(self) -> float:
        """Return the half-life by which the whole fades at least."""
        every = (*self.half_lives, *(self.recency or ())[1:], *((PULSE,) if self.pulse else ()))
        return max(every, default=DAY)

    @cached_property
    def marks(self) -> tuple[float, ...]:
        """Return from which values on each threshold is reached, lowest first."""
        return tuple(at - EPSILON for _, at in self.score.levels)

    def concerns(self, kind: str, category: str | None) -> bool:
        """Return whether any rule is about such signs."""
        rules = self.rules.get(kind, ())
        return not self.score.behaviour or any(rule.concerns(category) for rule in rules)

    def level(self, value: float) -> int:
        """Return how many thresholds a value reaches."""
        return bisect_right(self.marks, value)

    @property
    def key(self) -> str:
        """Return what the score is called."""
        return self.score.key

    def level_called(self, name: str | None) -> int:
        """Return how many thresholds there are up to this one; 0 where it is none."""
        names = [each for each, _ in self.score.levels]
        return names.index(name) + 1 if name in names else 0

    def level_name(self, level: int) -> str | None:
        """Return what the highest of so many thresholds is called."""
        return self.score.levels[level - 1][0] if level else None


def _caps(deed: Deed) -> tuple[Cap, ...]:
    """Return how often a deed may count."""
    limits = deed.limits
    if limits is None:
        return ()
    both = ((limits.a_day, DAY), (limits.a_week, WEEK))
    return tuple(Cap(most, length) for most, length in both if most is not None)
