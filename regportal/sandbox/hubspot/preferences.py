"""Calls about subscriptions."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from regportal.sandbox.hubspot.answering import BATCH, batched, sent, the_account
from regportal.sandbox.hubspot.refusing import RefusedError, invalid

bp = Blueprint("preferences", __name__)


@bp.get("/communication-preferences/<version>/definitions")
def definitions(version: str) -> ResponseReturnValue:
    """Return the subscription types."""
    del version
    return batched([*reversed(the_account().subscriptions.definitions())], [])


@bp.post("/communication-preferences/<version>/statuses/batch/read")
def statuses(version: str) -> ResponseReturnValue:
    """Return what is so for some addresses."""
    del version
    told = sent("inputs")
    if request.args.get("channel") != "EMAIL" or len(told["inputs"]) > BATCH:
        raise invalid("channel is required, and at most 100 inputs")
    rows = [
        {"subscriberIdString": one, "statuses": the_account().subscriptions.of(one)}
        for one in told["inputs"]
    ]
    return batched(rows, [])


@bp.post("/communication-preferences/<version>/statuses/batch/write")
def statuses_written(version: str) -> ResponseReturnValue:
    """Set what is so for some addresses."""
    del version
    told, results, errors = sent("inputs"), [], []
    for one in told["inputs"][:BATCH]:
        address = str(one.get("subscriberIdString"))
        try:
            results.append(the_account().subscriptions.write(address, one))
        except RefusedError as error:
            number = str(one.get("subscriptionId"))
            errors.append(error.told(subscriberIdString=[address], subscriptionId=[number]))
    return batched(results, errors)


@bp.post("/communication-preferences/<version>/statuses/<email>")
def status_written(version: str, email: str) -> ResponseReturnValue:
    """Set what is so for an address."""
    del version
    return batched([the_account().subscriptions.write(email, sent())], [])
