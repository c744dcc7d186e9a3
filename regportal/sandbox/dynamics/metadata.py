"""Metadata: what is told of tables, and how columns, options and keys are made."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from regportal.sandbox.dynamics.filters import holds
from regportal.sandbox.dynamics.records import Records
from regportal.sandbox.dynamics.refusals import (
    ARGUMENT,
    MISSING,
    TAKEN,
    RefusedError,
    invalid,
    unknown_property,
)
from regportal.sandbox.dynamics.schema import Column, Key, Option, Table, new_id

LANGUAGE = 1033
LONGEST = {"String": 100, "Memo": 2000}
NAME = re.compile(r"([A-Za-z][A-Za-z0-9]{1,7})_[A-Za-z]\w{0,40}")
"""Of a column or key of a customer's: its publisher's prefix comes first."""
CAST = "Microsoft.Dynamics.CRM."
Query = Mapping[str, str]
Json = dict[str, Any]


class Metadata:
    """The metadata of one environment."""

    def __init__(self, records: Records, base: str) -> None:
        """Take the tables, and where the API is."""
        self._records, self._base = records, base

    # --- tables ---

    def table(self, segment: str) -> Table:
        """Return the table that a segment names: by its logical name, or its metadata id."""
        name = re.fullmatch(r"LogicalName='([^']*)'", segment)
        for one in self._records.tables.values():
            if one.metadata_id == segment or (name and one.name == name[1]):
                return one
        says = f"Could not find an entity with name {name[1] if name else segment}"
        raise RefusedError(404, MISSING, says)

    def tables(self, query: Query) -> Json:
        """Return the tables that a query asks for."""
        return self._listed("EntityDefinitions", map(shown_table, self._all()), query)

    def make_tables(self, body: Json) -> Json:
        """Make tables."""
        for told in body.get("Entities", ()):
            schema = self._new_name(str(told.get("SchemaName")), self._records.tables)
            columns = {}
            for one in told.get("Attributes", ()):
                made = self._column(one, {})
                columns[made.name] = made
            title = next(
                str(one["SchemaName"]).lower()
                for one in told["Attributes"]
                if one.get("IsPrimaryName")
            )
            name = schema.lower()
            made_table = Table(name, f"{name}s", title, 10_000, columns, schema, is_custom=True)
            self._records.tables[name] = made_table
            self._records.rows[name] = {}
        return {}

    def drop_table(self, table: Table) -> None:
        """Delete a table and its records."""
        if not table.is_custom:
            raise RefusedError(403, "0x8004f01f", f"The table '{table.name}' cannot be deleted.")
        del self._records.tables[table.name], self._records.rows[table.name]

    def _all(self) -> Sequence[Table]:
        """Return all tables."""
        return [*self._records.tables.values()]

    # --- columns ---

    def columns(self, table: Table, cast: str, query: Query) -> Json:
        """Return the columns of a table; with a cast those of one type, and all of them."""
        kind = cast.removeprefix(CAST).removesuffix("AttributeMetadata")
        wanted = [one for one in table.columns.values() if not cast or one.type == kind]
        shown = [shown_column(one, is_whole=bool(cast)) for one in wanted]
        about = f"EntityDefinitions('{table.name}')/Attributes"
        return self._listed(about, shown, query, expands=bool(cast))

    def column(self, table: Table, segment: str) -> Column:
        """Return a column by its logical name, or its metadata id."""
        name = re.fullmatch(r"LogicalName='([^']*)'", segment)
        for one in table.columns.values():
            if one.metadata_id == segment or (name and one.name == name[1]):
                return one
        says = f"Could not find an attribute with {segment} for entity {table.name}"
        raise RefusedError(404, MISSING, says)

    def make_column(self, table: Table, body: Json) -> str:
        """Make a column of a table; return its metadata id."""
        column = self._column(body, table.columns)
        table.columns[column.name] = column
        for row in self._records.rows[table.name].values():
            row[column.name] = None
        return column.metadata_id

    def change_column(self, column: Column, body: Json) -> None:
        """Let a column be as it is told."""
        column.label = _label(body.get("DisplayName")) or column.label
        column.longest = body.get("MaxLength", column.longest)
        column.low = body.get("MinValue", column.low)
        column.high = body.get("MaxValue", column.high)
        column.required = body.get("RequiredLevel", {}).get("Value", column.required)

    def drop_column(self, table: Table, column: Column) -> None:
        """Delete a column and what it held."""
        if not column.is_custom:
            raise RefusedError(403, "0x8004f01f", f"'{column.name}' cannot be deleted.")
        del table.columns[column.name]
        for row in self._records.rows[table.name].values():
            del row[column.name]

    def _column(self, body: Json, there: Mapping[str, Any]) -> Column:
        """Return a new column."""
        kind = str(body.get("@odata.type", "")).lstrip("#").removeprefix(CAST)
        kind = kind.removeprefix("Complex").removesuffix("AttributeMetadata")
        if kind not in {
            *("String", "Memo", "Integer", "Decimal", "Double", "Money"),
            *("Boolean", "DateTime", "Picklist"),
        }:
            raise RefusedError(400, ARGUMENT, f"The attribute type '{kind}' is not supported.")
        schema = self._new_name(str(body.get("SchemaName")), there)
        column = Column(schema.lower(), kind, schema, _label(body.get("DisplayName")))
        column.is_custom = True
        column.longest = body.get("MaxLength", LONGEST.get(kind))
        column.format = body.get("Format")
        column.low, column.high = body.get("MinValue"), body.get("MaxValue")
        column.precision = body.get("Precision")
        column.required = body.get("RequiredLevel", {}).get("Value", "None")
        options = body.get("OptionSet", {})
        column.options = [_option(one) for one in options.get("Options", ())]
        if kind == "Boolean":
            column.options = [_option(options[one]) for one in ("FalseOption", "TrueOption")]
        return column

    def _new_name(self, schema: str, there: Mapping[str, Any]) -> str:
        """Return the name of something new; it begins with the prefix of a publisher."""
        found = NAME.fullmatch(schema)
        prefixes = {
            str(row["customizationprefix"]).lower()
            for row in self._records.rows["publisher"].values()
        }
        if found is None or found[1].lower() not in prefixes:
            says = f"The schema name '{schema}' does not begin with the prefix of a publisher."
            raise RefusedError(400, "0x8004f026", says)
        if schema.lower() in there:
            raise RefusedError(400, TAKEN, f"An attribute or table {schema} already exists.")
        return schema

    def add_option(self, body: Json) -> int:
        """Add an option to a choice; return its value."""
        table = self.table(f"LogicalName='{body.get('EntityLogicalName')}'")
        column = self.column(table, f"LogicalName='{body.get('AttributeLogicalName')}'")
        values = [one.value for one in column.options]
        value = body.get("Value")
        value = max([*values, 99_999_999]) + 1 if value is None else int(value)
        if value in values:
            raise invalid(f"The value {value} is there already.")
        column.options.append(Option(value, _label(body.get("Label")), body.get("ExternalValue")))
        return value

    # --- alternate keys ---

    def keys(self, table: Table) -> Json:
        """Return the alternate keys of a table."""
        return {"value": [_shown_key(table, key) for key in table.keys]}

    def make_key(self, table: Table, body: Json) -> str:
        """Make an alternate key; its index is made in the background."""
        schema = self._new_name(
            str(body.get("SchemaName")), {key.name.lower(): 1 for key in table.keys}
        )
        columns = tuple(str(one) for one in body.get("KeyAttributes", ()))
        for name in columns:
            self.column(table, f"LogicalName='{name}'")
        key = Key(schema, columns)
        table.keys.append(key)
        self._records.jobs.append(lambda: setattr(key, "status", "Active"))
        return key.metadata_id

    def drop_key(self, table: Table, segment: str) -> None:
        """Delete an alternate key."""
        table.keys = [key for key in table.keys if key.metadata_id != segment]

    # --- inside ---

    def _listed(self, about: str, found: Any, query: Query, *, expands: bool = False) -> Json:
        """Return those of a list that a query asks for, with the properties it names."""
        rows = [*found]
        if "$filter" in query:
            rows = [*filter(holds(query["$filter"], _getter), rows)]
        names = [one for one in query.get("$select", "").split(",") if one]
        if names and rows:
            for name in names:
                if name not in rows[0]:
                    raise unknown_property("EntityMetadata", name)
            kept = {*names, "MetadataId", "@odata.type"} | ({"OptionSet"} if expands else set())
            rows = [{name: row[name] for name in row if name in kept} for row in rows]
        return {"@odata.context": f"{self._base}/$metadata#{about}", "value": rows}


def _getter(name: str) -> Callable[[Json], Any]:
    """Return how a filter reads a property of metadata, also ``IsCustomizable/Value``."""

    def get(row: Json) -> Any:
        value: Any = row
        for part in name.split("/"):
            if not isinstance(value, dict) or part not in value:
                raise unknown_property("EntityMetadata", name)
            value = value[part]
        return value

    return get


def shown_table(table: Table) -> Json:
    """Return what is told of a table."""
    return {
        "MetadataId": table.metadata_id,
        "LogicalName": table.name,
        "SchemaName": table.schema,
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.entity_set,
        "PrimaryIdAttribute": table.id,
        "PrimaryNameAttribute": table.title,
        "ObjectTypeCode": table.code,
        "IsPrivate": False,
        "IsCustomEntity": table.is_custom,
        "ChangeTrackingEnabled": table.is_tracked,
        "IsOptimisticConcurrencyEnabled": True,
        "DisplayName": _labelled(table.schema),
    }


def shown_column(column: Column, *, is_whole: bool = False) -> Json:
    """Return what is told of a column; what only its type has where it is asked for whole."""
    shown: Json = {
        "@odata.type": f"#{CAST}{column.type}AttributeMetadata",
        "MetadataId": column.metadata_id,
        "LogicalName": column.name,
        "SchemaName": column.schema or column.name,
        "AttributeType": column.type,
        "AttributeTypeName": {"Value": f"{column.type}Type"},
        "IsCustomAttribute": column.is_custom,
        "IsValidForCreate": column.is_writable,
        "IsValidForUpdate": column.is_writable and column.type != "Uniqueidentifier",
        "IsValidForRead": True,
        "RequiredLevel": {"Value": column.required},
        "DisplayName": _labelled(column.label),
    }
    if is_whole:
        shown |= dict(_of_type(column))
    return shown


def _of_type(column: Column) -> Iterator[tuple[str, Any]]:
    """Yield what only columns of this type have."""
    if column.type in {"String", "Memo"}:
        yield "MaxLength", column.longest
    if column.type in {"Integer", "Decimal", "Double", "Money"}:
        yield "MinValue", column.low
        yield "MaxValue", column.high
    if column.type in {"Picklist", "State", "Status"}:
        options = [_shown_option(one) for one in column.options]
        yield "OptionSet", {"MetadataId": new_id(), "IsGlobal": False, "Options": options}


def _shown_option(option: Option) -> Json:
    """Return what is told of an option."""
    return {
        "Value": option.value,
        "Label": _labelled(option.label),
        "ExternalValue": option.external,
        "IsManaged": False,
    }


def _shown_key(table: Table, key: Key) -> Json:
    """Return what is told of an alternate key."""
    return {
        "MetadataId": key.metadata_id,
        "SchemaName": key.name,
        "LogicalName": key.name.lower(),
        "EntityLogicalName": table.name,
        "KeyAttributes": [*key.columns],
        "EntityKeyIndexStatus": key.status,
    }


def _labelled(text: str) -> Json:
    """Return a text as what people read, in the language of the environment."""
    label = {"Label": text, "LanguageCode": LANGUAGE, "IsManaged": False}
    return {
        "LocalizedLabels": [label] if text else [],
        "UserLocalizedLabel": label if text else None,
    }


def _label(told: Any) -> str:
    """Return what people read, of a label as it is told."""
    labels = told.get("LocalizedLabels") if isinstance(told, dict) else None
    return str(labels[0].get("Label", "")) if labels else ""


def _option(told: Json) -> Option:
    """Return an option as it is told."""
    return Option(int(told["Value"]), _label(told.get("Label")), told.get("ExternalValue"))
