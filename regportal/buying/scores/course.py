"""One person's way under one score: signs and time move it over thresholds, up and down."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from regportal.buying.facts import Sign
from regportal.buying.scores.crossing import next_change
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.standing import Parts, Standing

OFTEN = 10_000
"""So many looks at one clock are a fault of ours, and no way of anybody's."""


class Passed(NamedTuple):
    """A threshold that was passed: when, from which level to which, and why."""

    at: float
    before: int
    after: int
    cause: str
    parts: Parts


@dataclass(slots=True)
class Course:
    """How somebody stands, how high that is, and when it may next be another level."""

    scoring: Scoring
    standing: Standing
    level: int = 0
    wake: float | None = None
    settled: float | None = None
    """Until when its level is known; None: nothing happened since it was kept."""
    passed: list[Passed] = field(default_factory=list)
    touched: bool = False
    """Whether it must be kept again."""

    @classmethod
    def anew(cls, scoring: Scoring, fixed: int, signs: Sequence[Sign]) -> "Course":
        """Return the course of somebody who did all this, oldest first."""
        standing = Standing(fixed)
        for sign in signs:
            standing.take(scoring, sign)
        return cls(scoring, standing)

    def until(self, at: float) -> None:
        """Let time go by: whoever cools down on the way does so at his own moment."""
        if self.settled is not None:
            if self.standing.stays(self.scoring, self.level, self.settled, at):
                self.settled = max(at, self.settled)
                return
            self.wake = next_change(self.scoring, self.standing, self.settled)
            self.settled = None
        for _ in range(OFTEN):
            if self.wake is None or self.wake > at:
                return
            moment = self.wake
            self.settle(moment, "timer")
            self.wake = next_change(self.scoring, self.standing, moment)
            self.settled = None

    def hear(self, sign: Sign, at: float) -> bool:
        """Take in what became known at a moment; return False where all must be made anew."""
        if not self.scoring.concerns(sign.type, sign.category):
            return True
        self.until(at)
        if not self.standing.take(self.scoring, sign):
            return False
        self.settle(at, "event")
        return True

    def learn(self, fixed: int, at: float) -> None:
        """Take in what a profile gives from a moment on."""
        if fixed != self.standing.fixed:
            self.until(at)
            self.standing.fixed = fixed
            self.settle(at, "answer")

    def settle(self, at: float, cause: str) -> None:
        """Note the level that is reached at a moment."""
        level = self.standing.level(self.scoring, at)
        if level != self.level:
            parts = self.standing.parts(self.scoring, at)
            self.passed.append(Passed(at, self.level, level, cause, parts))
            self.level = level
        self.settled, self.touched = at, True

    def go_on_from(self, before: "Course") -> None:
        """Begin at the level of another course, and with what was passed on it."""
        self.level, self.passed = before.level, before.passed

    def whole(self, now: datetime) -> int:
        """Return the whole points of the score."""
        return int(self.standing.parts(self.scoring, now.timestamp()).total)

    def wake_at(self) -> datetime | None:
        """Return when it must be looked at again, though nothing happens."""
        if self.settled is not None:
            self.wake = next_change(self.scoring, self.standing, self.settled)
            self.settled = None
        return None if self.wake is None else datetime.fromtimestamp(self.wake, UTC)
