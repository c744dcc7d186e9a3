"""How values are written in Odoo: ``false`` is nothing, and moments are UTC in whole seconds."""

import html
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from regportal.connectors.judging import APART

MOMENT = "%Y-%m-%d %H:%M:%S"
TRUE = frozenset({True, "true", "yes", "1"})
NUMBERS = frozenset({"float", "monetary", "integer"})


def written(value: Any, kind: str | None) -> Any:
    """
    Return a value as Odoo takes it in a field of a kind; one that cannot be is for it to refuse.

    >>> written(datetime(2026, 3, 4, 12, 0, 0, 5, tzinfo=UTC), "datetime")
    '2026-03-04 12:00:00'
    >>> written(["widgets", "prices"], "char"), written("12", "integer"), written(None, "char")
    ('widgets; prices', 12, False)
    """
    if value is None:
        return False
    if isinstance(value, datetime):
        return moment(value)
    if kind == "boolean":
        return value in TRUE
    if kind in NUMBERS and isinstance(value, str):
        return _number(value, kind)
    if isinstance(value, (list, tuple)):
        return APART.join(str(one) for one in value)
    return value


def _number(text: str, kind: str | None) -> Any:
    """Read a number."""
    try:
        return int(text) if kind == "integer" else float(text)
    except ValueError:
        return text


def read_value(value: Any) -> Any:
    """
    Return a value that Odoo gave: of another record its name.

    >>> read_value(False), read_value([7, "Example Ltd"]), read_value(12.5)
    (None, 'Example Ltd', 12.5)
    """
    if value is False:
        return None
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], str):  # noqa: PLR2004 - id and name
        return value[1]
    return value


def moment(at: datetime) -> str:
    """Return a moment as Odoo writes it."""
    return at.astimezone(UTC).strftime(MOMENT)


def read_at(text: Any) -> datetime | None:
    """
    Return the moment that Odoo wrote.

    >>> read_at("2026-03-04 12:00:00").isoformat(), read_at(False)
    ('2026-03-04T12:00:00+00:00', None)
    """
    return datetime.strptime(text, MOMENT).replace(tzinfo=UTC) if text else None


def page(text: str) -> str:
    r"""
    Return plain text as a message has it.

    >>> page("<b>\n1 & 2")
    '&lt;b&gt;<br>1 &amp; 2'
    """
    return html.escape(text).replace("\n", "<br>")


def one(value: Any) -> int | None:
    """Return the id of another record that a field leads to."""
    return int(value[0]) if value else None


def named(value: Any) -> str | None:
    """Return the name of another record that a field leads to."""
    return str(value[1]) if value else None


Row = Mapping[str, Any]
