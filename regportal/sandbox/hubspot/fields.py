"""Calls about fields, pipelines and owners."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from regportal.sandbox.hubspot.answering import kind_of, sent, the_account
from regportal.sandbox.hubspot.refusing import RefusedError, invalid
from regportal.sandbox.hubspot.shape import PIPELINE, STAGES, Property

bp = Blueprint("fields", __name__)


@bp.get("/crm/properties/<version>/<name>")
def properties(version: str, name: str) -> ResponseReturnValue:
    """Return the fields of a kind of records."""
    del version
    there = the_account().portal.properties[kind_of(name)]
    return {"results": [one.told() for one in there.values()]}


@bp.post("/crm/properties/<version>/<name>")
def property_made(version: str, name: str) -> ResponseReturnValue:
    """Make a field."""
    del version
    told = sent("name", "label", "type", "fieldType", "groupName")
    there = the_account().portal.properties[kind_of(name)]
    if told["name"] in there:
        says = f"A property named '{told['name']}' already exists."
        raise RefusedError(409, "OBJECT_ALREADY_EXISTS", says)
    if (
        not str(told["name"]).replace("_", "a").isalnum()
        or str(told["name"]).lower() != told["name"]
    ):
        raise invalid("Property names are lower case, digits and underscores")
    made = Property(
        told["name"],
        told["label"],
        told["type"],
        told["fieldType"],
        told["groupName"],
        _options(told),
        is_unique=bool(told.get("hasUniqueValue")),
        is_ours=False,
    )
    there[made.name] = made
    return made.told(), 201


@bp.patch("/crm/properties/<version>/<name>/<field>")
def property_changed(version: str, name: str, field: str) -> ResponseReturnValue:
    """Change a field: its options become those that are sent."""
    del version
    known = the_account().portal.properties[kind_of(name)].get(field)
    if known is None:
        raise RefusedError(404, "OBJECT_NOT_FOUND", "Property does not exist")
    told = sent()
    if "options" in told:
        known.options = _options(told)
    return known.told()


def _options(told: Mapping[str, Any]) -> dict[str, str]:
    """Return options by value; raise RefusedError where one lacks what it needs."""
    many = told.get("options") or []
    if any(not {"label", "value", "hidden"} <= one.keys() for one in many):
        raise invalid("label, value and hidden are required in each option")
    return {one["value"]: one["label"] for one in many}


@bp.get("/crm/pipelines/<version>/deals")
def pipelines(version: str) -> ResponseReturnValue:
    """Return the pipelines of deals, with their stages."""
    del version
    kind_of("deals")
    made = the_account().made
    stages = [
        made
        | {
            "id": key,
            "label": label,
            "displayOrder": place,
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
            "metadata": {"isClosed": str(sure in {0.0, 1.0}).lower(), "probability": str(sure)},
        }
        for place, (key, (label, sure)) in enumerate(STAGES.items())
    ]
    told = {"id": PIPELINE, "label": "Sales", "displayOrder": 0, "stages": stages}
    return {"results": [made | told]}


@bp.get("/crm/owners/<version>")
def owners(version: str) -> ResponseReturnValue:
    """Return who may look after records."""
    del version
    owner = the_account().made | {"type": "PERSON"}
    return {"results": [owner | {"id": id, **one} for id, one in the_account().owners.items()]}
