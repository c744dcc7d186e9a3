"""How far a simulated person has come: his phase and scores, by the code that weighs real ones."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from regportal.buying.alerts.words import reason
from regportal.buying.compiled import compiled
from regportal.buying.facts import Answered, Noted, Scored, Sign, moment, when
from regportal.buying.foreign import FactRow, RoleRow
from regportal.buying.labels import labels_of
from regportal.buying.past import EVER
from regportal.buying.reading import label, model_of
from regportal.buying.replaying import Replay
from regportal.buying.rules import Step, fold
from regportal.buying.schema import Buying
from regportal.buying.scores.course import Course
from regportal.buying.scores.news import tenths
from regportal.buying.scores.profile import address_kind, facts_of, fields_of, points_of
from regportal.buying.scores.schema import Score
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.standing import Standing as ScoreStanding
from regportal.buying.voice import Voice
from regportal.buying.words import Deed, rests_on_of
from regportal.forms.schema import Question
from regportal.library.schema import Asset
from regportal.store.documents import Published, Site, said
from regportal.store.words import SOURCE, translated

WHO = "visitor"
WHAT = "opportunity"


@dataclass(frozen=True, slots=True)
class Followed:
    """One score of his."""

    key: str
    label: str
    value: float
    level: str | None
    parts: Mapping[str, float]
    """What each of its parts gives; those that give nothing are left out."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far he has come: of the opportunity where he has a part in one, else by himself."""

    phase: str
    label: str
    since: datetime | None
    reason: str | None
    """Why, as the sentence that sales read; None: he has not moved."""
    scores: tuple[Followed, ...]


class _Told(NamedTuple):
    """What he answered, and when."""

    question: str
    kind: str
    value: Any
    at: datetime


