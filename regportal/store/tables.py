"""Tables for spreadsheets: what people typed stays text, whatever it looks like."""

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
