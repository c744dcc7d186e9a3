"""How values are written in HubSpot: every one is a text, and an empty one is none."""

import html
from datetime import UTC, datetime
from typing import Any

NUMBER, MOMENT = "number", "datetime"


def written(value: Any) -> str:
    """
    Return a value as HubSpot takes it.

    >>> written(datetime(2026, 3, 4, 12, tzinfo=UTC)), written(["a", "b"]), written(72.5)
    ('2026-03-04T12:00:00.000Z', 'a;b', '72.5')
    >>> written(None), written(True), written(50.0)
    ('', 'true', '50')
    """
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return in_full(value)
        case float() if value.is_integer():
            return str(int(value))
        case list() | tuple():
            return ";".join(written(one) for one in value)
    return str(value)


def read(value: Any, kind: str | None) -> Any:
    """
    Return a value that HubSpot gave, by the type of its property.

    >>> read("72.5", "number"), read("", "string"), read("DE", "string")
    (72.5, None, 'DE')
    """
    if value is None or value == "":
        return None
    if kind == NUMBER:
        try:
            return float(value)
        except (TypeError, ValueError):
            return value
    return value


def in_full(at: datetime) -> str:
    """Return a moment as HubSpot writes it: UTC, with thousandths."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: Any) -> datetime | None:
    """
    Return the moment that HubSpot wrote; None where it wrote none.

    >>> moment("2026-03-04T12:00:00.5Z").isoformat(), moment("soon")
    ('2026-03-04T12:00:00.500000+00:00', None)
    """
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at.astimezone(UTC)


def page(text: str) -> str:
    r"""
    Return plain text as a note has it.

    >>> page("<b>\n1 & 2")
    '&lt;b&gt;<br>1 &amp; 2'
    """
    return html.escape(text).replace("\n", "<br>")


def many(text: Any) -> list[str]:
    """
    Return the parts of a value that holds several.

    >>> many("a@acme.example;b@acme.example"), many(None)
    (['a@acme.example', 'b@acme.example'], [])
    """
    return [one.strip() for one in str(text or "").split(";") if one.strip()]
