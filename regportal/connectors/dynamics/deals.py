"""Opportunities: read, moved, and found by their contacts and stakeholders."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from regportal.connectors.base import Record
from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.dynamics.batches import Op
from regportal.connectors.dynamics.dataverse import Dataverse, any_of, guids, query
from regportal.connectors.dynamics.shape import Shape
from regportal.connectors.shapes import Row

OPPORTUNITY = 3
"""The code of this table, as connections name it."""
PARTS = ("_record1id_value", "_record2id_value", "record1objecttypecode", "record2objecttypecode")
PRIMARY = ("_parentcontactid_value", "_customerid_value")
"""The lookups of an opportunity that lead to a contact."""


class Deals:
    """The opportunities of one environment."""

    def __init__(self, dataverse: Dataverse, shape: Shape) -> None:
        """Take where to ask."""
        self._dataverse, self._shape = dataverse, shape

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """Return opportunities by id, with the version that a writing may ask for."""
        rows = self._where(any_of(["opportunityid"], guids(ids)), fields)
        return {row["opportunityid"]: self._record(row, fields) for row in rows}

    def update(self, changes: Sequence[tuple[Record, Mapping[str, Any]]]) -> list[Written]:
        """Set fields of opportunities, as long as they are as they were read."""
        ops: list[Op] = []
        refused: dict[int, Written] = {}
        for place, (record, values) in enumerate(changes):
            try:
                told = self._shape.written("opportunity", values)
            except NotTakenError as error:
                refused[place] = Written.refused(error)
                continue
            only = {"If-Match": record.etag or "*"}
            ops.append(Op("PATCH", f"opportunities({record.id})", told, only))
        ids = [record.id for place, (record, _) in enumerate(changes) if place not in refused]
        done = iter(self._dataverse.write(ops, lambda place, _: Written(ids[place])))
        return [refused.get(place) or next(done) for place in range(len(changes))]

    def open_of(self, contacts: Sequence[str]) -> dict[str, list[Record]]:
        """Return the open opportunities of contacts: as customer, or as stakeholder."""
        known = guids(contacts)
        parts = self._parts(known)
        asked = (*any_of(PRIMARY, known), *any_of(["opportunityid"], [deal for deal, _ in parts]))
        rows = self._where((f"statecode eq 0 and {one}" for one in asked), ("name",), PRIMARY)
        found: dict[str, dict[str, Record]] = {contact: {} for contact in contacts}
        for row in rows:
            id = row["opportunityid"]
            whose = {str(row.get(one)) for one in PRIMARY}
            whose |= {who for deal, who in parts if deal == id}
            for contact in whose & found.keys():
                found[contact][id] = self._record(row, ("name",))
        return {contact: [*deals.values()] for contact, deals in found.items()}

    def _parts(self, contacts: Sequence[str]) -> set[tuple[str, str]]:
        """Return of which opportunities contacts are stakeholders: pairs of both ids."""
        asked = [
            query("connections", PARTS, f"{_is_deal(here)} and statecode eq 0 and {one}")
            for here, there in ((1, 2), (2, 1))
            for one in any_of([f"_record{there}id_value"], contacts)
        ]
        rows = self._dataverse.rows(asked)
        return {pair for some in rows for row in some for pair in pairs_of(row)}

    def _where(
        self, conditions: Iterable[str], fields: Sequence[str], more: Sequence[str] = ()
    ) -> list[Row]:
        """Return the opportunities for which one of some conditions holds, each once."""
        select = ["opportunityid", "statecode", *fields, *more]
        asked = [query("opportunities", select, one) for one in conditions]
        rows = [row for some in self._dataverse.rows(asked) for row in some]
        return [*{row["opportunityid"]: row for row in rows}.values()]

    def _record(self, row: Row, fields: Sequence[str]) -> Record:
        """Return an opportunity, with choices by our keys."""
        values = {
            name: self._shape.read_value("opportunity", name, row.get(name))
            if name != "name"
            else row.get(name)
            for name in fields
        }
        is_closed = row.get("statecode") != 0
        return Record(row["opportunityid"], values, is_closed, row.get("@odata.etag"))


def _is_deal(side: int) -> str:
    """Return the condition that one side of a connection is an opportunity."""
    return f"record{side}objecttypecode eq {OPPORTUNITY}"


def pairs_of(row: Row) -> Iterator[tuple[str, str]]:
    """
    Yield the opportunity and the other record that a connection joins, whichever comes first.

    >>> row = {"_record1id_value": "c", "_record2id_value": "o", "record2objecttypecode": 3}
    >>> [*pairs_of(row)]
    [('o', 'c')]
    """
    for here, there in ((1, 2), (2, 1)):
        deal, other = row.get(f"_record{here}id_value"), row.get(f"_record{there}id_value")
        if row.get(f"record{here}objecttypecode") == OPPORTUNITY and deal and other:
            yield deal, other
