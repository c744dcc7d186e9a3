"""What a rule may say: a small, closed vocabulary, and no formulas."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from regportal.store.schema import Key, Span, span

LONGEST = timedelta(days=730)
DEEPEST = 4
"""How many all, any and none may lie within each other."""
MOST = 64
"""Conditions of one phase, and of one list."""
KINDS = ("event", "quiet", "answer", "score", "field", "crm", "role")
"""What a condition can be about."""
COMBINED = ("any", "all", "none")
BESIDE_EVENT = frozenset({"where", "count", "within", "by", "watched"})
EVENTS = (
    "^(page_view|price_lookup|download|video_watch|search|share|form|reply|call|meeting"
    "|purchase|ticket|custom:[a-z0-9_-]{1,64})$"
)
Event = Annotated[str, Field(pattern=EVENTS)]
"""What a contact can do (design.md 5)."""
Stay = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,4})(s|m|h|d|mo)$")]
"""A length of time that may be none at all: 0d, 14d."""
Value = Annotated[str, Field(min_length=1, max_length=200)]
Values = Annotated[tuple[Value, ...], Field(min_length=1, max_length=MOST)]
Roles = Annotated[tuple[Value, ...], Field(min_length=1, max_length=MOST)]
Share = Annotated[str, Field(pattern=r"^([1-9][0-9]?|100)%$")]
"""How much of a film at least: 75%."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,79}$")]


def not_for_ever(value: str | None) -> str | None:
    """Refuse a length of time no opportunity lives to see."""
    if value is not None and not value.startswith("0") and span(value) > LONGEST:
        raise ValueError("must be at most 730d")
    return value


def percent(share: str | None) -> int | None:
    """
    Return a share as rules compare it.

    >>> percent("75%"), percent(None)
    (75, None)
    """
    return None if share is None else int(share.removesuffix("%"))


def named(text: str) -> str:
    """
    Return the name of a role as rules compare it: CRMs spell one in several ways.

    >>> named("Decision Maker") == named("decision_maker") == named("decision-maker")
    True
    """
    return "".join(char if char.isalnum() else "_" for char in text.strip().casefold())


class Part(BaseModel):
    """A part of the document: never changed, and with no key that we do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def only_of_films(event: str | None, share: str | None) -> None:
    """Refuse to ask how much was watched of what is no film."""
    if share is not None and event != "video_watch":
        raise ValueError("watched stands beside the event video_watch only")


class AtLeast(Part):
    """How often something must have happened."""

    at_least: Annotated[int, Field(ge=1, le=100)] = 1


class Prefix(Part):
    """Everything that begins so."""

    prefix: Annotated[str, Field(min_length=1, max_length=500)]


class Where(Part):
    """Which interactions of a type count."""

    category: (
        Key | Annotated[tuple[Key, ...], Field(min_length=1, max_length=64)] | Prefix | None
    ) = None
    object: (
        Annotated[str, Field(min_length=1, max_length=2000)]
        | Annotated[
            tuple[Annotated[str, Field(min_length=1, max_length=2000)], ...],
            Field(min_length=1, max_length=64),
        ]
        | Prefix
        | None
    ) = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        """Refuse what would leave nothing out."""
        if self.category is None and self.object is None:
            raise ValueError("needs a category or an object")
        return self

    @property
    def categories(self) -> tuple[str, ...]:
        """Return the categories that count, where they are listed; none means any may."""
        chosen = self.category
        if chosen is None or isinstance(chosen, Prefix):
            return ()
        return (chosen,) if isinstance(chosen, str) else chosen


class Quiet(Part):
    """That nobody did anything for so long."""

    span: Span = Field(alias="for")
    _short = field_validator("span")(not_for_ever)


class Matched(Part):
    """One value, one of several, or any at all."""

    equals: Value | None = None
    values: Values | None = Field(default=None, alias="in")
    known: bool | None = None

    @field_validator("known")
    @classmethod
    def _really(cls, value: bool | None) -> bool | None:  # noqa: FBT001 - as pydantic calls it
        """Refuse what is better said under none."""
        if value is False:
            raise ValueError("can only be true: for the opposite write it under none")
        return value

    @property
    def wanted(self) -> frozenset[str] | None:
        """Return the values that will do; None means any."""
        if self.equals is not None:
            return frozenset({self.equals})
        return None if self.values is None else frozenset(self.values)


class Answer(Matched):
    """That somebody answered a question, with such a value, and not longer ago."""

    question: Key
    at_least: Annotated[int, Field(ge=-(10**12), le=10**12)] | None = None
    at_most: Annotated[int, Field(ge=-(10**12), le=10**12)] | None = None
    within: Span | None = None
    _short = field_validator("within")(not_for_ever)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        """Refuse what asks for nothing, for two things, or for what no number is."""
        ranged = self.at_least is not None or self.at_most is not None
        asked = [self.equals is not None, self.values is not None, self.known is True, ranged]
        if sum(asked) > 1 or not (any(asked) or self.within):
            raise ValueError("needs one of equals, in, known, at_least and at_most, or within")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("no number is at least the one and at most the other")
        return self


class HighScore(Part):
    """That somebody's score is so high."""

    name: Key
    at_least: Annotated[int, Field(ge=1, le=100)]


