"""Calls about records, and which stand beside which."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from regportal.sandbox.hubspot.answering import (
    batched,
    each_of,
    inputs_of,
    kind_of,
    record_of,
    row_of,
    sent,
    the_account,
    values_of,
)
from regportal.sandbox.hubspot.portal import APP
from regportal.sandbox.hubspot.refusing import RefusedError
from regportal.sandbox.hubspot.search import searched
from regportal.sandbox.hubspot.shape import LINKS

LINKED, PAGE = 1000, 500
"""Records whose associations are asked for in one call, and associations of one page."""

bp = Blueprint("objects", __name__)


@bp.post("/crm/objects/<version>/<name>/batch/read")
def batch_read(version: str, name: str) -> ResponseReturnValue:
    """Return records by id, or by a unique property."""
    del version
    kind, told = kind_of(name), sent("inputs", "properties", "propertiesWithHistory")
    by = told.get("idProperty")
    results, lost = {}, []
    for one in inputs_of(told):
        found = the_account().portal.find(kind, str(one.get("id")), by)
        if found is None:
            lost.append(str(one.get("id")))
        else:
            results[found.id] = row_of(found, told["properties"], told["propertiesWithHistory"])
    errors = []
    if lost:
        says = f"Could not get some {kind} objects, they may be deleted or not exist."
        errors = [RefusedError(404, "OBJECT_NOT_FOUND", says, context={"ids": lost}).told()]
    return batched([*results.values()], errors)


@bp.post("/crm/objects/<version>/<name>/batch/upsert")
def batch_upsert(version: str, name: str) -> ResponseReturnValue:
    """Make records, or change them, by a unique property."""
    del version
    kind, told = kind_of(name, write=True), sent("inputs")
    portal = the_account().portal

    def do(one: Mapping[str, Any]) -> dict[str, Any]:
        by, id, values = str(one.get("idProperty")), str(one.get("id")), values_of(one)
        found = portal.find(kind, id, by)
        if found is None:
            made = portal.add(kind, {by: id, **values}, APP)
            return row_of(made, [*values]) | {"new": True}
        portal.set(found, values, APP)
        return row_of(found, [*values]) | {"new": False}

    inputs = inputs_of(told)
    for one in inputs:
        values_of(one)
    return each_of(inputs, do)


@bp.post("/crm/objects/<version>/<name>/batch/update")
def batch_update(version: str, name: str) -> ResponseReturnValue:
    """Change records."""
    del version
    kind, told = kind_of(name, write=True), sent("inputs")

    def do(one: Mapping[str, Any]) -> dict[str, Any]:
        found, values = record_of(kind, str(one.get("id")), one.get("idProperty")), values_of(one)
        the_account().portal.set(found, values, APP)
        return row_of(found, [*values])

    inputs = inputs_of(told)
    for one in inputs:
        values_of(one)
    return each_of(inputs, do)


@bp.post("/crm/objects/<version>/<name>/batch/archive")
def batch_archive(version: str, name: str) -> ResponseReturnValue:
    """Delete records; of one that is gone nothing is said."""
    del version
    kind, told = kind_of(name, write=True), sent("inputs")
    for one in inputs_of(told):
        found = the_account().portal.find(kind, str(one.get("id")))
        if found is not None:
            the_account().portal.archive(found, APP)
    return "", 204


@bp.post("/crm/objects/<version>/<name>")
def create(version: str, name: str) -> ResponseReturnValue:
    """Make a record, beside others."""
    del version
    kind, told = kind_of(name, write=True), sent("properties", "associations")
    portal = the_account().portal
    others = [
        record_of(to, str(one["to"]["id"]))
        for one in told["associations"]
        for kind_to in one["types"]
        for (here, to), number in LINKS.items()
        if here == kind and number == kind_to["associationTypeId"]
    ]
    made = portal.add(kind, values_of(told), APP)
    for other in others:
        portal.link(made, other)
    return row_of(made, [*told["properties"]]), 201


@bp.get("/crm/objects/<version>/<name>/<id>")
def get_one(version: str, name: str, id: str) -> ResponseReturnValue:
    """Return one record; of a contact that was merged the one it became."""
    del version
    names = [part for part in request.args.get("properties", "").split(",") if part]
    return row_of(record_of(kind_of(name), id, request.args.get("idProperty")), names)


@bp.post("/crm/objects/<version>/<name>/search")
def search(version: str, name: str) -> ResponseReturnValue:
    """Search records."""
    del version
    account, kind, told = the_account(), kind_of(name), sent()
    page, total, after = searched(account.portal, kind, told, lag=account.lag)
    body: dict[str, Any] = {
        "total": total,
        "results": [row_of(one, told["properties"]) for one in page],
    }
    return body | ({"paging": {"next": {"after": after}}} if after else {})


@bp.post("/crm/objects/<version>/contacts/merge")
def merge(version: str) -> ResponseReturnValue:
    """Let one contact become another."""
    del version
    told = sent("primaryObjectId", "objectIdToMerge")
    kind = kind_of("contacts", write=True)
    kept, joined = (
        record_of(kind, str(told[one])) for one in ("primaryObjectId", "objectIdToMerge")
    )
    return row_of(the_account().portal.merge(kept, joined, APP))


@bp.post("/crm/objects/<version>/contacts/gdpr-delete")
def gdpr_delete(version: str) -> ResponseReturnValue:
    """Forget a contact for good."""
    del version
    told = sent("objectId")
    found = record_of(
        kind_of("contacts", write=True), str(told["objectId"]), told.get("idProperty")
    )
    the_account().portal.erase(found, APP)
    return "", 204


# --- associations ---


@bp.post("/crm/associations/<version>/<name>/<to>/batch/read")
def links_read(version: str, name: str, to: str) -> ResponseReturnValue:
    """Return which records stand beside others; who stands alone is among the errors."""
    del version
    kind, other, told = kind_of(name), kind_of(to), sent("inputs")
    results, lost = [], []
    for one in inputs_of(told, LINKED):
        id = str(one.get("id"))
        there = the_account().portal.linked(kind, id, other)
        first = int(one.get("after") or 0)
        page = there[first : first + PAGE]
        if not page:
            lost.append(id)
            continue
        spec = {"category": "HUBSPOT_DEFINED", "typeId": LINKS[kind, other]}
        row: dict[str, Any] = {
            "from": {"id": id},
            "to": [{"toObjectId": one, "associationTypes": [spec]} for one in page],
        }
        if len(there) > first + PAGE:
            row["paging"] = {"next": {"after": str(first + PAGE)}}
        results.append(row)
    errors = [
        RefusedError(
            404,
            "OBJECT_NOT_FOUND",
            f"No {other} is associated with {kind} {id}.",
            context={"fromObjectId": [id]},
            more={"subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"},
        ).told()
        for id in lost
    ]
    return batched(results, errors, status=200)


@bp.post("/crm/associations/<version>/<name>/<to>/batch/associate/default")
def links_write(version: str, name: str, to: str) -> ResponseReturnValue:
    """Put records beside others, without a label."""
    del version
    kind, other, told = kind_of(name, write=True), kind_of(to), sent("inputs")
    portal, results, errors = the_account().portal, [], []
    for one in told["inputs"]:
        here, there = str(one["from"]["id"]), str(one["to"]["id"])
        try:
            portal.link(record_of(kind, here), record_of(other, there))
        except RefusedError as error:
            errors.append(error.told(fromObjectId=[here], toObjectId=[there]))
            continue
        spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": LINKS[kind, other]}
        results.append({"from": {"id": here}, "to": {"id": there}, "associationSpec": spec})
    return batched(results, errors)
