"""What marketers write down about scores."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from regportal.buying.vocabulary import Event, Share, only_of_films
from regportal.store.schema import Document, Key, Span, Text, refuse_twice, span

HIGHEST = 100
SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=730)
"""Between these a half-life makes sense, and is computed exactly."""

Points = Annotated[int, Field(ge=-HIGHEST, le=HIGHEST)]
Most = Annotated[int, Field(ge=1, le=HIGHEST)]
Often = Annotated[int, Field(ge=1, le=HIGHEST)]
Value = Annotated[str, Field(min_length=1, max_length=64)]
Values = Annotated[tuple[Value, ...], Field(min_length=1, max_length=64)]
FieldName = Literal[
    "level", "address", "country", "region", "company", "phone", "timeframe", "job-title"
]
"""What is known of a person, whichever question asked for it."""


def _lasting(value: str) -> str:
    """Refuse what fades at once, or never."""
    if not SHORTEST <= span(value) <= LONGEST:
        raise ValueError("must be from 1h to 730d")
    return value


class _Known(BaseModel):
    """That something is known of a person, or what it is: one of these."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    equals: Value | None = None
    values: Annotated[Values | None, Field(alias="in")] = None
    known: bool | None = None

    @property
    def tests(self) -> dict[str, object]:
        """Return what is asked of the value, by its name."""
        every = {"equals": self.equals, "in": self.values, "known": self.known}
        return {name: asked for name, asked in every.items() if asked is not None}

    @property
    def wanted(self) -> tuple[str, ...]:
        """Return the values that fit, where it names some."""
        return (self.equals,) if self.equals is not None else self.values or ()

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        """Refuse what asks for nothing, or in two ways at once."""
        tests = self.tests
        if len(tests) != 1 and set(tests) != {"at_least", "at_most"}:
            raise ValueError(f"needs one of {', '.join(self.names)}")
        return self

    @field_validator("known")
    @classmethod
    def _not_for_silence(cls, value: bool | None) -> bool | None:  # noqa: FBT001 - pydantic's way
        """Refuse points for what nobody told us: that is unknown, and neither good nor bad."""
        if value is False:
            raise ValueError("must be true: what is not known gives no points and takes none")
        return value

    @property
    def names(self) -> tuple[str, ...]:
        """Return what may be asked here."""
        return ("equals", "in", "known")


class AnswerIs(_Known):
    """What somebody answered to a question."""

    question: Key
    at_least: int | None = None
    at_most: int | None = None

    @property
    def subject(self) -> str:
        """Return what it is about."""
        return self.question

    @property
    def tests(self) -> dict[str, object]:
        """Return what is asked of the answer, by its name."""
        numbers = {"at_least": self.at_least, "at_most": self.at_most}
        return super().tests | {name: one for name, one in numbers.items() if one is not None}

    @property
    def names(self) -> tuple[str, ...]:
        """Return what may be asked of an answer."""
        return ("equals", "in", "known", "at_least", "at_most")

    @model_validator(mode="after")
    def _some_number(self) -> Self:
        """Refuse bounds between which there is nothing."""
        low, high = self.at_least, self.at_most
        if low is not None and high is not None and low > high:
            raise ValueError("at_least is above at_most: no number fits")
        return self


class FieldIs(_Known):
    """What is known of a person under a standard name."""

    name: FieldName

    @property
    def subject(self) -> str:
        """Return what it is about."""
        return self.name


class Trait(BaseModel):
    """Points for what somebody is."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    answer: AnswerIs | None = None
    field: FieldIs | None = None
    points: Points

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        """Refuse points for nothing, or for two things."""
        if (self.answer is None) == (self.field is None):
            raise ValueError("needs either answer or field")
        if self.points == 0:
            raise ValueError("points must not be 0: leave the line out")
        return self

    @property
    def asks(self) -> AnswerIs | FieldIs:
        """Return what must hold."""
        return cast("AnswerIs | FieldIs", self.answer or self.field)


class Profile(BaseModel):
    """Points for who somebody is; they stay as long as the answers hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    points: Annotated[tuple[Trait, ...], Field(min_length=1, max_length=64)]
    at_least: Points = -HIGHEST
    at_most: Points = HIGHEST

    @model_validator(mode="after")
    def _some_points(self) -> Self:
        """Refuse bounds between which there is nothing."""
        if self.at_least > self.at_most:
            raise ValueError("at_least is above at_most")
        return self


class Limits(BaseModel):
    """How often the same may count."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    a_day: Often | None = Field(None, alias="24h")
    a_week: Often | None = Field(None, alias="7d")

    @model_validator(mode="after")
    def _both_bind(self) -> Self:
        """Refuse a limit that limits nothing."""
        if self.a_day is None and self.a_week is None:
            raise ValueError("needs 24h or 7d")
        if self.a_day and self.a_week and not self.a_day < self.a_week <= 7 * self.a_day:
            raise ValueError(
                f"{self.a_day} in 24h and {self.a_week} in 7d contradict each other:"
                f" in seven days there must be more than in one, and at most {7 * self.a_day}"
            )
        return self


class Concerns(BaseModel):
    """Which deeds of a type count."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    category: Key | Annotated[tuple[Key, ...], Field(min_length=1, max_length=64)]


