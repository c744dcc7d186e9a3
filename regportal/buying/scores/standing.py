"""How somebody stands under one score: what is remembered of him, and what it is worth when."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from regportal.buying.facts import Sign, Watched
from regportal.buying.films import MOST_FILMS
from regportal.buying.scores.caps import Ring, heard
from regportal.buying.scores.decay import (
    MONTH,
    NEVER,
    Sum,
    added,
    left,
    momentum,
    rank,
)
from regportal.buying.scores.decay import WEEK as A_WEEK
from regportal.buying.scores.films import Seen, seen
from regportal.buying.scores.schema import HIGHEST
from regportal.buying.scores.scoring import Rule, Scoring

NOTHING = Sum()


class Parts(NamedTuple):
    """What a score is made of at a moment."""

    profile: float = 0.0
    behaviour: float = 0.0
    temporal: float = 0.0
    social: float = 0.0

    @property
    def total(self) -> float:
        """
        Return the score: all parts together, from 0 to 100.

        >>> Parts(profile=40, behaviour=80).total, Parts(profile=-20).total
        (100.0, 0.0)
        """
        return min(float(HIGHEST), max(0.0, sum(self)))


class Told(NamedTuple):
    """What a standing hears of something that somebody did."""

    kind: str
    category: str | None
    at: float
    name: str
    """What names it: it keeps signs of one moment in order."""
    film: tuple[str, Watched] | None = None
    """Which film it is about, and what of it was watched."""


def heard_of(sign: Sign) -> Told:
    """Return what a standing hears of a sign."""
    film = None if sign.watched is None else (sign.object, sign.watched)
    return Told(sign.type, sign.category, sign.occurred_at.timestamp(), str(sign.id), film)


@dataclass(slots=True)
class Standing:
    """
    What is remembered of one person under one score: a few numbers, however long the history.

    ``gained`` and ``lost`` are by group. Points that are taken fade like those that are given,
    but no limit holds them back.
    """

    fixed: int = 0
    """What his profile gives: it does not fade."""
    gained: dict[int, Sum] = field(default_factory=dict)
    lost: dict[int, Sum] = field(default_factory=dict)
    week: Sum = NOTHING
    month: Sum = NOTHING
    last: float = NEVER
    rings: dict[str, Ring] = field(default_factory=dict)
    films: dict[str, dict[str, Seen]] = field(default_factory=dict)
    """By rule, where one asks how much was watched, what was seen of each film."""

    def take(self, scoring: Scoring, sign: Sign) -> bool:
        """Take in something somebody did, as `hear` does."""
        return self.hear(scoring, heard_of(sign))

    def hear(self, scoring: Scoring, told: Told) -> bool:
        """
        Take in one sign; return False where it came too late to be counted in its place.

        Only a rule with a limit, and one about how much of a film was watched, needs its signs
        in order. After False this standing is good for nothing: it must be made anew from all
        signs.
        """
        if not scoring.score.behaviour:
            self.last = max(self.last, told.at)
            self._felt(scoring, 1, told.at)
        for rule, counts in self.asked(scoring, told):
            if counts is None:
                return False
            if rule.points > 0:
                self.last = max(self.last, told.at)
            if counts:
                self._earn(scoring, rule, told.at)
        return True

    def asked(self, scoring: Scoring, told: Told) -> Iterator[tuple[Rule, bool | None]]:
        """Yield each rule that a sign is about, and whether it counts; None: it is too late."""
        for rule in scoring.rules.get(told.kind, ()):
            if not rule.concerns(told.category):
                continue
            if rule.share is not None:
                is_enough = self._brings(rule, rule.share, told)
                if is_enough is None:
                    yield rule, None
                    return
                if not is_enough:
                    continue
            if not rule.caps:
                yield rule, True
                continue
            found = heard(self.rings.get(rule.name, Ring()), rule.caps, told.at, told.name)
            if found is None:
                yield rule, None
                return
            self.rings[rule.name], counts = found
            yield rule, counts

    def _brings(self, rule: Rule, share: int, told: Told) -> bool | None:
        """Return whether a sign is the one by which so much was seen; None: it is too late."""
        if told.film is None:
            return False
        thing, watched = told.film
        films = self.films.setdefault(rule.name, {})
        before = films.get(thing)
        after = seen(before, watched, told.at, told.name)
        if after is None:
            return None
        films[thing] = after
        if len(films) > MOST_FILMS:
            del films[min(films, key=lambda each: films[each].last)]
        return (before.best if before else 0) < share <= after.best

    def _earn(self, scoring: Scoring, rule: Rule, at: float) -> None:
        """Write down the points of a rule."""
        sums = self.gained if rule.points > 0 else self.lost
        held = sums.get(rule.group, NOTHING)
        sums[rule.group] = added(held, abs(rule.points), at, scoring.half_lives[rule.group])
        if rule.points > 0:
            self._felt(scoring, rule.points, at)

    def _felt(self, scoring: Scoring, points: int, at: float) -> None:
        """Write down how much was done lately."""
        if scoring.pulse:
            self.week = added(self.week, points, at, A_WEEK)
            self.month = added(self.month, points, at, MONTH)

    # --- what it is worth ---

    def group(self, scoring: Scoring, index: int, at: float) -> tuple[float, float]:
        """Return what one group gives at a moment, and what it takes."""
        half_life = scoring.half_lives[index]
        gained = left(self.gained[index], at, half_life) if index in self.gained else 0.0
        lost = left(self.lost[index], at, half_life) if index in self.lost else 0.0
        return min(float(scoring.limits[index]), gained), lost

    def newness(self, scoring: Scoring, at: float) -> float:
        """Return what having been here lately gives at a moment."""
        if scoring.recency is None or self.last == NEVER:
            return 0.0
        most, half_life = scoring.recency
        return left(Sum(most, self.last), at, half_life)

    def pulse(self, scoring: Scoring, at: float) -> float:
        """Return what doing more than before gives at a moment."""
        return scoring.pulse * momentum(self.week, self.month, at) if scoring.pulse else 0.0

    def temporal(self, scoring: Scoring, at: float) -> float:
        """Return what the moments of deeds give, whatever they were."""
        return self.newness(scoring, at) + self.pulse(scoring, at)

    def parts(self, scoring: Scoring, at: float) -> Parts:
        """Return what the score is made of at a moment."""
        behaviour = sum(
            gives - takes
            for gives, takes in (
                self.group(scoring, index, at) for index in {*self.gained, *self.lost}
            )
        )
        return Parts(float(self.fixed), behaviour, self.temporal(scoring, at))

    def level(self, scoring: Scoring, at: float) -> int:
        """Return how many thresholds are reached at a moment."""
        if not scoring.marks:
            return 0
        return scoring.level(self._given(scoring, at) - self._taken(scoring, at))

    def stays(self, scoring: Scoring, level: int, first: float, last: float) -> bool:
        """
        Return whether the level is surely the same all the time between two moments.

        What is given is least at the end of it, and what is taken at the beginning.
        """
        lowest = scoring.level(self._given(scoring, last) - self._taken(scoring, first))
        if lowest != level or not self.lost:
            return lowest == level
        return scoring.level(self._given(scoring, first) - self._taken(scoring, last)) == level

    def _given(self, scoring: Scoring, at: float) -> float:
        """Return all that is given at a moment: asked twice for every sign."""
        given = self.fixed + self.temporal(scoring, at)
        for index, held in self.gained.items():
            given += min(scoring.limits[index], left(held, at, scoring.half_lives[index]))
        return given

    def _taken(self, scoring: Scoring, at: float) -> float:
        """Return all that is taken at a moment."""
        taken = 0.0
        for index, held in self.lost.items():
            taken += left(held, at, scoring.half_lives[index])
        return taken

    @property
    def as_of(self) -> float:
        """Return the moment of the newest sign."""
        sums = (*self.gained.values(), *self.lost.values(), self.week)
        return max(self.last, *(one.time for one in sums))

    def rank(self, scoring: Scoring) -> float | None:
        """
        Return a key that is static in time, and never ranks anybody below what he is worth.

        Where a score has one half-life and no limit is touched it is the order itself.
        """
        at = self.as_of
        if at == NEVER:
            return None
        half_lives = scoring.half_lives
        sums = (
            left(held, at, half_lives[index])
            - (left(self.lost[index], at, half_lives[index]) if index in self.lost else 0.0)
            for index, held in self.gained.items()
        )
        return rank(
            sum(max(0.0, one) for one in sums) + self.temporal(scoring, at), at, scoring.slowest
        )

    # --- how it is kept ---

    def kept(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "gained": {str(index): list(held) for index, held in self.gained.items()},
            "lost": {str(index): list(held) for index, held in self.lost.items()},
            "week": list(self.week) if self.week.value else None,
            "month": list(self.month) if self.month.value else None,
            "last": self.last if self.last > NEVER else None,
            "rings": {name: [ring.last, ring.counted] for name, ring in self.rings.items()},
            "films": {
                name: {thing: [*seen] for thing, seen in films.items()}
                for name, films in self.films.items()
            },
        }

    @classmethod
    def of(cls, fixed: int, kept: Mapping[str, Any]) -> "Standing":
        """
        Return what was kept.

        >>> known = Standing(3, {0: Sum(5, 7)}, rings={"a": Ring((7, "x"), (7,))})
        >>> Standing.of(3, known.kept()) == known
        True
        """
        return cls(
            fixed,
            {int(index): Sum(*held) for index, held in kept["gained"].items()},
            {int(index): Sum(*held) for index, held in kept["lost"].items()},
            Sum(*kept["week"]) if kept["week"] else NOTHING,
            Sum(*kept["month"]) if kept["month"] else NOTHING,
            NEVER if kept["last"] is None else kept["last"],
            {
                name: Ring(tuple(last) if last else None, tuple(counted))
                for name, (last, counted) in kept["rings"].items()
            },
            {
                name: {
                    thing: Seen(tuple(last), tuple((start, end) for start, end in stretches), *rest)
                    for thing, (last, stretches, *rest) in films.items()
                }
                for name, films in kept.get("films", {}).items()
            },
        )
