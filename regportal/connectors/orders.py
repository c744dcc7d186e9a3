"""
What a connector to a CRM is to do: news, told as orders.

The outbox tells every connector the same news (design.md 7). A CRM has records instead of news:
here each piece becomes what is to be so in the records. Pure: no CRM is asked anything.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from regportal.connectors.base import Change
from regportal.connectors.rules import read_moment

Told = Mapping[str, Any]
ALLOWED = frozenset({"confirmed", "imported"})
"""States of a newsletter in which it may be sent; in all others it may not (design.md 4)."""


@dataclass(frozen=True, slots=True)
class Value:
    """What one field of a contact should say, where it comes from and since when."""

    value: Any
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Whose:
    """A contact: our key and his address."""

    key: str
    email: str


@dataclass(frozen=True, slots=True)
class Known:
    """Let a contact be there, with what is known of him: by the CRM's own names of its fields."""

    whose: Whose
    fields: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Did:
    """Let it be seen what a contact did, beside him and beside his open opportunities."""

    whose: Whose
    id: uuid.UUID
    type: str
    object: str
    category: str | None
    at: datetime
    properties: Mapping[str, Any]
    opportunities: tuple[str, ...]
    title: str = ""
    """What people call the object; empty: its name says it."""


@dataclass(frozen=True, slots=True)
class Day:
    """Let it be seen in one note what a contact did on a day, and became known then."""

    whose: Whose
    id: uuid.UUID
    day: date
    deeds: tuple[Did, ...]
    """The first of them; ``left_out`` are more."""
    left_out: int
    at: datetime
    opportunities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allows:
    """Let a newsletter be sent to a contact, or no longer."""

    whose: Whose
    newsletter: str
    is_allowed: bool
    state: str
    at: datetime
    wording: str


@dataclass(frozen=True, slots=True)
class Scored:
    """Let a score of a contact be this."""

    whose: Whose
    score: str
    value: float


@dataclass(frozen=True, slots=True)
class InPhase:
    """Let an opportunity be in a buying phase, with why."""

    opportunity: str
    phase: str
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Let nothing of ours be left of somebody."""

    key: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """Let it be seen that somebody claims an address nobody has: a lead, and no more than that."""

    whose: Whose
    """The claim's key, and the address."""
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """Let a claim be over: who he is was confirmed, rejected, or never said."""

    claim: str
    ended: str


Order = Known | Did | Day | Allows | Scored | InPhase | Forget | Claimed | Unclaimed


def order_of(change: Change) -> Order:
    """
    Return what a piece of news asks for; raise ValueError for a topic no CRM is told.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> payload = {
    ...     "opportunity": {"external_id": "006"},
    ...     "to": "comparison",
    ...     "since": "2026-03-04T11:00:00Z",
    ...     "reason": "Comparison since…",
    ... }
    >>> order_of(Change(uuid.uuid4(), "phase.changed", "opportunity:1", 1, noon, payload))
    InPhase(opportunity='006', phase='comparison', since=datetime.datetime(2026, 3, 4, 11, 0,
            tzinfo=datetime.timezone.utc), reason='Comparison since…')
    """
    if change.topic not in _READ:
        raise ValueError(change.topic)
    if change.topic == "contact.erased" and change.subject.startswith("claim:"):
        return Unclaimed(change.payload["contact"]["key"], "erased")
    return _READ[change.topic](change.payload, change.occurred_at)


def _known(told: Told, at: datetime) -> Known:
    """Read who a contact is, and what is known of him."""
    del at
    return Known(_whose(told), _values(told))


def _did(told: Told, at: datetime) -> Did:
    """Read what a contact did."""
    places = tuple(told["opportunities"])
    return _deed(_whose(told), told["interaction"], at, places, told.get("title", ""))


def _day(told: Told, at: datetime) -> Day:
    """Read what a contact did on a day."""
    whose, places = _whose(told), tuple(told["opportunities"])
    deeds = tuple(
        _deed(whose, one, read_moment(one["occurred_at"]), places, one["title"])
        for one in told["interactions"]
    )
    id, day = uuid.UUID(told["id"]), date.fromisoformat(told["day"])
    return Day(whose, id, day, deeds, told["left_out"], at, places)


def _deed(whose: Whose, one: Told, at: datetime, places: tuple[str, ...], title: str) -> Did:
    """Read one interaction."""
    return Did(
        whose,
        uuid.UUID(one["id"]),
        one["type"],
        one["object"],
        one["category"],
        at,
        one["properties"],
        places,
        title,
    )


def _allows(told: Told, at: datetime) -> Allows:
    """Read what a contact allows a newsletter."""
    state = told["state"]
    return Allows(_whose(told), told["newsletter"], state in ALLOWED, state, at, told["wording"])


def _scored(told: Told, at: datetime) -> Scored:
    """Read a score."""
    del at
    return Scored(_whose(told), told["score"], told["value"])


def _in_phase(told: Told, at: datetime) -> InPhase:
    """Read in which phase an opportunity is."""
    del at
    since = read_moment(told["since"])
    return InPhase(told["opportunity"]["external_id"], told["to"], since, told["reason"])


def _forget(told: Told, at: datetime) -> Forget:
    """Read who is to be forgotten."""
    del at
    return Forget(told["contact"]["key"])


def _claimed(told: Told, at: datetime) -> Claimed:
    """Read which address is claimed."""
    del at
    claim = told["claim"]
    return Claimed(Whose(claim["id"], claim["email"]), _values(told))


def _unclaimed(told: Told, at: datetime) -> Unclaimed:
    """Read how a claim ended."""
    del at
    return Unclaimed(told["claim"]["id"], told["ended"])


def _whose(told: Told) -> Whose:
    """Return whom news is about."""
    contact = told["contact"]
    return Whose(contact["key"], contact["email"])


def _values(told: Told) -> dict[str, Value]:
    """Return what news says of the fields of a contact."""
    return {
        name: Value(one["value"], one["source"], read_moment(one["at"]))
        for name, one in told.get("fields", {}).items()
    }


_READ: Mapping[str, Callable[[Told, datetime], Order]] = {
    **dict.fromkeys(
        ("contact.identified", "contact.updated", "contact.merged", "contact.split"), _known
    ),
    "contact.claimed": _claimed,
    "contact.claim_ended": _unclaimed,
    "contact.erased": _forget,
    "consent.changed": _allows,
    "interaction.recorded": _did,
    "interaction.digest": _day,
    "phase.changed": _in_phase,
    "score.changed": _scored,
}
"""How each topic is read (design.md 7)."""
TOPICS = tuple(_READ)
"""What a CRM is told of."""
