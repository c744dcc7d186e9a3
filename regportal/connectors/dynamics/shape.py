"""The columns of contacts and opportunities: what Dataverse says of them, and values for them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from regportal.connectors.base import Kind
from regportal.connectors.calls import FINE, said
from regportal.connectors.desk import Field, NotTakenError
from regportal.connectors.dynamics.batches import Op
from regportal.connectors.dynamics.dataverse import Dataverse
from regportal.connectors.dynamics.judging import judged
from regportal.connectors.dynamics.spelling import key_of, label_of, spelled, written
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import Row

TABLES: Mapping[Kind, str] = {"contact": "contact", "opportunity": "opportunity"}
SETS: Mapping[Kind, str] = {"contact": "contacts", "opportunity": "opportunities"}
COMPANY = "company"
"""Our word for the account of a contact, by its name."""
KEY = spelled("regportal_id")
LOOKUPS = frozenset({"Lookup", "Customer", "Owner", "Uniqueidentifier", "Virtual", "EntityName"})
"""Types of columns that hold no value of ours."""
PAUSE = 30.0
"""Seconds between two looks for something that is not there."""
CAST = "Microsoft.Dynamics.CRM.PicklistAttributeMetadata"


@dataclass(frozen=True, slots=True)
class Column:
    """One column as the metadata has it."""

    type: str
    is_writable: bool
    options: Mapping[str, int] = field(default_factory=dict)
    """Of a choice: our key of each option → its value."""


class Shape:
    """The columns of one environment; remembered until something is not among them."""

    def __init__(self, dataverse: Dataverse) -> None:
        """Know nothing yet."""
        self._dataverse = dataverse
        self._known: dict[Kind, Mapping[str, Column]] = {}
        self._looked: dict[Kind, float] = {}
        self.has_key = False
        """Whether contacts have the alternate key by which they are known again."""

    def of(self, kind: Kind) -> Mapping[str, Field]:
        """
        Return which columns such records have now, and ``company`` of a contact.

        Our key counts only with its alternate key: without it two contacts could have the same.
        """
        found = {
            name: Field(
                name,
                is_writable=one.is_writable,
                options=tuple(one.options) if one.type == "Picklist" else None,
            )
            for name, one in self._read(kind).items()
        }
        if kind == "contact":
            found[COMPANY] = Field(COMPANY, is_writable=True)
            if not self.has_key:
                found.pop(KEY, None)
        return found

    def about(self, kind: Kind, name: str) -> Column | None:
        """Return what is known of a column; None: there is no such one."""
        if name not in self._known.get(kind, {}):
            self._again(kind)
        return self._known[kind].get(name)

    def written(self, kind: Kind, values: Mapping[str, Any]) -> dict[str, Any]:
        """
        Return values as Dataverse takes them; raise NotTakenError for an option nobody has.

        What is not known is left to Dataverse to refuse.
        """
        told = {}
        for name, value in values.items():
            column = self.about(kind, name)
            if column is not None and column.type == "Picklist" and value is not None:
                told[name] = self._option(kind, name, value)
            else:
                told[name] = written(value, column.type if column else None)
        return told

    def read_value(self, kind: Kind, name: str, value: Any) -> Any:
        """Return a value that Dataverse gave: of an option its key."""
        column = self.about(kind, name)
        if column is None or column.type != "Picklist" or value is None:
            return value
        return next((key for key, one in column.options.items() if one == value), value)

    def _option(self, kind: Kind, name: str, key: Any) -> int:
        """Return the value of an option; look again where it is not among those we know."""
        if str(key) not in self._known[kind][name].options:
            self._again(kind)
        options = self._known[kind][name].options
        if str(key) in options:
            return options[str(key)]
        raise NotTakenError(Outcome.REJECTED, f"the column {name} has no such option")

    def _again(self, kind: Kind) -> None:
        """Look again where something is missing, unless we looked just now."""
        if kind not in self._known or time.monotonic() - self._looked[kind] > PAUSE:
            self._read(kind)

    def _read(self, kind: Kind) -> Mapping[str, Column]:
        """Ask what the columns are now."""
        about = f"EntityDefinitions(LogicalName='{TABLES[kind]}')"
        asked = "LogicalName,AttributeType,IsValidForUpdate"
        expand = "$expand=OptionSet($select=Options)"
        paths = [
            f"{about}/Attributes?$select={asked}",
            f"{about}/Attributes/{CAST}?$select=LogicalName&{expand}",
            f"{about}/Keys",
        ]
        self._looked[kind] = time.monotonic()
        columns, choices, keys = (_values(one) for one in self._answers(paths))
        options = {one["LogicalName"]: _options(one.get("OptionSet") or {}) for one in choices}
        if kind == "contact":
            self.has_key = any(one.get("KeyAttributes") == [KEY] for one in keys)
        self._known[kind] = {
            one["LogicalName"]: Column(
                one["AttributeType"],
                is_writable=bool(one["IsValidForUpdate"]) and one["AttributeType"] not in LOOKUPS,
                options=options.get(one["LogicalName"], {}),
            )
            for one in columns
        }
        return self._known[kind]

    def _answers(self, paths: list[str]) -> list[Any]:
        """Return the JSON of many readings; raise where one is refused."""
        found = []
        for answer in self._dataverse.all([Op("GET", path) for path in paths]):
            if answer.status not in FINE:
                raise judged(answer)
            found.append(said(answer))
        return found


def _values(told: Any) -> list[Row]:
    """Return the list that metadata is told in; raise NotTakenError where it is none."""
    values = told.get("value") if isinstance(told, dict) else None
    if not isinstance(values, list):
        raise NotTakenError(Outcome.RETRY, "Dynamics answered no metadata")
    return values


def _options(told: Mapping[str, Any]) -> dict[str, int]:
    """
    Return the options of a choice by our keys: their external value, else what people read.

    >>> told = [{"Value": 1, "ExternalValue": "comparison"}, {"Value": 2, "Label": {}}]
    >>> _options(
    ...     {"Options": [*told, {"Value": 3, "Label": {"UserLocalizedLabel": {"Label": "Won"}}}]}
    ... )
    {'comparison': 1, 'won': 3}
    """
    found: dict[str, int] = {}
    for one in told.get("Options") or ():
        key = str(one.get("ExternalValue") or key_of(label_of(one)))
        if key:
            found.setdefault(key, int(one["Value"]))
    return found
