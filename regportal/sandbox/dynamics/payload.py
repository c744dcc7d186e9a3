"""What is written into a record: the JSON of a body, read column by column as its type asks."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from regportal.sandbox.dynamics.records import Records
from regportal.sandbox.dynamics.refusals import RefusedError, bad_payload, invalid
from regportal.sandbox.dynamics.schema import NUMBERS, Column, Table

GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
BIND = "@odata.bind"
EDM = {
    "String": "Edm.String",
    "Memo": "Edm.String",
    "Boolean": "Edm.Boolean",
    "DateTime": "Edm.DateTimeOffset",
    "Uniqueidentifier": "Edm.Guid",
    "Integer": "Edm.Int32",
    "BigInt": "Edm.Int64",
    "Picklist": "Edm.Int32",
    "State": "Edm.Int32",
    "Status": "Edm.Int32",
    "Double": "Edm.Double",
}
Named = Callable[[str], tuple[str, str]]
"""Returns the table and the id of what a path leads to."""


def columns_of(
    records: Records, table: Table, body: Mapping[str, Any], named: Named
) -> dict[str, Any]:
    """Return what a body writes, by column; raise RefusedError with what is wrong."""
    written: dict[str, Any] = {}
    for name, value in body.items():
        if name.endswith(BIND):
            column, target = _bound(table, name.removesuffix(BIND))
            written[column.name] = None if value is None else _led(records, named, value, target)
        elif name.startswith("@odata.") or "@" in name:
            continue
        else:
            column = _column(table, name)
            if value is None and table.navigation(name) is not None:
                written[column.name] = None
            elif column.name != table.id:
                written[column.name] = None if value is None else _value(table, column, value)
    return written


def _column(table: Table, name: str) -> Column:
    """Return the column that a property writes."""
    column = table.by_property(name)
    found = table.navigation(name)
    if column is None and found is not None:
        column = found[0]
    if column is None or name.startswith("_"):
        says = "Microsoft.OData.ODataException: The property "
        says += f"'{name}' does not exist on type 'Microsoft.Dynamics.CRM.{table.name}'. Make sure "
        says += "to only use property names that are defined by the type."
        raise bad_payload(table.entity_set, says)
    return column


def _bound(table: Table, name: str) -> tuple[Column, str]:
    """Return the lookup that a navigation property binds."""
    found = table.navigation(name)
    if found is None:
        says = f"An undeclared property '{name}' which only has property annotations in the payload"
        raise bad_payload(table.entity_set, f"Microsoft.OData.ODataException: {says} was found.")
    return found


def _led(records: Records, named: Named, path: Any, target: str) -> tuple[str, str]:
    """Return where a lookup leads."""
    table, id = named(str(path))
    if table != target:
        raise RefusedError(400, "0x80048d19", f"'{path}' is no record of '{target}'.")
    return table, records.row(table, id)[records.tables[table].id]


def _value(table: Table, column: Column, value: Any) -> Any:
    """Return a value as it is kept; raise RefusedError where the column does not take it."""
    if column.type in {"Picklist", "State", "Status"}:
        return _chosen(table, column, value)
    if column.type == "Boolean":
        return _typed(table, column, value, bool)
    if column.type in NUMBERS:
        return _number(table, column, value)
    if column.type == "DateTime":
        return _moment(table, column, value)
    text = str(_typed(table, column, value, str))
    if column.type == "Uniqueidentifier" and not GUID.fullmatch(text):
        raise _unfit(table, column, value)
    if column.longest is not None and len(text) > column.longest:
        says = f"The length of the '{column.name}' attribute of the '{table.name}' entity exceeded "
        raise invalid(f"{says}the maximum allowed length of '{column.longest}'.")
    return text or None


def _chosen(table: Table, column: Column, value: Any) -> int:
    """Return a value of a choice."""
    number = int(_typed(table, column, value, int))
    values = [one.value for one in column.options]
    if number not in values:
        says = f"The value {number} of '{column.name}' on record of type '{table.name}' is outside "
        says += f"the valid range. Accepted Values: {','.join(map(str, values))}"
        raise invalid(says)
    return number


def _number(table: Table, column: Column, value: Any) -> float:
    """Return a number."""
    kinds = int if column.type in {"Integer", "BigInt"} else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise _unfit(table, column, value)
    if not (column.low or -1e11) <= value <= (column.high or 1e11):
        raise invalid(f"The value of '{column.name}' on '{table.name}' is outside the valid range.")
    return value


def _moment(table: Table, column: Column, value: Any) -> str:
    """Return a moment, or a day, as it is kept: whole seconds of UTC."""
    text = str(_typed(table, column, value, str))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _unfit(table, column, value) from None
    if column.format == "DateOnly" or column.name == "estimatedclosedate":
        return f"{at:%Y-%m-%d}"
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _typed(table: Table, column: Column, value: Any, kind: type) -> Any:
    """Return a value if it is of a kind."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _unfit(table, column, value)
    return value


def _unfit(table: Table, column: Column, value: Any) -> RefusedError:
    """Return that a value is of another type."""
    edm = EDM.get(column.type, "Edm.Decimal")
    says = f"Microsoft.OData.ODataException: Cannot convert the literal '{value}' to the expected "
    return bad_payload(table.entity_set, f"{says}type '{edm}'.")
