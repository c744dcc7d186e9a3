"""Which part of a file a request asks for (RFC 9110, sections 13 and 14)."""

import re
from dataclasses import dataclass

SPECIFIER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(.*)", re.DOTALL)
RANGE = re.compile(r"([0-9]*)-([0-9]*)")
ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
FARTHEST = 10**18  # bytes; more digits than these only mean "to the end"


@dataclass(frozen=True, slots=True)
class Conditions:
    """The headers of a request that decide what it gets."""

    range: str | None = None
    if_range: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What a request gets: the status, and which bytes follow."""

    status: int
    first: int = 0
    length: int = 0
    continues: bool = False
    """It goes on with bytes it has shown to have begun: Range beyond 0, If-Range matches."""


def part(conditions: Conditions, size: int, etag: str, *, whole: bool = False) -> Part:
    """
    Return what a request gets of a file with this size and this strong ETag.

    >>> part(Conditions(range="bytes=100-"), 1000, '"a"')
    Part(status=206, first=100, length=900, continues=False)
    >>> part(Conditions(range="bytes=-5", if_range='"a"'), 1000, '"a"')
    Part(status=206, first=995, length=5, continues=True)

    One range only. A unit we do not know is ignored, as the RFC has it; ``bytes`` with
    something that is no range is refused like a range beyond the end:

    >>> [
    ...     part(Conditions(range=asked), 1000, '"a"').status
    ...     for asked in ("bytes=0-1,5-6", "lines=1-2", "bytes=x", "bytes=1000-")
    ... ]
    [416, 200, 416, 416]

    After a change the rest of the old file is of no use:

    >>> part(Conditions(range="bytes=100-", if_range='"old"'), 1000, '"a"').status
    200
    >>> part(Conditions(if_none_match='W/"a"'), 1000, '"a"').status
    304
    >>> part(Conditions(if_match='"old"'), 1000, '"a"').status
    412

    ``whole``: the method knows no ranges (HEAD). Nothing has no parts, either.

    >>> part(Conditions(range="bytes=0-"), 0, '"a"').status
    200
    """
    if conditions.if_match is not None and not _names(conditions.if_match, etag, strongly=True):
        return Part(412)
    if conditions.if_none_match is not None and _names(conditions.if_none_match, etag):
        return Part(304)
    changed = conditions.if_range is not None and conditions.if_range.strip() != etag
    unit = SPECIFIER.fullmatch((conditions.range or "").strip())
    if whole or changed or size == 0 or unit is None or unit[1].lower() != "bytes":
        return Part(200, 0, size)
    asked = _one_range(unit[2], size)
    if asked is None:
        return Part(416)
    first, last = asked
    continues = conditions.if_range is not None and first > 0
    if first >= size:
        return Part(416, continues=continues)
    return Part(206, first, last - first + 1, continues)


def _one_range(asked: str, size: int) -> tuple[int, int] | None:
    """Return the first and the last byte asked for, or None where that is not one range."""
    ranges = [text for text in (text.strip(" \t") for text in asked.split(",")) if text]
    found = RANGE.fullmatch(ranges[0]) if len(ranges) == 1 else None
    if found is None:
        return None
    if not found[1]:
        last_bytes = _number(found[2] or "0")
        return (max(size - last_bytes, 0), size - 1) if last_bytes else None
    first = _number(found[1])
    last = _number(found[2]) if found[2] else FARTHEST
    return (first, min(last, size - 1)) if first <= last else None


def _number(digits: str) -> int:
    """Read a number; one that is absurdly long is just very big."""
    return int(digits) if len(digits) < len(str(FARTHEST)) else FARTHEST


def _names(tags: str, etag: str, *, strongly: bool = False) -> bool:
    """Return whether a list of entity tags holds this one."""
    if tags.strip() == "*":
        return True
    found = ENTITY_TAG.findall(tags)
    return etag in (found if strongly else [tag.removeprefix("W/") for tag in found])
