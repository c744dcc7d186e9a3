"""Opportunities: which are open, what they are like, and writing only over what was read."""

from collections.abc import Mapping, Sequence
from email.utils import format_datetime
from typing import Any

from regportal.connectors.base import Record
from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.salesforce.api import Inner, Salesforce
from regportal.connectors.salesforce.people import written
from regportal.connectors.salesforce.soql import read_moment, value_at, wholes
from regportal.connectors.shapes import Row

ROLE = "Opportunity.{}"
TOLD = ("Id", "Name", "StageName", "Probability", "CloseDate", "IsClosed")
LONGEST = 255
"""Letters of a text field, where Salesforce does not say."""


class Deals:
    """The opportunities of one org."""

    def __init__(self, salesforce: Salesforce) -> None:
        """Take whom to ask."""
        self._salesforce = salesforce

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """Return opportunities by id, with the moment that a writing may ask for."""
        wanted = wholes(ids)
        asked = ("IsClosed", "LastModifiedDate", *fields)
        found = self._salesforce.rows(asked, "Opportunity", ("Id", wanted.values()))
        rows = {row["Id"]: row for row in found}
        return {id: _record(rows[full]) for id, full in wanted.items() if full in rows}

    def update(self, changes: Sequence[tuple[Record, Mapping[str, Any]]]) -> list[Written]:
        """Set fields of opportunities, only as long as they are as they were read."""
        lengths = self._lengths()
        calls = []
        for record, values in changes:
            told = {
                name: _cut(written(value), lengths.get(name, LONGEST))
                for name, value in values.items()
            }
            only = {"If-Unmodified-Since": record.etag} if record.etag else None
            calls.append(Inner("PATCH", f"/sobjects/Opportunity/{record.id}", told, only))
        return [
            _moved(record, said.taken)
            for (record, _), said in zip(changes, self._salesforce.composite(calls), strict=True)
        ]

    def _lengths(self) -> dict[str, int]:
        """Return how long the texts of an opportunity may be."""
        fields = self._salesforce.described("Opportunity")["fields"]
        return {str(one.get("name")): int(one.get("length") or LONGEST) for one in fields}

    def open_of(self, contacts: Sequence[str]) -> dict[str, list[Record]]:
        """Return the open opportunities in which contacts have a role."""
        wanted = wholes(contacts)
        asked = ("ContactId", "Role", "IsPrimary", *(ROLE.format(name) for name in TOLD))
        whose = ("ContactId", wanted.values())
        rows = self._salesforce.rows(
            asked, "OpportunityContactRole", whose, "Opportunity.IsClosed = false"
        )
        found: dict[str, list[Record]] = {full: [] for full in wanted.values()}
        for row in rows:
            deal, his = row.get("Opportunity"), found.get(str(row.get("ContactId")), [])
            id = str(value_at(row, "Opportunity.Id"))
            if isinstance(deal, dict) and id not in {one.id for one in his}:
                part = {"Role": row.get("Role"), "IsPrimary": row.get("IsPrimary")}
                his.append(Record(id, {**deal, **part}))
        return {id: found[full] for id, full in wanted.items()}

    def existing(self, ids: Sequence[str]) -> set[str]:
        """Return which of these opportunities are there."""
        return {one.id for one in self.read(ids, ()).values()}


def _record(row: Row) -> Record:
    """Return an opportunity; of its last change Salesforce keeps the second."""
    at = read_moment(row.get("LastModifiedDate"))
    etag = None if at is None else format_datetime(at, usegmt=True)
    return Record(str(row["Id"]), row, row.get("IsClosed") is True, etag)


def _moved(record: Record, taken: Any) -> Written:
    """Return what became of one opportunity."""
    try:
        taken()
    except NotTakenError as error:
        return Written.refused(error.of_one())
    return Written(record.id)


def _cut(value: Any, length: int) -> Any:
    """
    Return a text as long as its field is.

    >>> _cut("Comparison", 5), _cut(7, 5)
    ('Comp…', 7)
    """
    if not isinstance(value, str) or len(value) <= length:
        return value
    return f"{value[: length - 1]}…"
