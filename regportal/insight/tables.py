"""
Rows as files, whatever the table: CSV, XLSX, and one JSON object a line.

What people typed is text in each of them. Rows are written as they come; of a workbook they lie in
a temporary file until it is closed.
"""

import dataclasses
import enum
import json
import math
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import IO, Any, Protocol

from xlsxwriter import Workbook

from regportal.connectors.rules import in_full
from regportal.store.tables import cell, records

ROWS = 1_048_576
"""Of one sheet, the names of its columns included: no spreadsheet has more."""
SIGNS = 32_767
"""Of one cell of a workbook."""
EXACT = 10**15
"""Whole numbers from here on are text in a workbook: it keeps fifteen digits."""
FIRST = date(1900, 3, 1)
"""Before it the days of spreadsheets are not those of the calendar."""
AS_TEXT = {
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "constant_memory": True,
}
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


class Writer(Protocol):
    """Writes a table to a file, some rows at a time."""

    def write(self, rows: Iterable[Any]) -> None:
        """Write some rows: dataclasses of the kind of the table."""

    def close(self) -> None:
        """Write what ends the file; does not close it."""


def columns_of(kind: type[Any]) -> list[str]:
    """Return the names of the columns of a table whose rows are dataclasses of a kind."""
    return [field.name for field in dataclasses.fields(kind)]


class JsonLines:
    """One JSON object a line."""

    def __init__(self, file: IO[bytes], kind: type[Any]) -> None:
        """Write to a file."""
        self._file, self._names = file, columns_of(kind)

    def write(self, rows: Iterable[Any]) -> None:
        """Write some rows."""
        for row in rows:
            told = {name: plain(getattr(row, name)) for name in self._names}
            self._file.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        """Nothing ends such a file."""


class Csv:
    """Records of RFC 4180 in UTF-8; whatever looks like a formula stays text."""

    def __init__(self, file: IO[bytes], kind: type[Any], *, bom: bool = False) -> None:
        """Write to a file, with the mark by which Excel knows UTF-8 where ``bom`` is set."""
        self._file, self._names = file, columns_of(kind)
        self._file.write(((BOM if bom else "") + records([self._names])).encode())

    def write(self, rows: Iterable[Any]) -> None:
        """Write some rows."""
        cells = ([cell(plain(getattr(row, name))) for name in self._names] for row in rows)
        self._file.write(records(cells).encode())

    def close(self) -> None:
        """Nothing ends such a file."""


class Xlsx:
    """A workbook in which texts are texts, moments and numbers what they are."""

    def __init__(self, file: IO[bytes], kind: type[Any], *, most: int = ROWS) -> None:
        """Write to a file when it is closed; on another sheet after each ``most`` rows."""
        self._book = Workbook(file, AS_TEXT)
        self._names, self._most = columns_of(kind), most
        self._bold = self._book.add_format({"bold": True})
        self._moment = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._begin()

    def write(self, rows: Iterable[Any]) -> None:
        """Write some rows."""
        for row in rows:
            if self._next == self._most:
                self._begin()
            for column, name in enumerate(self._names):
                self._put(column, getattr(row, name))
            self._next += 1

    def close(self) -> None:
        """Write the workbook."""
        self._book.close()

    def _begin(self) -> None:
        """Begin a sheet with the names of the columns."""
        self._sheet, self._next = self._book.add_worksheet(), 1
        for column, name in enumerate(self._names):
            self._sheet.write_string(0, column, name, self._bold)
        self._sheet.freeze_panes(1, 0)

    def _put(self, column: int, value: Any) -> None:
        """Write one cell, by what its value is and never by what it looks like."""
        sheet, at = self._sheet, (self._next, column)
        if value is None:
            return
        if isinstance(value, bool):
            sheet.write_boolean(*at, value)
        elif isinstance(value, int | float) and math.isfinite(value) and abs(value) < EXACT:
            sheet.write_number(*at, value)
        elif isinstance(value, datetime) and value.date() >= FIRST:
            sheet.write_datetime(*at, value.astimezone(UTC).replace(tzinfo=None), self._moment)
        elif isinstance(value, date) and not isinstance(value, datetime) and value >= FIRST:
            sheet.write_datetime(*at, value, self._day)
        else:
            told = plain(value)
            text = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
            sheet.write_string(*at, text if len(text) <= SIGNS else f"{text[: SIGNS - 1]}…")


WRITERS: Mapping[str, type[Csv | JsonLines | Xlsx]] = {
    "csv": Csv,
    "jsonl": JsonLines,
    "xlsx": Xlsx,
}


WRITTEN: Mapping[type, Callable[[Any], str]] = {
    datetime: in_full,
    date: date.isoformat,
    uuid.UUID: str,
}
"""How what JSON does not have is written."""


def plain(value: Any) -> Any:
    """
    Return a value as JSON has it.

    >>> plain(datetime(2026, 3, 4, 12, tzinfo=UTC)), plain(date(2026, 3, 4)), plain({1, 2} & {2})
    ('2026-03-04T12:00:00Z', '2026-03-04', [2])
    """
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    written = WRITTEN.get(type(value))
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return written(value) if written else value
