"""Which record a URL means: a table, and an id or the values of an alternate key."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from regportal.sandbox.dynamics.payload import GUID
from regportal.sandbox.dynamics.records import Records, Row
from regportal.sandbox.dynamics.refusals import NO_KEY, NO_SET, QUERY, RefusedError, missing
from regportal.sandbox.dynamics.schema import LOOKUPS, NUMBERS, Table

SEGMENT = re.compile(r"([A-Za-z_$][\w.$]*)(\((?:[^()']|'(?:[^']|'')*')*\))?")
PAIR = re.compile(r"\s*(\w+)\s*=\s*('(?:[^']|'')*'|[^',\s]+)\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a path: a name, and what stands in brackets after it."""

    name: str
    inside: str | None = None


@dataclass(frozen=True, slots=True)
class Meant:
    """The record that a key means, whether it is there or not."""

    table: Table
    id: str | None
    key: Mapping[str, Any]
    """The values of an alternate key; none where it is meant by its id."""
    row: Row | None

    def there(self) -> Row:
        """Return the record; raise RefusedError where there is none."""
        if self.row is not None:
            return self.row
        if self.id is not None:
            raise missing(self.table.name, self.id)
        says = f"A record with the specified key values does not exist in {self.table.name} entity"
        raise RefusedError(404, NO_KEY, says)


def split(url: str, root: str) -> tuple[list[Segment], dict[str, str]]:
    """
    Return the segments of a URL below the API's path, and its query.

    >>> split("/api/data/v9.2/contacts(a_id='x/''y')?$select=name", "/api/data/v9.2/")
    ([Segment(name='contacts', inside="a_id='x/''y'")], {'$select': 'name'})
    """
    parts = urlsplit(url)
    path = unquote(parts.path)
    path = path.partition(root)[2] if root in path else path.lstrip("/")
    segments, place = [], 0
    while place < len(path):
        found = SEGMENT.match(path, place)
        if found is None or path[found.end() : found.end() + 1] not in {"", "/"}:
            raise RefusedError(400, QUERY, f"Resource not found for the segment '{path[place:]}'.")
        inside = None if found[2] is None else found[2][1:-1]
        segments.append(Segment(found[1], inside))
        place = found.end() + 1
    return segments, dict(parse_qsl(parts.query, keep_blank_values=True))


def table_of(records: Records, entity_set: str) -> Table:
    """Return the table of an entity set; raise RefusedError where there is none."""
    for table in records.tables.values():
        if table.entity_set == entity_set:
            return table
    says = f"Resource not found for the segment '{entity_set}'."
    raise RefusedError(404, NO_SET, says)


def meant(records: Records, table: Table, inside: str) -> Meant:
    """Return the record that what stands in brackets means; raise RefusedError."""
    if GUID.fullmatch(inside):
        return Meant(table, inside.lower(), {}, records.rows[table.name].get(inside.lower()))
    key = dict(_pairs(records, table, inside))
    if {*key} == {table.id}:
        return meant(records, table, str(key[table.id]))
    return Meant(table, None, key, records.by_key(table.name, key))


def _pairs(records: Records, table: Table, inside: str) -> Sequence[tuple[str, Any]]:
    """Return the names and values of a key."""
    pairs, place = [], 0
    while place < len(inside):
        found = PAIR.match(inside, place)
        if found is None:
            raise RefusedError(400, QUERY, f"Bad key '({inside})' for '{table.entity_set}'.")
        pairs.append((found[1], _value(records, table, found[1], found[2])))
        place = found.end()
    return pairs


def _value(records: Records, table: Table, name: str, text: str) -> Any:
    """Return the value of a part of a key."""
    column = table.by_property(name)
    if column is None:
        raise RefusedError(400, QUERY, f"'{name}' is no property of '{table.name}'.")
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if column.type in NUMBERS or column.type == "Picklist":
        return float(text) if "." in text else int(text)
    if column.type in LOOKUPS:
        target = next(iter(column.navigations.values()))
        return target, meant(records, records.tables[target], text).id
    return text
