"""Reading JSON that others sent: all of it understood in one way, or refused (security.md 10.3)."""

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from regportal.errors import JsonError
from regportal.store.faults import MOMENT, plain

KIB = 1024
DEEPEST = 16
SMALLEST, LARGEST = -(2**63), 2**63 - 1
DIGITS = 19  # of the longest integer kept; more are not even converted
BOM = b"\xef\xbb\xbf"
DAYS = ("date-time", "date")
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
"""Strings (to step over what they contain) and brackets; never goes back, so it is linear."""
BESIDE = bytes(set(range(256)) - set(b'"[]{}'))
"""Everything but brackets and the quotes of texts without an escape."""
FLAT = 8
LONGEST_STEP = 64
"""Characters of a key that a sentence shows: somebody else wrote it."""


def _written_out(said: object) -> object:
    """Refuse a number, which some read as seconds since 1970 and some as milliseconds."""
    if isinstance(said, datetime) or (isinstance(said, str) and DATE.match(said)):
        return said
    raise PydanticCustomError("moment", MOMENT)


def _in_utc(at: datetime) -> datetime:
    """Return a moment as it is in UTC: a zone may move it out of the calendar."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("moment", "is not in the calendar") from None


AnyMoment = Annotated[
    AwareDatetime, Field(strict=False), BeforeValidator(_written_out), AfterValidator(_in_utc)
]
"""A moment as programs write it (RFC 3339, with its zone), in UTC."""


def _begun(said: object) -> object:
    """Return a bare day as the moment at which it begins, in UTC."""
    return f"{said}T00:00:00Z" if isinstance(said, str) and DATE.fullmatch(said) else said


AnyDay = Annotated[
    AnyMoment,
    BeforeValidator(_begun),
    WithJsonSchema({"anyOf": [{"type": "string", "format": each} for each in DAYS]}),
]
"""A moment, or a day, which stands for its beginning in UTC."""


class Strict(BaseModel):
    """What a program sends: nothing but what we know, and no value bent into another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def read_json(body: bytes, *, most: int = 64 * KIB) -> Any:
    """
    Return the value these bytes are, at most ``most`` of them.

    >>> read_json(b'{"name": "Ann"}')
    {'name': 'Ann'}

    Raises JsonError for anything that two readers could understand differently, or that a
    database could not keep:

    >>> read_json(b'{"is_won": false, "is_won": true}')
    Traceback (most recent call last):
    regportal.errors.JsonError: a key is there twice
    """
    if len(body) > most:
        raise JsonError(f"more than {most // KIB} KiB")
    if body.startswith(BOM):
        raise JsonError("begins with a byte order mark")
    if not _is_flat(body) and depth(body) > DEEPEST:
        raise JsonError(f"nested deeper than {DEEPEST}")
    try:
        value = DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise JsonError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON (line {error.lineno}, column {error.colno})") from None
    for text in _texts(value) if b"\\u" in body else ():  # else nothing can be hidden in one
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise JsonError("a text contains NUL or half a character")
    return value


def first_fault(error: ValidationError) -> tuple[str, str]:
    """Return where the first thing is wrong (empty: all of it), and what, in our own words."""
    fault = error.errors(include_input=False, include_url=False)[0]
    steps = (str(step)[:LONGEST_STEP] for step in fault["loc"] if step != "[key]")
    return ".".join(steps), plain(fault)


def depth(body: bytes) -> int:
    """
    Return how deep brackets are nested, without reading anything else.

    >>> depth(b'[{"a": "[[["}]')
    2
    """
    deepest = level = 0
    for found in BRACKETS.finditer(body):
        mark = found[0]
        if mark in b"[{":
            level += 1
            deepest = max(deepest, level)
        elif mark in b"]}":
            level -= 1
    return deepest


def _is_flat(body: bytes) -> bool:
    """
    Return whether brackets are surely not nested too deep; False: they may be.

    >>> _is_flat(b'[{"a": "[[["}]'), _is_flat(b"[" * 9 + b"]" * 9)
    (True, False)
    """
    if b"\\" in body:
        return False
    outside = b"".join(body.translate(None, BESIDE).split(b'"')[::2])
    for _ in range(FLAT):
        outside = outside.replace(b"{}", b"").replace(b"[]", b"")
    return not outside


def _constant(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which JSON does not have."""
    raise JsonError(f"{name} is not a number of JSON")


def _float(text: str) -> float:
    """Refuse a number so large that it would become infinite."""
    number = float(text)
    if math.isinf(number):
        raise JsonError("a number is too large")
    return number


def _integer(text: str) -> int:
    """Refuse an integer of more than 64 bit."""
    if len(text.lstrip("-")) > DIGITS or not SMALLEST <= int(text) <= LARGEST:
        raise JsonError("an integer has more than 64 bit")
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is there twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonError("a key is there twice")
    return found


DECODER = json.JSONDecoder(
    parse_constant=_constant,
    parse_float=_float,
    parse_int=_integer,
    object_pairs_hook=_object,
)


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _texts(each)
