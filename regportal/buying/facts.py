"""What the rules may hear of: each fact of an opportunity, or of one contact, as a value."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
"""Moments within the rules are whole microseconds: quickly compared, and compactly kept."""


def moment(at: datetime) -> int:
    """
    Return a moment as the rules count: microseconds since 1970.

    >>> moment(datetime(1970, 1, 1, 0, 0, 2, 5, tzinfo=UTC))
    2000005
    """
    return length(at - EPOCH)


def length(span: timedelta) -> int:
    """Return a length of time in microseconds."""
    return (span.days * 86_400 + span.seconds) * SECOND + span.microseconds


def when(at: int) -> datetime:
    """Return a moment of the rules as everybody else reads it."""
    return EPOCH + timedelta(microseconds=at)


class Watched(NamedTuple):
    """What one interaction tells of a film, in milliseconds of it."""

    stretches: tuple[tuple[int, int], ...]
    """In the order of the film, none over another."""
    length: int | None
    """How long the film is, where that was told."""


@dataclass(frozen=True, slots=True)
class Sign:
    """An interaction of a contact, as the rules see it."""

    id: Any
    """What names it, and the contact, means nothing to the rules."""
    contact: Any
    type: str
    category: str | None
    occurred_at: datetime
    received_at: datetime
    object: str = ""
    watched: Watched | None = None
    """What was watched, where it is about a film."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a contact answered to a question, and when; it replaces what he said before."""

    contact: Hashable
    question: str
    values: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Scored:
    """What a contact's score is from now on, also when only time has passed."""

    contact: Hashable
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Noted:
    """What is known of a contact or its account, by the standard name of the field."""

    contact: Hashable
    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Joined:
    """Which parts a contact has in the opportunity from now on: all of them, each time."""

    contact: Hashable
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a contact with a part has come by himself."""

    contact: Hashable
    phase: str


@dataclass(frozen=True, slots=True)
class Staged:
    """The stage to which the seller put the opportunity."""

    stage: str | None


@dataclass(frozen=True, slots=True)
class Closed:
    """The opportunity was won or lost: nothing moves it any more."""


@dataclass(frozen=True, slots=True)
class Reopened:
    """It is open again: what was done until now is spent."""


Fact = Sign | Answered | Scored | Noted | Joined | Reached | Staged | Closed | Reopened
