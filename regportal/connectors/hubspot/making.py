"""The properties of HubSpot: which there are, and making those that are missing."""

from collections.abc import Mapping, Sequence
from typing import Any

from regportal.connectors.base import Finding, Kind
from regportal.connectors.desk import Field, FieldPlan, NotTakenError
from regportal.connectors.hubspot.asking import Hub
from regportal.connectors.shapes import Row, among, under
from regportal.errors import UnreachableError

AREA = "crm/properties"
PLURAL: Mapping[Kind, str] = {"contact": "contacts", "opportunity": "deals", "activity": "notes"}
GROUPS = {"contacts": "contactinformation", "deals": "dealinformation", "notes": "engagement"}
TYPES: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "string", "fieldType": "textarea"},
    "moment": {"type": "datetime", "fieldType": "date"},
    "number": {"type": "number", "fieldType": "number"},
    "choice": {"type": "enumeration", "fieldType": "select"},
    "key": {"type": "string", "fieldType": "text", "hasUniqueValue": True},
}


def fields(hub: Hub, kind: Kind) -> dict[str, Field]:
    """Return which properties there are, by name."""
    return {str(one.get("name")): _field(one) for one in hub.kept(AREA, PLURAL[kind])}


def _field(about: Row) -> Field:
    """Return a property by what HubSpot says about it."""
    limits = under(about, "modificationMetadata")
    options = among(about, "options") if about.get("type") == "enumeration" else None
    return Field(
        str(about.get("name")),
        is_writable=limits.get("readOnlyValue") is not True,
        options=None if options is None else tuple(str(one.get("value")) for one in options),
    )


def make(hub: Hub, plan: Sequence[FieldPlan]) -> list[Finding]:
    """Make properties, and options that a choice lacks; say of each what became of it."""
    hub.forget_kept()
    found = [_made(hub, field) for field in plan]
    hub.forget_kept()
    return found


def _made(hub: Hub, plan: FieldPlan) -> Finding:
    """Make one property, or widen it."""
    about, kind = f"{plan.kind}.{plan.name}", PLURAL[plan.kind]
    there = next((one for one in hub.kept(AREA, kind) if one.get("name") == plan.name), None)
    try:
        if there is None:
            told = {
                "groupName": GROUPS[kind],
                "name": plan.name,
                "label": plan.label,
                **TYPES[plan.type],
            }
            more = {"options": _options((), plan)} if plan.options else {}
            hub.answer("POST", hub.path(AREA, kind), told | more)
            return Finding(about, fine=True, says="made")
        wider = {"options": _options(among(there, "options"), plan)}
        hub.answer("PATCH", hub.path(AREA, f"{kind}/{plan.name}"), wider)
    except (NotTakenError, UnreachableError) as error:
        return Finding(about, fine=False, says=str(error))
    return Finding(about, fine=True, says="has its options now")


def _options(there: Sequence[Row], plan: FieldPlan) -> list[dict[str, Any]]:
    """Return the options that there are, as they are called there, and those that are missing."""
    known = {str(one.get("value")) for one in there}
    kept = [dict(one) for one in there]
    new = [(value, label) for value, label in plan.options.items() if value not in known]
    return kept + [
        {"value": value, "label": label, "displayOrder": place, "hidden": False}
        for place, (value, label) in enumerate(new, start=len(kept))
    ]
