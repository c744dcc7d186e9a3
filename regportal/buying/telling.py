"""What the CRM says of an opportunity, and in which order things are taken to have been said."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

SKEW = timedelta(minutes=5)
"""How far the clocks of our machines may be apart."""


@dataclass(frozen=True, slots=True)
class Told:
    """
    How the CRM describes an opportunity.

    ``columns`` holds what it spoke of, as we keep it; what it did not speak of stays as it is.
    ``body`` is the description as it came.
    """

    external_id: str
    columns: Mapping[str, Any]
    body: Mapping[str, Any]
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """What a contact is to an opportunity, and when the CRM said so."""

    role: str | None
    is_primary: bool
    told_at: datetime


def owner_key(owner: Mapping[str, Any] | None) -> str | None:
    """
    Return by what lists find who looks after an opportunity: the address, else the name.

    >>> owner_key({"name": "Sam Okafor", "email": "Sam@acme.example"}), owner_key({"name": "Sam"})
    ('sam@acme.example', 'sam')
    """
    told = owner or {}
    named = told.get("email") or told.get("name")
    return named.strip().lower() or None if isinstance(named, str) else None


def log_time(last: datetime | None, written: datetime) -> datetime:
    """
    Return the time of a line of the log, given the time of the line before it.

    It does not go back because the clock of another machine is a little slow:

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> log_time(noon, noon - timedelta(seconds=2)) == noon
    True

    But a clock that was once set to a wrong year must not stop the log for that long:

    >>> log_time(datetime(2036, 3, 4, 12, tzinfo=UTC), noon) == noon
    True
    """
    if last is None or last - written > SKEW:
        return written
    return max(last, written)
