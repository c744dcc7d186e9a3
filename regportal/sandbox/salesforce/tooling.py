"""Fields that are made by a call: as much of the Tooling API as that needs."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from regportal.sandbox.salesforce.calls import Call, Said
from regportal.sandbox.salesforce.objects import Field
from regportal.sandbox.salesforce.refusals import RefusedError

if TYPE_CHECKING:
    from regportal.sandbox.salesforce.api import Api

NAME = re.compile(r"([A-Za-z][A-Za-z0-9]*)\.([A-Za-z][A-Za-z0-9_]*__c)")
TYPES = {
    "Text": "string",
    "Number": "double",
    "DateTime": "datetime",
    "Picklist": "picklist",
    "Checkbox": "boolean",
    "LongTextArea": "textarea",
}
ACTIVITY = ("Task", "Event")
"""What has the fields of the object Activity."""


def create(api: "Api", call: Call, _: Sequence[str]) -> Said:
    """Make a field; nobody sees it until a permission set says so."""
    told = call.told if isinstance(call.told, dict) else {}
    named = NAME.fullmatch(str(told.get("FullName")))
    metadata = told.get("Metadata")
    if named is None or not isinstance(metadata, dict):
        raise RefusedError("INVALID_FIELD", "FullName and Metadata are needed")
    field = made(named[2], metadata)
    for kind in ACTIVITY if named[1] == "Activity" else (named[1],):
        api.org.add_field(kind, field, is_visible=False)
    body = {"id": "00NRp0000000001AAA", "success": True, "errors": [], "warnings": []}
    return Said(201, {**body, "infos": []})


def made(name: str, told: Mapping[str, Any]) -> Field:
    """Return the field that metadata tell of."""
    kind = told.get("type")
    if kind not in TYPES or not told.get("label"):
        raise RefusedError("FIELD_INTEGRITY_EXCEPTION", "a type and a label are needed")
    if kind == "Text" and not isinstance(told.get("length"), int):
        raise RefusedError("FIELD_INTEGRITY_EXCEPTION", "Must specify 'length' for a CustomField")
    if kind == "Number" and not {"precision", "scale"} <= told.keys():
        raise RefusedError("FIELD_INTEGRITY_EXCEPTION", "Must specify 'precision' and 'scale'")
    values = told.get("valueSet") or {}
    options = (values.get("valueSetDefinition") or {}).get("value", [])
    flags = "CUN" + ("D" if kind == "Checkbox" else "")
    flags += "R" if values.get("restricted") else ""
    flags += "E" if told.get("externalId") else ""
    flags += "L" if told.get("externalId") else ""
    flags += "Q" if told.get("unique") else ""
    flags += "X" if kind == "LongTextArea" else ""
    return Field(
        name,
        TYPES[kind],
        told.get("length") or 0,
        flags,
        options=tuple(one["fullName"] for one in options),
        label=str(told["label"]),
    )