class Known(Matched):
    """What is known of a contact or its account, by the standard name of the field."""

    name: Name

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        """Refuse what asks for nothing, or for two things."""
        if [self.equals is not None, self.values is not None, self.known is True].count(True) != 1:
            raise ValueError("needs one of equals, in and known")
        return self


class Crm(Part):
    """Where the seller stands: the stage of the opportunity, and how lately it changed."""

    stage: Value | Values | None = None
    within: Span | None = None
    _short = field_validator("within")(not_for_ever)

    @model_validator(mode="after")
    def _something(self) -> Self:
        """Refuse what asks for nothing."""
        if self.stage is None and self.within is None:
            raise ValueError("needs a stage, or within")
        return self

    @property
    def stages(self) -> frozenset[str] | None:
        """Return the stages that will do; None means any."""
        if self.stage is None:
            return None
        return frozenset({self.stage} if isinstance(self.stage, str) else self.stage)


class Condition(Part):
    """One thing that must hold, or several put together by all, any and none."""

    event: Event | None = None
    where: Where | None = None
    count: AtLeast = AtLeast()
    within: Span = "730d"
    by: Literal["any_contact", "same_contact", "distinct_contacts"] = "any_contact"
    watched: Share | None = None
    quiet: Quiet | None = None
    answer: Answer | None = None
    score: HighScore | None = None
    field: Known | None = None
    crm: Crm | None = None
    role: Value | Roles | None = None
    any: Annotated[tuple["Condition", ...], Field(max_length=MOST)] = ()
    all: Annotated[tuple["Condition", ...], Field(max_length=MOST)] = ()
    none: Annotated[tuple["Condition", ...], Field(max_length=MOST)] = ()
    _short = field_validator("within")(not_for_ever)

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        """Refuse what says nothing, or several things at once."""
        told = [name for name in KINDS if getattr(self, name) is not None]
        if len(told) + bool(self.groups) != 1:
            kinds = ", ".join((*KINDS, *COMBINED[:-1]))
            raise ValueError(f"needs one of {kinds} and none, and no two of them")
        beside = sorted(BESIDE_EVENT & self.model_fields_set)
        if beside and self.event is None:
            raise ValueError(f"{beside[0]} stands beside event only")
        only_of_films(self.event, self.watched)
        one_or_the_other(self)
        return self

    @property
    def groups(self) -> dict[str, tuple["Condition", ...]]:
        """Return the lists of conditions that it puts together."""
        return {name: listed for name in COMBINED if (listed := getattr(self, name))}

    @property
    def kind(self) -> str | None:
        """Return what it is about; None where it puts others together."""
        return next((name for name in KINDS if getattr(self, name) is not None), None)

    @property
    def window(self) -> timedelta:
        """Return how far back an interaction counts."""
        return span(self.within)

    @property
    def share(self) -> int | None:
        """Return how many percent of a film must have been watched; None: it does not matter."""
        return percent(self.watched)

    @property
    def categories(self) -> tuple[str, ...]:
        """Return the categories that count, where they are listed; none means any may."""
        return self.where.categories if self.where else ()

    @property
    def roles(self) -> frozenset[str]:
        """Return the roles of which one is asked for."""
        asked = (self.role,) if isinstance(self.role, str) else self.role or ()
        return frozenset(named(each) for each in asked)

    def leaves(self) -> Iterator["Condition"]:
        """Yield every single condition in it."""
        if self.kind:
            yield self
        for listed in self.groups.values():
            for each in listed:
                yield from each.leaves()


def one_or_the_other(group: "Condition | Enter") -> None:
    """Refuse any beside all, which could be read in two ways."""
    if group.any and group.all:
        raise ValueError("has conditions under both: write either any or all, one in the other")


def depth(group: "Condition | Enter") -> int:
    """
    Return how many all, any and none lie within each other.

    >>> depth(Enter(any=(Condition(event="form"), Condition(all=(Condition(event="call"),)))))
    2
    """
    below = [depth(each) for name in COMBINED for each in getattr(group, name)]
    return 1 + max(below) if below else 0


class Enter(Part):
    """What must hold: any one of these or all of those, and none of these."""

    any: Annotated[tuple[Condition, ...], Field(max_length=MOST)] = ()
    all: Annotated[tuple[Condition, ...], Field(max_length=MOST)] = ()
    none: Annotated[tuple[Condition, ...], Field(max_length=MOST)] = ()

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        """Refuse what could be read in two ways, and what everybody would satisfy."""
        if not (self.any or self.all or self.none):
            raise ValueError("needs conditions under either any or all, or under none")
        one_or_the_other(self)
        if depth(self) > DEEPEST:
            raise ValueError(f"all, any and none are nested deeper than {DEEPEST} levels")
        return self

    def leaves(self) -> Iterator[Condition]:
        """Yield every single condition in it."""
        for each in (*self.any, *self.all, *self.none):
            yield from each.leaves()
