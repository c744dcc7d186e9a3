"""What calls of HubSpot have in common: who asks, what was sent, how a batch is answered."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from flask import current_app, request
from flask.typing import ResponseReturnValue

from regportal.sandbox.hubspot.limits import Limits
from regportal.sandbox.hubspot.portal import Portal, Record, in_full
from regportal.sandbox.hubspot.refusing import RefusedError, invalid
from regportal.sandbox.hubspot.shape import KINDS
from regportal.sandbox.hubspot.subscriptions import Subscriptions

PARTLY = {"2026-03": 207, "2026-09": 200}
"""What a batch is answered with of which some was refused, by version."""
BATCH = 100
"""Records of one call."""
SCOPES = {
    "contacts": "crm.objects.contacts",
    "companies": "crm.objects.companies",
    "deals": "crm.objects.deals",
    "notes": "crm.objects.contacts",
}


class Account:
    """What the API works on."""

    def __init__(self, portal: Portal, subscriptions: Subscriptions, limits: Limits) -> None:
        """Let everybody in who has the token."""
        self.portal, self.subscriptions, self.limits = portal, subscriptions, limits
        self.tokens = {"pat-sandbox"}
        self.missing: set[str] = set()
        """Scopes that the token lacks."""
        self.lag = timedelta(0)
        """How long it takes until a change can be found by a search."""
        self.owners: dict[str, dict[str, str]] = {}
        self.traces = True
        """Whether what became of a record comes with the trace that was sent."""
        self.silent = 0
        """How many batches are answered with nothing, neither results nor errors."""
        at = in_full(portal.clock())
        self.made = {"createdAt": at, "updatedAt": at, "archived": False}
        """What is told of everything that was there from the beginning."""


def the_account() -> Account:
    """Return whose call this is."""
    found: Account = current_app.extensions["hubspot"]
    return found


def kind_of(name: str, *, write: bool = False) -> str:
    """Return the kind of records a path names; raise RefusedError."""
    kind = KINDS.get(name)
    if kind is None:
        raise invalid(f"Unable to infer object type from: {name}")
    scope = f"{SCOPES[kind]}.{'write' if write else 'read'}"
    if scope in the_account().missing:
        says = "This app hasn't been granted all required scopes to make this call."
        raise RefusedError(403, "MISSING_SCOPES", says, context={"missingScopes": [scope]})
    return kind


def sent(*needed: str) -> dict[str, Any]:
    """Return the object that was sent; raise RefusedError."""
    try:
        told = json.loads(request.get_data())
    except ValueError:
        raise invalid("Invalid input JSON on line 1, column 1") from None
    if not isinstance(told, dict) or any(name not in told for name in needed):
        raise invalid(f"Invalid input JSON: {', '.join(needed)} required")
    return told


def inputs_of(told: Mapping[str, Any], most: int = BATCH) -> list[dict[str, Any]]:
    """Return the inputs of a batch; raise RefusedError where they are too many, or no inputs."""
    many = told["inputs"]
    if not (isinstance(many, list) and all(isinstance(one, dict) for one in many)):
        raise invalid("Invalid input JSON: inputs")
    if len(many) > most:
        raise invalid(f"The maximum number of inputs supported in a batch request is {most}")
    ids = [str(one.get("id")) for one in many if "id" in one]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        says = f"Duplicate IDs found in batch input: [{', '.join(twice)}]. IDs must be unique"
        raise invalid(says)
    return many


def values_of(one: Mapping[str, Any]) -> dict[str, str]:
    """Return the properties of an input; raise RefusedError where one is no text."""
    told = one.get("properties")
    if not (isinstance(told, dict) and all(isinstance(value, str) for value in told.values())):
        raise invalid("Invalid input JSON: properties must be strings")
    return told


def row_of(
    record: Record, names: Sequence[str] = (), history: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a record as it is answered: with what was asked for, and what is always told."""
    always = ("hs_object_id", "createdate", "lastmodifieddate", "hs_lastmodifieddate")
    shown = [*names, *(name for name in always if name in record.values)]
    row: dict[str, Any] = {
        "id": record.id,
        "properties": {name: record.values.get(name) or None for name in shown},
        "createdAt": in_full(record.created),
        "updatedAt": in_full(record.updated),
        "archived": record.is_archived,
    }
    if history:
        row["propertiesWithHistory"] = {
            name: [
                {"value": value, "timestamp": in_full(at), "sourceType": source}
                for which, value, at, source in reversed(record.history)
                if which == name
            ]
            for name in history
        }
    return row


def batched(
    results: Sequence[Any], errors: Sequence[Any], *, status: int = 200
) -> ResponseReturnValue:
    """Return what a batch is answered with: results in no order that anybody may rely on."""
    now = in_full(the_account().portal.clock())
    told: dict[str, Any] = {
        "status": "COMPLETE",
        "results": [*reversed(results)],
        "startedAt": now,
        "completedAt": now,
    }
    if errors:
        told |= {"numErrors": len(errors), "errors": [*errors]}
        version = (request.view_args or {}).get("version", "")
        status = PARTLY.get(version, 207)
    return told, status


def each_of(
    inputs: Sequence[Mapping[str, Any]], do: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> ResponseReturnValue:
    """Do each input by itself; those that are refused stand among the errors."""
    account = the_account()
    if account.silent > 0:
        account.silent -= 1
        return batched([], [])
    results, errors = [], []
    for one in inputs:
        trace = str(one.get("objectWriteTraceId", "")) if account.traces else ""
        try:
            row = do(one)
        except RefusedError as error:
            errors.append(error.told(**({"objectWriteTraceId": [trace]} if trace else {})))
        else:
            results.append(row | ({"objectWriteTraceId": trace} if trace else {}))
    return batched(results, errors)


def record_of(kind: str, id: str, by: str | None = None) -> Record:
    """Return a record; raise RefusedError where there is none."""
    found = the_account().portal.find(kind, id, by)
    if found is None:
        says = f"Could not get some {kind} objects, they may be deleted or not exist."
        raise RefusedError(404, "OBJECT_NOT_FOUND", says, context={"ids": [id]})
    return found
