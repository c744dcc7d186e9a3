"""What marketers write down about buying phases."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from regportal.buying.vocabulary import (
    MOST,
    AtLeast,
    Condition,
    Enter,
    Part,
    Prefix,
    Roles,
    Stay,
    Value,
    Where,
    named,
    not_for_ever,
)
from regportal.store.schema import Document, Key, Text, Timezone, refuse_twice, span

__all__ = ["AtLeast", "Buying", "Condition", "Enter", "Group", "Phase", "Prefix", "Where", "named"]


class Group(Part):
    """How much of the buying group must have come as far, each for himself."""

    quorum: Annotated[int, Field(ge=1, le=100)] | None = None
    any_role: Roles | None = None
    weighted: (
        Annotated[
            dict[Value, Annotated[int, Field(ge=1, le=100)]], Field(min_length=1, max_length=MOST)
        ]
        | None
    ) = None
    at_least: Annotated[int, Field(ge=1, le=10_000)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        """Refuse what could be read in two ways."""
        ways = (self.quorum, self.any_role, self.weighted)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("needs one of quorum, any_role and weighted")
        if (self.weighted is None) != (self.at_least is None):
            raise ValueError("weighted and at_least belong together")
        return self


class Phase(Part):
    """One step of the customer's progress."""

    id: Key
    label: Text | None = None
    enter: Enter | None = None
    exit: Enter | None = None
    falls_to: Key | None = None
    min_stay: Stay = "0d"
    group: Group | None = None
    _short = field_validator("min_stay")(not_for_ever)

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        """Refuse more conditions than anybody could read."""
        if sum(1 for _ in self.leaves()) > MOST:
            raise ValueError(f"has more than {MOST} conditions")
        return self

    @property
    def stay(self) -> timedelta:
        """Return how long it lasts at least."""
        return timedelta() if self.min_stay.startswith("0") else span(self.min_stay)

    def leaves(self) -> Iterator[Condition]:
        """Yield every single condition of the phase."""
        for part in (self.enter, self.exit):
            if part:
                yield from part.leaves()


class Buying(Document):
    """The buying model: the phases in order, what enters each, and what makes one fall back."""

    kind: ClassVar[str] = "buying"
    key: Key = "default"
    model: Key = "default"
    timezone: Timezone = "UTC"
    events_from: tuple[Literal["owner_contacts"], ...] = ("owner_contacts",)
    min_attribution: Literal["verified", "imported", "claimed"] = "verified"
    forward_only: bool = False
    phases: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=32)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        """Refuse two phases of one name."""
        refuse_twice("phases", "phases", "id", [phase.id for phase in self.phases])
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

    def as_written(self) -> dict[str, Any]:
        """Return the model as JSON, without what was left out: it is read again the same."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def conditions(self) -> Iterator[Condition]:
        """Yield every condition of the model."""
        for phase in self.phases:
            yield from phase.leaves()
