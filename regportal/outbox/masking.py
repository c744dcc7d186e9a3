"""What of a payload is shown to whoever may not see personal data: what it is, never of whom."""

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "•••"
ADDRESS = re.compile(r"[^\s<>\"'(),;:@]+(?:@|%40)[^\s<>\"'(),;:@]+", re.IGNORECASE)
"""Whatever may be an address, as servers repeat them in a sentence."""
PLAIN = frozenset(
    {
        *("id", "key", "claim", "claims", "external_id", "opportunities", "evidence"),
        *("evidence_id", "assurance", "attribution", "judged", "source", "type", "category"),
        *("at", "occurred_at", "received_at", "since", "until", "day", "left_out"),
        *("gate", "ended", "newsletter", "state", "frequency", "wording"),
        *("from", "to", "rules_version", "score", "level"),
    }
)
"""Names of values that are the same for whoever it is about, or a key that names nobody."""


def without_addresses(sentence: str) -> str:
    """
    Return what somebody else's server said, with every address in it hidden.

    >>> without_addresses("550 5.1.1 <ann@example.com>: no such user")
    '550 5.1.1 <•••>: no such user'
    """
    return ADDRESS.sub(HIDDEN, sentence)


def masked(told: Any, name: str = "") -> Any:
    """
    Return what a message tells, with every value hidden that may be anybody's.

    What is not known to be harmless is hidden, whatever it is called, and every address.

    >>> masked({"contact": {"key": "1", "email": "ann@example.com"}, "to": "decision", "new": [7]})
    {'contact': {'key': '1', 'email': '•••'}, 'to': 'decision', 'new': ['•••']}
    >>> masked({"fields": {"country": {"value": "DE", "source": "verified"}, "id": "Ann"}})
    {'fields': {'country': {'value': '•••', 'source': 'verified'}, 'id': '•••'}}
    """
    if isinstance(told, Mapping):
        free = name in {"fields", "properties"}  # the names in there are others' to choose
        return {key: masked(value, "" if free else key) for key, value in told.items()}
    if isinstance(told, list | tuple):
        return [masked(value, name) for value in told]
    is_plain = name in PLAIN and not (isinstance(told, str) and "@" in told)
    return told if told is None or is_plain else HIDDEN
