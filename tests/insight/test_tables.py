"""Rows become files in which whatever people typed is text, and nothing is lost."""

import csv
import io
import json
import uuid
import zipfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regportal.insight.tables import WRITERS, Csv, JsonLines, Xlsx, columns_of
from regportal.store.tables import STARTS

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@dataclass(frozen=True)
class Line:
    text: object
    number: float | None = None
    at: datetime | None = None


def written(kind, rows, **more):
    file = io.BytesIO()
    writer = kind(file, Line, **more)
    for row in rows:
        writer.write([row])
    writer.close()
    return file.getvalue()


def sheets(book):
    """Return the sheets of a workbook: each cell as its type, its formula and its text."""
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        names = sorted(one for one in parts.namelist() if one.startswith("xl/worksheets/sheet"))
        return [_cells(parts.read(name)) for name in names]


def _cells(xml):
    rows = ET.fromstring(xml).iter(f"{SHEET}row")  # noqa: S314 - ours
    return [
        [
            (
                cell.get("t"),
                cell.find(f"{SHEET}f"),
                "".join(cell.itertext()),
            )
            for cell in row.iter(f"{SHEET}c")
        ]
        for row in rows
    ]


FORMULAS = [f"{sign}1+1" for sign in STARTS if sign != "\0"] + ["=cmd|' /C calc'!A0", " =1", "{=1}"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_spreadsheet_computes_what_somebody_typed(text):
    ((cell, _, _),) = [*csv.reader(io.StringIO(written(Csv, [Line(text)]).decode()))][1:]
    _, ((kind, formula, shown),) = sheets(written(Xlsx, [Line(text)]))[0]
    told = json.loads(written(JsonLines, [Line(text)]))

    assert cell == (f"'{text}" if text[0] != "{" else text)
    assert (kind, formula) == ("inlineStr", None)
    assert shown.replace("_x000D_", "\r") == text
    assert told["text"] == text


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
def test_every_text_comes_back_as_it_was(text):
    read = [*csv.reader(io.StringIO(written(Csv, [Line(text)]).decode(), newline=""))]

    assert read[1][0].removeprefix("'") == text.removeprefix("'")
    assert json.loads(written(JsonLines, [Line(text)]))["text"] == text
    assert len(sheets(written(Xlsx, [Line(text)]))[0]) == 2


@pytest.mark.parametrize("url", ["https://evil.example", "mailto:a@b.example", "file:///etc"])
def test_no_text_becomes_a_link(url):
    with zipfile.ZipFile(io.BytesIO(written(Xlsx, [Line(url)]))) as parts:
        assert not [one for one in parts.namelist() if "_rels/sheet" in one]


def test_values_are_what_they_are():
    key = uuid.UUID(int=7)
    rows = [Line("Ann", 1.5, NOON), Line(key, None, None), Line(["a"], -2, None)]
    read = [*csv.reader(io.StringIO(written(Csv, rows).decode()))]
    lines = [json.loads(one) for one in written(JsonLines, rows).splitlines()]
    (_, first, *_) = sheets(written(Xlsx, rows))[0]

    assert read == [
        ["text", "number", "at"],
        ["Ann", "1.5", "2026-03-04T12:00:00Z"],
        [str(key), "", ""],
        ['["a"]', "-2", ""],
    ]
    assert lines[0] == {"text": "Ann", "number": 1.5, "at": "2026-03-04T12:00:00Z"}
    assert [kind for kind, _, _ in first] == ["inlineStr", None, None]
    assert first[2][2].startswith("46085.5")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (10**15, "1000000000000000"),
        (float("nan"), "nan"),
        (date(1848, 3, 1), "1848-03-01"),
        (datetime(1848, 3, 1, tzinfo=UTC), "1848-03-01T00:00:00Z"),
        (True, "1"),
    ],
)
def test_what_a_workbook_cannot_hold_as_a_number_is_text_in_it(value, shown):
    _, ((_, _, text),) = sheets(written(Xlsx, [Line(value)]))[0]

    assert text == shown


def test_a_text_that_is_too_long_for_a_cell_is_cut_where_one_sees_it():
    _, ((_, _, text),) = sheets(written(Xlsx, [Line("x" * 40_000)]))[0]

    assert (len(text), text[-2:]) == (32_767, "x…")


def test_more_rows_than_a_sheet_holds_go_on_in_another_one():
    found = sheets(written(Xlsx, [Line(str(number)) for number in range(5)], most=3))

    assert [[row[0][2] for row in sheet] for sheet in found] == [
        ["text", "0", "1"],
        ["text", "2", "3"],
        ["text", "4"],
    ]


def test_excel_is_told_that_it_is_utf_8_where_that_is_wanted():
    assert written(Csv, [], bom=True) == b"\xef\xbb\xbftext,number,at\r\n"
    assert written(Csv, []) == b"text,number,at\r\n"


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_without_rows_is_a_file_all_the_same(name):
    assert isinstance(written(WRITERS[name], []), bytes)
    assert columns_of(Line) == ["text", "number", "at"]
