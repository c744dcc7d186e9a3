"""Tables for spreadsheets: what people typed stays text, whatever it looks like."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""With what a spreadsheet takes a cell for a formula, also in its full-width form."""


def safe_cell(text: str) -> str:
    """
    Return a text so that no spreadsheet runs it (security.md T-26).

    >>> safe_cell("=cmd|' /C calc'!A0"), safe_cell("+44 113 496 0000"), safe_cell("Acme = best")
    ("'=cmd|' /C calc'!A0", "'+44 113 496 0000", 'Acme = best')

    A blank before it does not help:

    >>> safe_cell(" @SUM(A1)")
    "' @SUM(A1)"
    """
    return f"'{text}" if text.startswith(STARTS) or text.lstrip().startswith(STARTS) else text


def cell(value: Any) -> str:
    """
    Return a value as a cell that no spreadsheet computes.

    >>> cell("=cmd|'/c calc'!A1"), cell(None), cell(True), cell(["a", "b"]), cell([])
    ("'=cmd|'/c calc'!A1", '', 'true', '["a", "b"]', '')

    A number is one, also below nought:

    >>> cell(-1.5)
    '-1.5'
    """
    if value is None or value == []:
        return ""
    if isinstance(value, str):
        return safe_cell(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if isinstance(value, int | float) else safe_cell(text)


def records(rows: Iterable[Iterable[str]]) -> str:
    r"""
    Return records of RFC 4180, each with its end.

    >>> records([["a", "one, two"], ["b", ""]])
    'a,"one, two"\r\nb,\r\n'
    """
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
