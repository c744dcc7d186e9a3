"""Reading what HubSpot answers: of what should be an object or a list, whatever it is."""

from regportal.connectors.desk import NotTakenError
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import Row, among, under


def properties(row: Row) -> dict[str, str | None]:
    """Return the properties of a record: each is a text, or nothing."""
    told = under(row, "properties")
    return {name: value if isinstance(value, str) else None for name, value in told.items()}


def id_of(row: Row, name: str = "id") -> str:
    """
    Return the id of a record, which is a number however it is written; raise NotTakenError.

    >>> id_of({"id": "151"}), id_of({"toObjectId": 151}, "toObjectId")
    ('151', '151')
    """
    found = row.get(name)
    text = str(found) if isinstance(found, (str, int)) else ""
    if not (text.isascii() and text.isdecimal()):
        raise NotTakenError(Outcome.RETRY, "HubSpot answered a record without an id")
    return text


def rows_of(answer: Row) -> list[Row]:
    """Return the results of an answer; raise NotTakenError where there are none to speak of."""
    rows = answer.get("results")
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        return rows
    raise NotTakenError(Outcome.RETRY, "HubSpot answered no results")


def errors_of(answer: Row) -> list[Row]:
    """Return the errors of an answer: they count whatever its status is."""
    return among(answer, "errors")
