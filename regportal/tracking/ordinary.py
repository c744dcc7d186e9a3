"""
Understanding the entirely ordinary event at a glance.

Nearly all events are page views, searches and prices looked up, written by our own recorder.
:func:`understood` returns what ``events.understand`` would return for such a one, at a tenth of
its cost, and None for whatever is odd in any way: that is for ``understand`` to take or refuse.
A test tells both the same things (tests/tracking/test_ordinary_events.py).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from regportal.tracking.events import FROM_BROWSERS, TYPES, Event, Text

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
OBJECT = re.compile(
    r"https?://[a-z0-9.-]{1,200}(:[0-9]{1,5})?/[A-Za-z0-9/_.~+,;=&!%-]{0,700}|[a-z0-9_-]{1,100}"
)
"""An address without a query, or the key of an asset."""
CATEGORY = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
"""As ``Date.toISOString`` writes it."""
KEYS = frozenset({"id", "type", "object", "category", "properties", "occurred_at"})
NEEDED = frozenset({"id", "type", "object", "occurred_at"})
LONGEST = 300


def _texts(kind: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return which properties of a type are texts, and which a type cannot do without."""
    fields = TYPES[kind].model_fields
    texts = {name for name, one in fields.items() if one.annotation in (Text, Text | None, str)}
    return frozenset(texts), frozenset(name for name, one in fields.items() if one.is_required())


TEXTS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = MappingProxyType(
    {kind: _texts(kind) for kind in sorted(FROM_BROWSERS)}
)
NOTHING: Mapping[str, Any] = MappingProxyType({})


def understood(told: object) -> Event | None:
    """
    Return the event that a browser told, where it is an ordinary one.

    >>> event = understood(
    ...     {
    ...         "id": "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b",
    ...         "type": "search",
    ...         "object": "https://www.acme.example/find",
    ...         "properties": {"query": "widgets"},
    ...         "occurred_at": "2026-11-23T09:00:00.250Z",
    ...     }
    ... )
    >>> event.type, event.properties, event.occurred_at.isoformat()
    ('search', {'query': 'widgets'}, '2026-11-23T09:00:00.250000+00:00')
    """
    if type(told) is not dict or not NEEDED <= told.keys() <= KEYS:
        return None
    kind, key, about, at = told["type"], told["id"], told["object"], told["occurred_at"]
    category, said = told.get("category"), told.get("properties", NOTHING)
    if not (
        type(kind) is type(key) is type(about) is type(at) is str
        and kind in TEXTS
        and ID.fullmatch(key)
        and OBJECT.fullmatch(about)
        and MOMENT.fullmatch(at)
        and (category is None or (type(category) is str and CATEGORY.fullmatch(category)))
        and _are_ordinary(said, *TEXTS[kind])
    ):
        return None
    try:
        occurred_at = datetime.fromisoformat(at)
    except ValueError:  # the 31st of February
        return None
    return Event(key, kind, about, category, dict(said), occurred_at)


def _are_ordinary(said: Any, texts: frozenset[str], needed: frozenset[str]) -> bool:
    """Return whether properties are nothing but texts that can be kept as they are."""
    return (
        isinstance(said, dict | MappingProxyType)
        and needed <= said.keys() <= texts
        and all(
            type(text) is str and 0 < len(text) <= LONGEST and text.isprintable()
            for text in said.values()
        )
    )
