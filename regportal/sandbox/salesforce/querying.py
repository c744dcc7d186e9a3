"""Answering SOQL from the records of an org."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Protocol

from regportal.sandbox.salesforce.ids import whole
from regportal.sandbox.salesforce.objects import Field, SObject
from regportal.sandbox.salesforce.refusals import RefusedError
from regportal.sandbox.salesforce.soql import (
    Both,
    Compare,
    Count,
    Kinds,
    Not,
    Path,
    Query,
    pointed,
    read,
)
from regportal.sandbox.salesforce.values import shown

Row = dict[str, Any]
UNSUPPORTED = (
    "sObject type '{0}' is not supported. If you are attempting to use a custom object, be sure to"
    " append the '__c' after the entity name. Please reference your WSDL or the describe call for"
    " the appropriate names."
)
NO_COLUMN = (
    "No such column '{0}' on entity '{1}'. If you are attempting to use a custom field, be sure to"
    " append the '__c' after the custom field name. Please reference your WSDL or the describe call"
    " for the appropriate names."
)


class Records(Protocol):
    """What is asked."""

    objects: dict[str, SObject]

    def rows(self, entity: str) -> Iterable[Row]:
        """Return all records of a kind, the deleted ones among them."""

    def row(self, id: str) -> tuple[str, Row] | None:
        """Return a record, and of which kind it is."""

    def at(self, entity: str, id: str) -> str:
        """Return where a record is to be had."""


class Answering:
    """Answers sentences; ``all_rows``: also from what is deleted."""

    def __init__(self, records: Records, *, all_rows: bool = False) -> None:
        """Take the records."""
        self._records, self._all = records, all_rows
        self._text = ""

    def ask(self, text: str) -> tuple[int, list[Row]]:
        """Return how many there are, and what was asked of them; raise RefusedError."""
        self._text = text
        query = read(text)
        entity = self._entity(query.entity, query.entity_at)
        rows = self._found(query, entity)
        if len(query.select) == 1 and isinstance(query.select[0], Count):
            path = query.select[0].path
            if path is None:
                return len(rows), []
            many = sum(self._value(row, entity, path) is not None for row in rows)
            return 1, [{"attributes": {"type": "AggregateResult"}, "expr0": many}]
        return len(rows), [self._shown(row, entity, query.select) for row in rows]

    # --- which ---

    def _found(self, query: Query, entity: SObject) -> list[Row]:
        """Return the records that a sentence means, in its order."""
        self._checked(entity, query)
        rows = [
            row
            for row in self._records.rows(entity.name)
            if (self._all or not row.get("IsDeleted"))
            and (query.where is None or self._holds(row, entity, query.where))
        ]
        for order in reversed(query.order):
            path, last = order.path, order.nulls_last
            there = [row for row in rows if self._value(row, entity, path) is not None]
            none = [row for row in rows if self._value(row, entity, path) is None]
            there.sort(
                key=lambda row: _sorts(self._value(row, entity, path)),
                reverse=order.is_descending,
            )
            rows = [*there, *none] if last else [*none, *there]
        return rows[query.offset : query.offset + query.limit]

    def _checked(self, entity: SObject, query: Query) -> None:
        """Complain of fields that are not there, also where no record would need them."""
        for one in query.select:
            if isinstance(one, Path):
                self._field(entity, one)
        for order in query.order:
            self._field(entity, order.path)
        self._conditions(entity, query.where)

    def _conditions(self, entity: SObject, part: Any) -> None:
        """Complain of conditions on fields that are not there, or cannot be asked for."""
        match part:
            case Both():
                for one in part.parts:
                    self._conditions(entity, one)
            case Not():
                self._conditions(entity, part.part)
            case Compare():
                field = self._field(entity, part.path)
                if field.has("X"):
                    message = f"field '{field.name}' can not be filtered in a query call"
                    raise pointed(self._text, part.path.at, message, "INVALID_FIELD")
                self._ids(field, part.value)

    def _ids(self, field: Field, value: Any) -> None:
        """Complain of ids that are none."""
        values = value if isinstance(value, tuple) else (value,)
        if field.type not in {"id", "reference"} or isinstance(value, Query):
            return
        for one in values:
            if one is not None and (not isinstance(one, str) or whole(one) is None):
                message = f"invalid ID field: {one}"
                raise RefusedError("INVALID_QUERY_FILTER_OPERATOR", message)

    def _holds(self, row: Row, entity: SObject, part: Any) -> bool:
        """Return whether a condition holds for a record."""
        match part:
            case Both():
                every = all if part.word == "AND" else any
                return every(self._holds(row, entity, one) for one in part.parts)
            case Not():
                return not self._holds(row, entity, part.part)
        field = self._field(entity, part.path)
        there = self._value(row, entity, part.path)
        if part.sign == "in":
            wanted = self._semi(part.value) if isinstance(part.value, Query) else part.value
            return any(_same(field, there, one) for one in wanted)
        if part.sign == "like":
            return there is not None and _like(str(there), part.value)
        if part.sign in {"=", "!="}:
            return _same(field, there, part.value) is (part.sign == "=")
        return _ordered(part.sign, there, part.value)

    def _semi(self, inner: Query) -> list[Any]:
        """Return the values that an inner sentence finds."""
        entity = self._entity(inner.entity, inner.entity_at)
        (path,) = inner.select
        return [self._value(row, entity, path) for row in self._found(inner, entity)]

    # --- what of it ---

    def _shown(self, row: Row, entity: SObject, select: Sequence[Any]) -> Row:
        """Return what is asked of a record, as JSON has it."""
        told: Row = {"attributes": self._attributes(entity.name, row)}
        for one in select:
            match one:
                case Path() if len(one.names) == 1:
                    field = self._field(entity, one)
                    told[field.name] = shown(row.get(field.name))
                case Path():
                    self._beside(told, row, entity, one)
                case Query():
                    told |= self._children(row, entity, one)
                case Kinds():
                    told |= self._by_kind(row, entity, one)
        return told

    def _attributes(self, entity: str, row: Row) -> Row:
        """Return what stands before every record."""
        return {"type": entity, "url": self._records.at(entity, row["Id"])}

    def _beside(self, told: Row, row: Row, entity: SObject, path: Path) -> None:
        """Tell a field of a record that this one leads to."""
        by = entity.relation(path.names[0])
        if by is None:
            if path.names[0].casefold() == entity.name.casefold():  # Contact.Email FROM Contact
                told |= self._shown(row, entity, [Path(path.names[1:], path.at)])
                return
            raise self._no_column(path, entity)
        found = self._records.row(row.get(by.name) or "")
        name = str(by.relationship)
        if found is None:
            told[name] = None
            return
        kind, other = found
        rest = Path(path.names[1:], path.at)
        more = self._shown(other, self._records.objects[kind], [rest])
        told[name] = _merged(told.get(name) or {}, more)

    def _children(self, row: Row, entity: SObject, inner: Query) -> Row:
        """Tell the records that refer to this one."""
        names = {name.casefold(): name for name in entity.children}
        name = names.get(inner.entity.casefold())
        if name is None:
            message = f"Didn't understand relationship '{inner.entity}' in FROM part of query call."
            raise pointed(self._text, inner.entity_at, message, "INVALID_TYPE")
        kind, by = entity.children[name]
        child = self._records.objects[kind]
        rows = [one for one in self._found(inner, child) if one.get(by) == row["Id"]]
        if not rows:
            return {name: None}
        shown_ = [self._shown(one, child, inner.select) for one in rows]
        return {name: {"totalSize": len(rows), "done": True, "records": shown_}}

    def _by_kind(self, row: Row, entity: SObject, kinds: Kinds) -> Row:
        """Tell of the record this one leads to what is asked of its kind."""
        by = entity.relation(kinds.relation)
        if by is None:
            raise self._no_column(Path((kinds.relation,)), entity)
        found = self._records.row(row.get(by.name) or "")
        if found is None:
            return {str(by.relationship): None}
        kind, other = found
        asked = dict(kinds.whens).get(kind, kinds.otherwise)
        return {str(by.relationship): self._shown(other, self._records.objects[kind], asked)}

    # --- names ---

    def _entity(self, name: str, at: int) -> SObject:
        """Return the object of a name."""
        for one in self._records.objects.values():
            if one.name.casefold() == name.casefold():
                return one
        raise pointed(self._text, at, UNSUPPORTED.format(name), "INVALID_TYPE")

    def _field(self, entity: SObject, path: Path) -> Field:
        """Return the field at the end of a path."""
        here = entity
        names = path.names
        if len(names) > 1 and names[0].casefold() == entity.name.casefold():
            names = names[1:] if entity.relation(names[0]) is None else names
        for name in names[:-1]:
            by = here.relation(name)
            kinds = [one for one in by.refers_to if one in self._records.objects] if by else []
            if not kinds:
                raise self._no_column(path, here)
            here = self._records.objects["User" if len(kinds) > 1 else kinds[0]]
        field = here.find(names[-1])
        if field is None:
            raise self._no_column(path, here)
        return field

    def _no_column(self, path: Path, entity: SObject) -> RefusedError:
        """Return that there is no such field."""
        message = NO_COLUMN.format(path.names[-1], entity.name)
        return pointed(self._text, path.at, message, "INVALID_FIELD")

    def _value(self, row: Row, entity: SObject, path: Path) -> Any:
        """Return what a record says at the end of a path."""
        names = path.names
        if len(names) > 1 and entity.relation(names[0]) is None:
            names = names[1:]
        for name in names[:-1]:
            by = entity.relation(name)
            found = self._records.row(row.get(by.name) or "") if by else None
            if found is None:
                return None
            entity, row = self._records.objects[found[0]], found[1]
        field = entity.find(names[-1])
        return None if field is None else row.get(field.name)


def _same(field: Field, there: Any, value: Any) -> bool:
    """Return whether two values are the same: case does not matter in texts, only in ids."""
    if field.type in {"id", "reference"} and isinstance(value, str):
        return bool(there == whole(value))
    if isinstance(there, str) and isinstance(value, str):
        return there.casefold() == value.casefold()
    if isinstance(there, datetime) and type(value) is date:
        return there.date() == value
    return bool(there == (value or None if isinstance(value, str) else value))


def _ordered(sign: str, there: Any, value: Any) -> bool:
    """Return whether a value is less or more than another."""
    if there is None or value is None:
        return False
    if isinstance(there, datetime) and type(value) is date:
        there = there.date()
    if isinstance(there, str) is not isinstance(value, str):
        raise RefusedError("INVALID_FIELD", "value of filter criterion is of another type")
    less, same = bool(_sorts(there) < _sorts(value)), bool(_sorts(there) == _sorts(value))
    return {"<": less, "<=": less or same, ">": not less and not same, ">=": not less}[sign]


def _sorts(value: Any) -> Any:
    """Return by what a value is sorted."""
    return value.casefold() if isinstance(value, str) else value


def _like(there: str, pattern: str) -> bool:
    """Return whether a text fits a pattern: % any letters, _ one; with a backslash themselves."""
    wild = {"%": ".*", "_": "."}
    pieces = re.findall(r"\\[_%]|.", pattern, flags=re.DOTALL)
    expression = "".join(
        wild.get(one) or re.escape(one[1:] if one[:1] == "\\" and len(one) > 1 else one)
        for one in pieces
    )
    return re.fullmatch(expression, there, flags=re.IGNORECASE | re.DOTALL) is not None


def _merged(first: Row, second: Row) -> Row:
    """Return what both say of one record, and of those that it leads to."""
    both = dict(first)
    for name, value in second.items():
        before = both.get(name)
        is_deep = isinstance(before, dict) and isinstance(value, dict)
        both[name] = _merged(before, value) if is_deep else value  # type: ignore[arg-type] # both
    return both