@dataclass(slots=True)
class Following:
    """All that is known of one person, as it becomes known."""

    published: Published
    email: str
    begins: datetime
    who: str
    role: str
    locale: str = SOURCE
    """In which language the reasons of his phase are said."""
    rows: list[FactRow] = field(default_factory=list)
    courses: dict[str, Course] = field(default_factory=dict)
    _held: list[Sign] = field(default_factory=list)
    _proven: bool = False
    _told: list[_Told] = field(default_factory=list)
    _waiting: list[_Told] = field(default_factory=list)
    _signs: dict[Hashable, Sign] = field(default_factory=dict)

    def took(self, asset: Asset, at: datetime, *, proven: bool) -> None:
        """Hear that he took a file; while his address is only claimed it waits."""
        key = f"{len(self._signs)}"
        sign = Sign(key, WHO, "download", asset.category, at, at, asset.key)
        self._signs[key] = sign
        if proven:
            self._hear(sign, at)
        else:
            self._held.append(sign)

    def answered(self, question: Question, value: Any, at: datetime, *, proven: bool) -> None:
        """Hear what he answered; while his address is only claimed it waits."""
        told = _Told(question.key, question.type, value, at)
        if proven:
            self._learn(told, at)
        else:
            self._waiting.append(told)

    def prove(self, at: datetime) -> None:
        """Hear that his address is his: what waited for that counts from now on."""
        if not self._proven:
            self._proven = True
            self.rows.append(FactRow(WHO, EVER, Noted(WHO, "address", address_kind(self.email))))
            for score in self.published.all(Score):
                self.courses[score.key] = Course(Scoring(score), ScoreStanding())
        waiting, self._waiting = self._waiting, []
        known = {told.question for told in self._told}
        for told in waiting:
            if told.question not in known:  # what he said before, proven, stays
                self._learn(told, at)
        self._profile(at)
        held, self._held = self._held, []
        for sign in held:
            self._hear(sign, at)

    def disown(self) -> None:
        """Hear that nobody ever proved the address: what waited for it is nobody's."""
        self._waiting, self._held = [], []

    def look(self, at: datetime) -> Standing | None:
        """Return how far he has come at a moment; None as long as nobody proved his address."""
        if not self._proven:
            return None
        for course in self.courses.values():
            course.until(at.timestamp())
        self._crossings()
        buying, _ = model_of(self.published)
        last = self._last_step(buying, at)
        if last is None:
            return Standing(buying.start, self._called(buying.start), None, None, self._scores(at))
        since, step = last
        label, voice = self._called(step.to), self._voice
        rests_on = rests_on_of(step, self._deed, voice)
        why = reason(label, when(since), rests_on, voice.zone, voice.locale)
        return Standing(step.to, label, when(since), why, self._scores(at))

    def _last_step(self, buying: Buying, at: datetime) -> tuple[int, Step] | None:
        """Return the last step of his opportunity, or of himself where he has a part in none."""
        model, until = compiled(buying), moment(at)
        rows = sorted(self.rows, key=lambda row: row.at)
        if self.who != "on-opportunity":
            lines = [(row.at, [row.fact]) for row in rows]
            _, steps = fold(model, lines, until, alone=True)
            return steps[-1] if steps else None
        replay = Replay(model)
        part = RoleRow(WHAT, WHO, self.role, moment(self.begins), None)
        for _ in replay.run([part], [], rows, until):
            pass
        return (replay.moves[-1].at, replay.moves[-1].step) if replay.moves else None

    def _hear(self, sign: Sign, at: datetime) -> None:
        """Let phases and scores know of a sign from a moment on."""
        self.rows.append(FactRow(WHO, moment(at), sign))
        for course in self.courses.values():
            course.hear(sign, at.timestamp())

    def _learn(self, told: _Told, at: datetime) -> None:
        """Let phases and scores know of an answer from a moment on."""
        self._told.append(told)
        each = told.value if isinstance(told.value, list) else [told.value]
        values, since = tuple(map(str, each)), moment(at)
        self.rows.append(FactRow(WHO, since, Answered(WHO, told.question, values, told.at)))
        for name, says in fields_of(told.kind, ", ".join(values)):
            self.rows.append(FactRow(WHO, since, Noted(WHO, name, says)))
        self._profile(at)

    def _profile(self, at: datetime) -> None:
        """Let scores know what his profile gives now."""
        told = [(one.question, one.kind, one.value) for one in self._told]
        facts = facts_of(self.email, told)
        for course in self.courses.values():
            course.learn(points_of(course.scoring.score.profile, facts), at.timestamp())

    def _crossings(self) -> None:
        """Let phases know which thresholds his scores passed, and when."""
        self.rows = [row for row in self.rows if not isinstance(row.fact, Scored)]
        for key, course in self.courses.items():
            marks = (0.0, *(at for _, at in course.scoring.score.levels))
            for passed in course.passed:
                value = max(passed.parts.total, marks[passed.after])
                at = int(passed.at * 1_000_000)
                self.rows.append(FactRow(WHO, at, Scored(WHO, key, value)))

    @property
    def _voice(self) -> Voice:
        """Return who says why he moved."""
        buying, _ = model_of(self.published)
        return Voice(buying.zone, self.locale, labels_of(self.published))

    def _called(self, phase: str) -> str:
        """Return what people call a phase."""
        buying, _ = model_of(self.published)
        return translated(label(self.published, buying, phase), self.locale)

    def _scores(self, at: datetime) -> tuple[Followed, ...]:
        """Return what his scores are worth at a moment, and which thresholds they reach."""
        locale = Site.of(self.published).locale
        found = []
        for key, course in self.courses.items():
            named = course.scoring.score.label
            parts = course.standing.parts(course.scoring, at.timestamp())
            level = course.scoring.level_name(course.scoring.level(parts.total))
            found.append(
                Followed(
                    key,
                    said(named, locale) if named else key,
                    tenths(parts.total),
                    level,
                    {part: tenths(value) for part, value in parts._asdict().items() if value},
                )
            )
        return tuple(found)

    def _deed(self, key: Hashable) -> Deed:
        """Return what he did, in words."""
        sign = self._signs[key]
        asset = self.published.find(Asset, sign.object)
        locale = Site.of(self.published).locale
        return Deed(self.email, sign.type, said(asset.title, locale) if asset else sign.object)
