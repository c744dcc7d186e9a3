"""A place between two rows of a list, as it travels: opaque, and read as strictly as written."""

import base64
import binascii
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

LONGEST = 1000
"""Signs of a mark; one of ours has at most an address in it."""


def written(*parts: Any) -> str:
    """
    Return the parts of a mark as one word for an address; only the last may have blanks in it.

    >>> written("n", datetime(2026, 3, 4, 12, tzinfo=UTC))
    'biAyMDI2LTAzLTA0VDEyOjAwOjAwKzAwOjAw'
    """
    text = " ".join(one.isoformat() if isinstance(one, datetime) else str(one) for one in parts)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(text: str, kinds: Sequence[type]) -> tuple[Any, ...]:
    """
    Return the parts of a mark, each of its kind; raise ValueError for what we did not write.

    >>> read(written(1.5, "Ann Lee"), [float, str])
    (1.5, 'Ann Lee')
    """
    try:
        if len(text) > LONGEST:
            raise ValueError(text)
        padded = text + "=" * (-len(text) % 4)
        told = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        parts = told.split(" ", len(kinds) - 1)
        return tuple(READ[kind](part) for kind, part in zip(kinds, parts, strict=True))
    except (binascii.Error, UnicodeError, OverflowError) as error:
        raise ValueError(text) from error


def _moment(text: str) -> datetime:
    """Return a moment in UTC."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)


def _number(text: str) -> float:
    """Return a number that a database can compare with others."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _whole(text: str) -> int:
    """Return a whole number that a database can hold."""
    if not text.isascii() or not text.removeprefix("-").isdigit() or len(text) > len("-") + 18:
        raise ValueError(text)
    return int(text)


def _text(text: str) -> str:
    """Return a text that a database takes."""
    if "\0" in text:
        raise ValueError(text)
    return text


READ: Mapping[type, Callable[[str], Any]] = {
    datetime: _moment,
    float: _number,
    int: _whole,
    str: _text,
    uuid.UUID: uuid.UUID,
}
