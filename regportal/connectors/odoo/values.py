"""How values are written in Odoo: ``false`` is nothing, and moments are UTC in whole seconds."""

import html
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from regportal.connectors.desk import NotTakenError
from regportal.connectors.judging import APART
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import Shape

MOMENT = "%Y-%m-%d %H:%M:%S"
TRUE = frozenset({True, "true", "yes", "1"})
NUMBERS = frozenset({"float", "monetary", "integer"})


TEXT = (str, bool)
"""``false`` is nothing."""
FIELDS = {
    "email": TEXT,
    "email_normalized": TEXT,
    "expected_revenue": (int, float),
    "message_id": TEXT,
    "name": TEXT,
    "probability": (int, float),
    "value": str,
    "website": TEXT,
}
"""What the fields hold that are read here; others are only passed on."""
ANSWERS: dict[str, Shape] = {
    "context_get": {"uid": int},
    "create": [int],
    "fields_get": {str: {"type": str}},
    "get_external_id": {str: TEXT},
    "load": {"ids": ([int], bool)},
}
"""What methods answer."""


def row_of(fields: Sequence[str]) -> dict[str, Shape]:
    """
    Return the shape of a record that is asked for these fields.

    >>> row_of(["id", "name", "x_size"])
    {'id': <class 'int'>, 'name': (<class 'str'>, <class 'bool'>), 'x_size': <class 'object'>}
    """
    return {name: FIELDS.get(name, object) for name in fields} | {"id": int}


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
    Return the moment that Odoo wrote; raise NotTakenError where it is none.

    >>> read_at("2026-03-04 12:00:00").isoformat(), read_at(False)
    ('2026-03-04T12:00:00+00:00', None)
    """
    if not text:
        return None
    try:
        return datetime.strptime(text, MOMENT).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise NotTakenError(Outcome.RETRY, "Odoo answered no moment") from None


def page(text: str) -> str:
    r"""
    Return plain text as a message has it.

    >>> page("<b>\n1 & 2")
    '&lt;b&gt;<br>1 &amp; 2'
    """
    return html.escape(text).replace("\n", "<br>")


def one(value: Any) -> int | None:
    """Return the id of another record that a field leads to; raise as :func:`_link`."""
    return _link(value)[0] if value else None


def named(value: Any) -> str | None:
    """Return the name of another record that a field leads to; raise as :func:`_link`."""
    return _link(value)[1] if value else None


def _link(value: Any) -> tuple[int, str]:
    """Return the id and the name that lead to another record; raise NotTakenError."""
    match value:
        case [int(id), name]:
            return id, str(name)
    raise NotTakenError(Outcome.RETRY, "Odoo answered no link to a record")
