"""Moments and lengths of time as people say them in English."""

from datetime import UTC, datetime, tzinfo

UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "mo": "month"}
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def moment_in_words(at: datetime, zone: tzinfo = UTC) -> str:
    """
    Return a moment as people say it in English.

    >>> moment_in_words(datetime(2026, 3, 4, 10, 12, tzinfo=UTC))
    '4 Mar 2026 10:12'
    """
    return f"{day_in_words(at, zone)} {at.astimezone(zone):%H:%M}"


def day_in_words(at: datetime, zone: tzinfo) -> str:
    """Return a day as people say it, also those who read it years later."""
    local = at.astimezone(zone)
    return f"{local.day} {MONTHS[local.month - 1]} {local.year}"


def in_words(within: str) -> str:
    """
    Return a length of time as people say it in English.

    >>> in_words("45d"), in_words("1mo")
    ('45 days', '1 month')
    """
    digits = within.rstrip("smhdo")
    unit = UNITS[within.removeprefix(digits)]
    return f"{digits} {unit}" if digits == "1" else f"{digits} {unit}s"