class Deed(BaseModel):
    """Points for what somebody does."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    event: Event
    where: Concerns | None = None
    watched: Share | None = None
    points: Points
    limits: Annotated[Limits | None, Field(alias="max")] = None

    @model_validator(mode="after")
    def _some_points(self) -> Self:
        """Refuse points for nothing, and for how much of a call was watched."""
        if self.points == 0:
            raise ValueError("points must not be 0: leave the line out")
        only_of_films(self.event, self.watched)
        return self

    @property
    def categories(self) -> tuple[str, ...]:
        """Return the categories that count; none means every one."""
        if self.where is None:
            return ()
        named = self.where.category
        return (named,) if isinstance(named, str) else named


class DeedGroup(BaseModel):
    """Deeds of one kind: their points fade by the same half-life, up to one limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    group: Key
    label: Text | None = None
    half_life: Span
    points: Annotated[tuple[Deed, ...], Field(min_length=1, max_length=64)]
    at_most: Most = HIGHEST

    _half_life = field_validator("half_life")(_lasting)

    @model_validator(mode="after")
    def _no_deed_above_the_limit(self) -> Self:
        """Refuse a deed that gives more than all of its group may."""
        most = max(deed.points for deed in self.points)
        if most > self.at_most:
            raise ValueError(
                f"one deed gives {most} points, but the group at most {self.at_most}: at_most must"
                " not be below"
            )
        return self


class Recency(BaseModel):
    """Points for having been here lately."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    half_life: Span
    at_most: Most = HIGHEST

    _half_life = field_validator("half_life")(_lasting)


class Momentum(BaseModel):
    """Points for doing more this week than in the weeks before."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    at_most: Most = HIGHEST


class Temporal(BaseModel):
    """Points for when somebody did something, whatever it was."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    recency: Recency | None = None
    momentum: Momentum | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        """Refuse what gives nothing."""
        if self.recency is None and self.momentum is None:
            raise ValueError("needs recency or momentum")
        return self


class Social(BaseModel):
    """Points for what others do who are tied to somebody by evidence. An experiment."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    edges: Annotated[tuple[Literal["same_account"], ...], Field(min_length=1, max_length=1)]
    of_each: Most = 40
    at_most: Most = 10


class Score(Document):
    """One score: what it is for, and what gives points."""

    kind: ClassVar[str] = "score"
    label: Text | None = None
    profile: Profile | None = None
    behaviour: Annotated[tuple[DeedGroup, ...], Field(max_length=16)] = ()
    temporal: Temporal | None = None
    social: Social | None = None
    account: Literal["noisy_or", "max", "top_3"] = "noisy_or"
    thresholds: Annotated[dict[Key, Most], Field(max_length=16)] = Field(default_factory=dict)
    tells: Literal["crossings", "changes"] = "crossings"

    @model_validator(mode="after")
    def _has_parts(self) -> Self:
        """Refuse a score of nothing, two groups of one name, and two names of one threshold."""
        if not (self.profile or self.behaviour or self.temporal):
            raise ValueError("needs at least one of profile, behaviour, temporal")
        refuse_twice("groups", "behaviour", "group", [group.group for group in self.behaviour])
        at = list(self.thresholds.values())
        same = sorted({one for one in at if at.count(one) > 1})
        if same:
            raise ValueError(f"two thresholds are at {same[0]}")
        return self

    @property
    def levels(self) -> tuple[tuple[str, int], ...]:
        """Return the thresholds, lowest first."""
        return tuple(sorted(self.thresholds.items(), key=lambda one: one[1]))

    def deeds(self) -> Iterator[Deed]:
        """Yield everything that gives points when somebody does it."""
        for group in self.behaviour:
            yield from group.points

    def reachable(self) -> int:
        """
        Return the most that anybody can have by himself.

        >>> group = DeedGroup(group="a", half_life="7d", points=(Deed(event="form", points=5),))
        >>> Score(key="s", behaviour=(group,)).reachable()
        100
        """
        profile = self.profile
        traits = sum(max(0, one.points) for one in profile.points) if profile else 0
        temporal = self.temporal or Temporal.model_construct()
        most = (
            min(traits, profile.at_most) if profile else 0,
            *(
                group.at_most
                for group in self.behaviour
                if any(deed.points > 0 for deed in group.points)
            ),
            *(part.at_most for part in (temporal.recency, temporal.momentum) if part),
        )
        return min(HIGHEST, sum(most))
