"""What lists say of a row on one line, where people read it."""

import json
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
SECOND = len("2026-03-04T12:00:00")


def pairs(row: Row) -> str:
    """
    Return the cells of a row that hold something, with their names.

    >>> pairs({"email": "ann@example.com", "reads": None, "flags": [], "answers": {"size": 3}})
    'email=ann@example.com  answers={"size": 3}'
    """
    return "  ".join(
        f"{key}={word(value)}" for key, value in row.items() if value not in (None, [], {}, "")
    )


def word(value: Any) -> str:
    """Return a value as people read it."""
    return "-" if value in (None, [], {}, "") else printable(value)


def printable(value: Any) -> str:
    r"""
    Return a value on one line that no terminal obeys.

    >>> printable("a\x1b[2Jb\n")
    'a·[2Jb·'
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else "·" for sign in text)


def finding(subject: str, says: str, *, fine: bool) -> str:
    """
    Return what was found of one thing that was looked at.

    >>> finding("clock", "it is noon", fine=True)
    'ok   clock: it is noon'
    """
    return printable(f"{'ok ' if fine else 'BAD'}  {subject}: {says}")


def move(row: Row) -> str:
    """Return a move of a phase: when, of what, from where to where, by what, and why."""
    return _columns(row, "at", f"{_way(row)}, {row['cause']}", row["reason"])


def suggestion(row: Row) -> str:
    """Return what a claim would move, and who looks after it."""
    owner = f"ask {row['owner']}" if row["owner"] else "nobody looks after it"
    return _columns(row, "claimed_at", _way(row), row["reason"], owner)


def alert(row: Row) -> str:
    """
    Return who was told of a move, or is to be, or why nobody.

    >>> moved = {"name": None, "connector": "crm", "external_id": "006", "from": "a", "to": "b"}
    >>> told = moved | {"at": "2026-03-04T12:00:00.25Z", "reader": "bo@acme.example"}
    >>> alert(told | {"state": "waits", "due": "2026-03-05T08:00:00Z", "because": None})
    '2026-03-04T12:00:00Z  crm:006  a -> b  bo@acme.example: waits until 2026-03-05T08:00:00Z'
    """
    until = f" until {second(row['due'])}" if row["due"] else ""
    because = f", {row['because']}" if row["because"] else ""
    reader = row["reader"] or "nobody"
    return _columns(row, "at", _way(row), f"{reader}: {row['state']}{until}{because}")


def override(row: Row) -> str:
    """Return what was said over the rules, where they are or were, and what became of it."""
    if row["ended"] is None:
        became = f"the rules say {row['rules_now']}" if row["rules_now"] else "the rules wait"
    else:
        right = {True: "who said it was right", False: "the rules were right", None: "nobody knows"}
        became = f"ended {second(row['ended_at'])} ({row['ended']}), {right[row['right']]}"
    said = f"{row['by']} until {second(row['until'])}: {row['because']}"
    return _columns(row, "since", f"{row['rules_phase']} -> {row['phase']}", said, became)


def second(at: str) -> str:
    """
    Return a moment without what is less than a second.

    >>> second("2026-03-04T12:00:00.250000Z"), second("2026-03-04T12:00:00Z")
    ('2026-03-04T12:00:00Z', '2026-03-04T12:00:00Z')
    """
    return f"{at[:SECOND]}Z"


def outside(row: Row) -> str:
    """
    Return an opportunity as people find it again: by its name, and as the CRM calls it.

    >>> outside({"name": "500 widgets", "connector": "crm", "external_id": "006"})
    '500 widgets (crm:006)'
    """
    called = f"{row['connector']}:{row['external_id']}"
    return f"{row['name']} ({called})" if row["name"] else called


def role(name: str) -> str:
    """
    Return what people call a part in a purchase, as letters and reasons do.

    >>> role("decision_maker")
    'decision maker'
    """
    from regportal.buying.voice import ENGLISH

    return ENGLISH.role(name)


def _way(row: Row) -> str:
    """Return from where to where."""
    return f"{row['from']} -> {row['to']}"


def _columns(row: Row, at: str, *told: str) -> str:
    """Return when, of which opportunity, and what is told of it."""
    return printable("  ".join((second(row[at]), outside(row), *told)))
