"""What may follow what in a consent, and the line of the ledger as bytes."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

PENDING_FOR = timedelta(days=7)
"""How long a request waits for its confirmation."""

NEXT: Mapping[str | None, frozenset[str]] = {
    None: frozenset({"pending", "confirmed", "imported", "withdrawn"}),
    "pending": frozenset({"confirmed", "refused", "expired", "withdrawn", "erased"}),
    "confirmed": frozenset({"paused", "withdrawn", "suppressed", "erased"}),
    "imported": frozenset({"confirmed", "paused", "withdrawn", "suppressed", "erased"}),
    "paused": frozenset({"confirmed", "withdrawn", "suppressed", "erased"}),
    "withdrawn": frozenset({"pending", "confirmed", "erased"}),
    "expired": frozenset({"pending", "confirmed", "erased"}),
    "refused": frozenset({"pending", "erased"}),
    "suppressed": frozenset({"erased"}),
    "erased": frozenset(),
}
FIRST = "0" * 64
"""The hash before the first line."""


def may_follow(state: str | None, to: str) -> bool:
    """
    Return whether a consent may go from one state to another (security.md 2.6).

    >>> may_follow(None, "pending"), may_follow("confirmed", "pending")
    (True, False)
    """
    return to in NEXT[state]


def canonical(line: Mapping[str, Any]) -> bytes:
    r"""
    Return a line as the bytes that are hashed: sorted keys, no spaces, ASCII.

    >>> canonical({"b": 1, "a": "ü"})
    b'{"a":"\\u00fc","b":1}'
    """
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def chained(line: Mapping[str, Any], previous: str) -> str:
    """Return the hash of a line that follows a line with the hash ``previous``."""
    return hashlib.sha256(canonical(line) + previous.encode()).hexdigest()
