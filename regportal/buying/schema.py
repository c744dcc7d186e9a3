"""What marketers write down about buying phases."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from regportal.store.schema import Document, Key, Span, Text, span

LONGEST = timedelta(days=730)
Event = Annotated[
    str,
    Field(
        pattern=(
            "^(page_view|price_lookup|download|video_watch|search|share|form|reply|call|meeting"
            "|purchase|ticket|custom:[a-z0-9_-]{1,64})$"
        )
    ),
]
"""What a contact can do (design.md 5)."""


class AtLeast(BaseModel):
    """How often something must have happened."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    at_least: Annotated[int, Field(ge=1, le=100)] = 1


class Where(BaseModel):
    """Which interactions of a type count."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    category: Key | Annotated[tuple[Key, ...], Field(min_length=1, max_length=64)]


class Condition(BaseModel):
    """That a contact did something, so often, within so long."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    event: Event
    where: Where | None = None
    count: AtLeast = AtLeast()
    within: Span = "730d"

    @field_validator("within")
    @classmethod
    def _not_for_ever(cls, value: str) -> str:
        """Refuse a window no opportunity lives to see."""
        if span(value) > LONGEST:
            raise ValueError("must be at most 730d")
        return value

    @property
    def window(self) -> timedelta:
        """Return how far back an interaction counts."""
        return span(self.within)

    @property
    def categories(self) -> tuple[str, ...]:
        """Return the categories that count; none means every one."""
        if self.where is None:
            return ()
        named = self.where.category
        return (named,) if isinstance(named, str) else named


class Enter(BaseModel):
    """What lets an opportunity enter a phase: any one of these, or all of those."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    any: Annotated[tuple[Condition, ...], Field(max_length=64)] = ()
    all: Annotated[tuple[Condition, ...], Field(max_length=64)] = ()

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        """Refuse what could be read in two ways, and what everybody would satisfy."""
        if bool(self.any) == bool(self.all):
            raise ValueError("needs conditions under either any or all")
        return self


class Phase(BaseModel):
    """One step of the customer's progress."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Key
    label: Text | None = None
    enter: Enter | None = None


class Buying(Document):
    """The buying model: the phases in order, and what enters each."""

    kind: ClassVar[str] = "buying"
    key: Key = "default"
    model: Key = "default"
    timezone: str = "UTC"
    events_from: tuple[Literal["owner_contacts"], ...] = ("owner_contacts",)
    min_attribution: Literal["verified"] = "verified"
    phases: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=32)]

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        """Refuse a zone no clock knows."""
        try:
            ZoneInfo(value)
        except (
            LookupError,
            OSError,
            ValueError,
        ):  # KeyError: not found; OSError: a folder of zones
            raise ValueError(f"{value!r} is not a time zone like Europe/Berlin") from None
        return value

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        """Refuse two phases of one name."""
        names = [phase.id for phase in self.phases]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"there are two phases called {twice[0]!r}")
        return self

    @property
    def start(self) -> str:
        """Return the phase an opportunity begins in."""
        return self.phases[0].id

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone in which moments are said."""
        return ZoneInfo(self.timezone)

    def phase(self, name: str) -> Phase | None:
        """Return the phase of this name, or None where the model has none (any more)."""
        return next((phase for phase in self.phases if phase.id == name), None)

    def conditions(self) -> Iterator[Condition]:
        """Yield every condition of the model."""
        for phase in self.phases:
            if phase.enter:
                yield from phase.enter.any
                yield from phase.enter.all
