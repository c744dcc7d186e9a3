"""The lines of a file that is brought in, and what each of them says."""

import csv
import enum
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, BinaryIO

from regportal.errors import JsonError, RegportalError
from regportal.store.strict_json import BOM, KIB, read_json
from regportal.tracking.access_log import NotALineError, read_line
from regportal.tracking.events import TYPES, NotAnEventError

LONGEST = 64 * KIB
"""Bytes of a line; a longer one is refused, and never held whole."""
HEARD = 256 * KIB
"""Bytes after which somebody is told how far we are."""
NEEDED = frozenset({"type", "object", "occurred_at", "contact"})
COLUMNS = NEEDED | {"id", "category"}
PROPERTY = "property."
MARK = "\ufeff"
PACKED = b"\x1f\x8b"


class Kind(enum.StrEnum):
    """What a file is."""

    CSV = "csv"
    JSONL = "jsonl"
    ACCESS_LOG = "access-log"


SUFFIXES: Mapping[str, Kind] = {
    ".csv": Kind.CSV,
    ".jsonl": Kind.JSONL,
    ".ndjson": Kind.JSONL,
    ".log": Kind.ACCESS_LOG,
}


class Lines:
    """The lines of a file, numbered from 1, one after the other and none of them endless."""

    def __init__(self, file: BinaryIO, on_read: Callable[[int], object]) -> None:
        """Read a file; ``on_read`` hears from time to time how many bytes more were read."""
        self._file, self._on_read = file, on_read
        self._heard = 0
        self._ahead: list[tuple[bytes, bool]] = []
        self._number = 0

    def peek(self) -> bytes:
        """Return the first line without taking it."""
        self._ahead = [self._next()]
        return self._ahead[0][0]

    def __iter__(self) -> Iterator[tuple[int, bytes | None]]:
        """Yield each line that is not blank; None for one that is too long."""
        while True:
            line, whole = self._ahead.pop() if self._ahead else self._next()
            if not line:
                self._on_read(self._heard)
                return
            self._number += 1
            if not whole:
                yield self._number, None
            elif line.strip():
                yield self._number, line.rstrip(b"\r\n")

    def _next(self) -> tuple[bytes, bool]:
        """Return a line, and whether it is whole: of one that is too long, the beginning."""
        line = part = self._file.readline(LONGEST)
        self._hear(part)
        while len(part) == LONGEST and not part.endswith(b"\n"):
            part = self._file.readline(LONGEST)
            self._hear(part)
        return line, len(line) < LONGEST or line.endswith(b"\n")

    def _hear(self, part: bytes) -> None:
        self._heard += len(part)
        if self._heard >= HEARD:
            self._on_read(self._heard)
            self._heard = 0


def kind_of(name: str, first: bytes) -> Kind:
    """
    Return what a file is, by its name or else by its first line.

    >>> kind_of("events.jsonl", b""), kind_of("events", b"contact;type;object;occurred_at")
    (<Kind.JSONL: 'jsonl'>, <Kind.CSV: 'csv'>)
    """
    if first.startswith(PACKED):
        raise RegportalError("the file is compressed; unpack it first")
    for suffix, kind in SUFFIXES.items():
        if name.lower().endswith(suffix):
            return kind
    text = first.decode("utf-8-sig", "replace").strip()
    if text.startswith("{"):
        return Kind.JSONL
    if set(cells_of(text, separator_of(text)) or ()) >= NEEDED:
        return Kind.CSV
    try:
        read_line(text)
    except NotALineError:
        raise RegportalError("it cannot be seen what kind of file this is; say --format") from None
    return Kind.ACCESS_LOG


def rows_of_json(lines: Lines) -> Iterator[tuple[int, Any]]:
    """Yield what each line of JSON says, or why it says nothing."""
    for number, line in lines:
        try:
            yield number, read_json(_whole(line).removeprefix(BOM))
        except (JsonError, NotAnEventError) as error:
            yield number, NotAnEventError(str(error))


