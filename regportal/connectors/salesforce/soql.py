"""Writing SOQL: values between quotes, and ids that are ids."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from regportal.connectors.shapes import Row

IN_ONE = 100
"""Values of an IN: a question stays short enough for every server in between."""
ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
SHORT = 15
ESCAPED = str.maketrans(
    {"\\": r"\\", "'": r"\'", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\b": r"\b", "\f": r"\f"}
)
WILD = str.maketrans({"%": r"\%", "_": r"\_"})


def quoted(text: str) -> str:
    r"""
    Return a text as a literal: nothing in it ends it.

    >>> print(quoted("o'neil\\' OR Id != '"))
    'o\'neil\\\' OR Id != \''
    """
    return f"'{text.translate(ESCAPED)}'"


def starting(text: str) -> str:
    r"""
    Return a literal for LIKE that fits whatever begins with a text.

    >>> print(starting("50%_"))
    '50\%\_%'
    """
    return f"'{text.translate(ESCAPED).translate(WILD)}%'"


def among(field: str, values: Iterable[str]) -> str:
    """
    Return the condition that a field is one of some values.

    >>> among("Id", ["a", "b"])
    "Id IN ('a','b')"
    """
    return f"{field} IN ({','.join(quoted(one) for one in values)})"


def select(what: Iterable[str], kind: str, *where: str, order: str = "", limit: int = 0) -> str:
    """
    Return a question, for the id and for this besides; all conditions must hold.

    >>> select(["Name"], "Account", "IsDeleted = false", "Name != null", limit=1)
    'SELECT Id, Name FROM Account WHERE IsDeleted = false AND Name != null LIMIT 1'
    """
    words = ["SELECT", ", ".join(dict.fromkeys(["Id", *what])), "FROM", kind]
    words += ["WHERE", " AND ".join(where)] if where else []
    words += ["ORDER BY", order] if order else []
    words += ["LIMIT", str(limit)] if limit else []
    return " ".join(words)


def some(values: Iterable[str]) -> Iterator[list[str]]:
    """
    Yield values, each once, so many at a time as one question may hold.

    >>> [*some(["b", "a", "b"])]
    [['b', 'a']]
    """
    once = list(dict.fromkeys(values))
    yield from (once[first : first + IN_ONE] for first in range(0, len(once), IN_ONE))


def moment(at: datetime) -> str:
    """
    Return a moment as a literal.

    >>> moment(datetime(2026, 3, 4, 12, tzinfo=UTC))
    '2026-03-04T12:00:00Z'
    """
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def read_moment(text: Any) -> datetime | None:
    """
    Return the moment that Salesforce writes; None where it is none.

    >>> read_moment("2026-03-04T12:00:00.000+0000").isoformat()
    '2026-03-04T12:00:00+00:00'
    """
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError):
        return None


def whole(id: str) -> str | None:
    """
    Return an id in the 18 letters in which it is answered; None where it is none.

    >>> whole("0035500001H9kZu"), whole("999")
    ('0035500001H9kZuAAJ', None)
    """
    if not ID.fullmatch(id):
        return None
    if len(id) > SHORT:
        return id
    groups = (id[first : first + 5] for first in range(0, SHORT, 5))
    bits = (sum(one.isupper() << place for place, one in enumerate(group)) for group in groups)
    return id + "".join(LETTERS[one] for one in bits)


def wholes(ids: Sequence[str]) -> dict[str, str]:
    """
    Return the ids among some texts in full, by how they were written.

    >>> wholes(["0035500001H9kZu", "none"])
    {'0035500001H9kZu': '0035500001H9kZuAAJ'}
    """
    return {id: full for id in ids if (full := whole(id)) is not None}


def value_at(row: Row, path: str) -> Any:
    """
    Return what a row says at the end of a path.

    >>> value_at({"Account": {"Name": "Acme"}}, "Account.Name")
    'Acme'
    >>> value_at({"Account": None}, "Account.Name") is None
    True
    """
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
