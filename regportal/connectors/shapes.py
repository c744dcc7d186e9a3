"""Whether what a CRM answers has the shape of what it was asked for: anybody may answer there."""

from collections.abc import Mapping
from typing import Any

from regportal.connectors.desk import NotTakenError
from regportal.connectors.rules import Outcome

MOST_CITED = 40
"""Signs of a word of a CRM that we repeat: any version's name is shorter."""
Row = Mapping[str, Any]
Shape = Any
"""
A type; ``[shape]``, a list of such; ``{name: shape}``, an object that has at least these names;
``{str: shape}``, one whose values are all such; ``(shape, …)``, one of these.
"""


def fits(told: Any, shape: Shape) -> bool:
    """
    Return whether an answer has a shape.

    >>> row = {"id": int, "name": (str, None.__class__)}
    >>> fits([{"id": 7, "name": None, "city": {}}], [row]), fits([{"id": 7}], [row])
    (True, False)
    >>> fits({"id": {"type": "char"}}, {str: {"type": str}}), fits({"id": 7}, {str: {"type": str}})
    (True, False)
    """
    match shape:
        case tuple():
            return any(fits(told, one) for one in shape)
        case list():
            return isinstance(told, list) and all(fits(one, shape[0]) for one in told)
        case dict() if str in shape:
            return isinstance(told, dict) and all(fits(one, shape[str]) for one in told.values())
        case dict():
            return isinstance(told, dict) and all(
                name in told and fits(told[name], one) for name, one in shape.items()
            )
    return isinstance(told, shape)


def shaped(told: Any, shape: Shape, says: str, count: int | None = None) -> Any:
    """
    Return an answer that has a shape; raise NotTakenError, with these words, for any other.

    ``count`` is how many things a list must tell of.
    """
    if fits(told, shape) and (count is None or len(told) == count):
        return told
    raise NotTakenError(Outcome.RETRY, says)


def under(row: Row, name: str) -> Row:
    """
    Return the object that stands under a name; an empty one where there is none.

    >>> under({"next": {"after": "7"}}, "next"), under({"next": "7"}, "next")
    ({'after': '7'}, {})
    """
    found = row.get(name)
    return found if isinstance(found, dict) else {}


def among(row: Row, name: str) -> list[Row]:
    """
    Return the objects of the list that stands under a name.

    >>> among({"to": [{"id": 1}, None]}, "to"), among({"to": {}}, "to")
    ([{'id': 1}], [])
    """
    found = row.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def texts(row: Row, name: str) -> list[str]:
    """Return the texts of the list that stands under a name."""
    found = row.get(name)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def cited(told: Any) -> str:
    r"""
    Return a word of a CRM as our sentences repeat it: what no terminal obeys, and not much of it.

    >>> cited("8.2\x1b[2J\n"), cited("9" * 5000) == "9" * 40 + "…"
    ('8.2[2J', True)
    """
    text = str(told)
    cut = "…" if len(text) > MOST_CITED else ""
    return "".join(sign for sign in text[:MOST_CITED] if sign.isprintable()) + cut
