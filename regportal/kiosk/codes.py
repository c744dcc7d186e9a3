"""Codes that telephones read: an address as a picture of small squares."""

from collections.abc import Sequence
from dataclasses import dataclass

from qrcode.constants import ERROR_CORRECT_M
from qrcode.main import QRCode

QUIET = 4
"""Empty squares around a code; telephones need them."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code as an SVG draws it: one path in a square."""

    size: int
    """Of the square's side, with the empty border."""
    path: str


def code_of(address: str) -> Code:
    """
    Return the code of an address.

    >>> code = code_of("https://go.acme.example/t/x")
    >>> code.size, code.path[:18]
    (37, 'M4 4h7v1h-7zM12 4h')
    """
    code = QRCode(error_correction=ERROR_CORRECT_M, border=0)
    code.add_data(address)
    rows = code.get_matrix()
    path = "".join(_row(number, row) for number, row in enumerate(rows))
    return Code(len(rows) + 2 * QUIET, path)


def _row(number: int, row: Sequence[bool]) -> str:
    """Return the dark stretches of one row."""
    found, start = [], None
    for column, dark in enumerate((*row, False)):
        if dark and start is None:
            start = column
        elif not dark and start is not None:
            wide = column - start
            found.append(f"M{start + QUIET} {number + QUIET}h{wide}v1h-{wide}z")
            start = None
    return "".join(found)