def rows_of_csv(lines: Lines) -> Iterator[tuple[int, Any]]:
    """Yield what each row of a CSV file says, or why it says nothing; the first names columns."""
    waiting = iter(lines)
    _, first = next(waiting, (0, b""))
    try:
        text = text_of(first).removeprefix(MARK)
    except NotAnEventError as error:
        raise RegportalError(f"the first line must name the columns: {error}") from error
    separator = separator_of(text)
    heading = _heading(cells_of(text, separator))
    for number, line in waiting:
        try:
            yield number, _told(_under(heading, cells_of(text_of(line), separator)))
        except NotAnEventError as error:
            yield number, error


def _heading(names: Sequence[str] | None) -> list[str]:
    """Return the columns of a file; raise RegportalError where they are not those of events."""
    heading = [name if name.startswith(PROPERTY) else name.lower() for name in names or ()]
    missing = sorted(NEEDED - {*heading})
    if missing:
        raise RegportalError(f"the first line must name the columns; {missing[0]} is not there")
    others = [one for one in heading if one not in COLUMNS]
    if not all(one.startswith(PROPERTY) and one.isprintable() for one in others) or len(
        {*heading}
    ) != len(heading):
        known = ", ".join(sorted(COLUMNS))
        raise RegportalError(f"the columns may be {known} and {PROPERTY}<name>, each once")
    return heading


def _under(heading: Sequence[str], cells: Sequence[str] | None) -> dict[str, str]:
    """Return the cells of a row by their columns; refuse a row that does not fit under them."""
    if cells is None:
        raise NotAnEventError("not a row of CSV: its quotes do not close on the line")
    if len(cells) != len(heading):
        raise NotAnEventError(f"{len(cells)} cells under {len(heading)} columns")
    if not all(cell.isprintable() for cell in cells):
        raise NotAnEventError("a cell has signs that cannot be printed")
    return dict(zip(heading, cells, strict=True))


def _told(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return a row as programs would tell it; what is empty is not said."""
    said = {name: cell for name, cell in cells.items() if cell}
    texts = _texts_of(said.get("type", ""))
    properties = {
        (key := name.removeprefix(PROPERTY)): cell
        if texts is None or key in texts
        else _value(cell)
        for name, cell in said.items()
        if name.startswith(PROPERTY)
    }
    plain = {name: cell for name, cell in said.items() if not name.startswith(PROPERTY)}
    return plain | {"properties": properties}


@cache
def _texts_of(kind: str) -> frozenset[str] | None:
    """Return which properties of a type are texts; None where all of them are."""
    if kind not in TYPES:
        return None
    fields = TYPES[kind].model_json_schema()["properties"]
    return frozenset(name for name, one in fields.items() if '"string"' in json.dumps(one))


def _value(cell: str) -> Any:
    """Return the number or list that a cell is; else its text, which its type refuses."""
    try:
        return read_json(cell.encode())
    except JsonError:
        return cell


def _whole(line: bytes | None) -> bytes:
    """Return a line; refuse one that is too long."""
    if line is None:
        raise NotAnEventError(f"the line is longer than {LONGEST // KIB} KiB")
    return line


def text_of(line: bytes | None) -> str:
    """Return a line as a text."""
    try:
        return _whole(line).decode()
    except UnicodeDecodeError:
        raise NotAnEventError("the line is not UTF-8") from None


def separator_of(heading: str) -> str:
    """Return what parts the columns: a comma, a semicolon or a tab."""
    return max(",;\t", key=heading.count)


def cells_of(text: str, separator: str) -> list[str] | None:
    """
    Return the cells of one line; None where its quotes are not right.

    >>> cells_of('a,"b ""c"" d"', ","), cells_of('a,"b', ",")
    (['a', 'b "c" d'], None)
    """
    try:
        rows = [*csv.reader([text], delimiter=separator, strict=True)]
    except csv.Error:
        return None
    return [cell.strip() for cell in rows[0]] if len(rows) == 1 else None
