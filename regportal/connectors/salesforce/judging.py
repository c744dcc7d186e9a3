"""
What Salesforce means by its refusals: its codes say it, the status does not.

Of its sentences nothing is repeated but the name of a field it does not have: they quote values.
"""

import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from regportal.connectors.calls import from_elsewhere, said
from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.egress import Answer
from regportal.connectors.rules import Outcome

BREATHS: Mapping[str, timedelta] = {
    "REQUEST_LIMIT_EXCEEDED": timedelta(minutes=15),
    "SERVER_UNAVAILABLE": timedelta(minutes=1),
}
"""How long we wait when the calls of a day are used up, or it is busy: Salesforce does not say."""
LOCKED = (1.0, 30.0)
"""Seconds within which a record that somebody else is writing is tried again."""
CODE = re.compile(r"[A-Z][A-Z_]{2,79}")
FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,79}")
COLUMN = re.compile(r"No such column '([A-Za-z][A-Za-z0-9_.]{0,79})'")
NOT_FOUND, PRECONDITION_FAILED, SERVER = 404, 412, 500
LOCK, TRIGGER = "UNABLE_TO_LOCK_ROW", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
PASSING = ("UNABLE_TO_LOCK_ROW", "Too many SOQL queries")
"""What a trigger's failure quotes when it may go well the next time."""
CHANGED = "the record changed meanwhile"
GONE = "the record went away"
MEANINGS: Mapping[str, tuple[Outcome, str]] = {
    "INVALID_SESSION_ID": (Outcome.AUTH, "Salesforce does not take our token"),
    "API_DISABLED_FOR_ORG": (Outcome.AUTH, "the API is not enabled in this Salesforce"),
    "API_CURRENTLY_DISABLED": (Outcome.AUTH, "the API is not enabled in this Salesforce"),
    "REQUEST_LIMIT_EXCEEDED": (Outcome.THROTTLED, "the calls of a day are used up"),
    "SERVER_UNAVAILABLE": (Outcome.THROTTLED, "Salesforce is busy"),
    LOCK: (Outcome.LATER, "somebody else is writing this record"),
    "ENTITY_IS_DELETED": (Outcome.LATER, GONE),
    "INVALID_CROSS_REFERENCE_KEY": (Outcome.RETRY, "the record, or one it refers to, went away"),
    "NOT_FOUND": (Outcome.RETRY, GONE),
    "PRECONDITION_FAILED": (Outcome.LATER, CHANGED),
    "DUPLICATE_VALUE": (Outcome.RETRY, "another record has a value that only one may have"),
    "DUPLICATE_EXTERNAL_ID": (Outcome.AMBIGUOUS, "several records have our key"),
    "DUPLICATES_DETECTED": (Outcome.AMBIGUOUS, "a duplicate rule takes it for one that is there"),
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": (Outcome.RETRY, "another record was refused with it"),
    "PROCESSING_HALTED": (Outcome.RETRY, "another call was refused with it"),
    "QUERY_TIMEOUT": (Outcome.RETRY, "Salesforce could not answer in time"),
    "SERVER_ERROR": (Outcome.RETRY, "Salesforce could not answer just now"),
    "UNKNOWN_EXCEPTION": (Outcome.RETRY, "Salesforce could not answer just now"),
    "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS": (Outcome.REJECTED, "the question is too long"),
}
"""By code; what is not here speaks of the record, and a person must look."""
NO_ACCESS = "INSUFFICIENT_ACCESS"
NOT_THERE = frozenset({"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"})


def meaning(told: Mapping[str, Any], *, of_call: bool = False) -> NotTakenError:
    """
    Return what an error means; ``of_call``: it speaks of a call, not of one record.

    >>> bad = {"statusCode": "STRING_TOO_LONG", "message": "Ann Smith", "fields": ["LastName"]}
    >>> error = meaning(bad)
    >>> error.outcome, str(error)
    (<Outcome.REJECTED: 'rejected'>, 'Salesforce refuses LastName: STRING_TOO_LONG')
    >>> str(meaning({"errorCode": "INVALID_FIELD", "message": "No such column 'Fit__c' on…"}))
    'Salesforce has no field Fit__c, or does not show it to us'
    """
    code, message = str(told.get("errorCode") or told.get("statusCode")), str(told.get("message"))
    if code == TRIGGER and any(one in message for one in PASSING):
        code = LOCK
    if code.startswith(NO_ACCESS) and of_call:
        return NotTakenError(
            Outcome.AUTH, f"our user in Salesforce may not do this: {_named(code)}"
        )
    if code in MEANINGS:
        outcome, says = MEANINGS[code]
        return NotTakenError(outcome, says, retry_at=_retry_at(code))
    column = COLUMN.search(message)
    if column is not None:
        says = f"Salesforce has no field {column[1]}, or does not show it to us"
        return NotTakenError(Outcome.REJECTED, says)
    fields = told.get("fields")
    names = [one for one in fields or () if isinstance(one, str) and FIELD.fullmatch(one)]
    about = ", ".join(names) or "the record"
    return NotTakenError(Outcome.REJECTED, f"Salesforce refuses {about}: {_named(code)}")


def judged(answer: Answer) -> NotTakenError:
    """
    Return what an answer that is no success means for whatever was asked.

    >>> body = b'[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]'
    >>> judged(Answer(403, {}, body)).outcome
    <Outcome.THROTTLED: 'throttled'>
    >>> judged(Answer(403, {}, b"<html>")).outcome
    <Outcome.RETRY: 'retry'>
    """
    told = said(answer)
    if answer.status == NOT_FOUND and told is not None:
        says = "this Salesforce, or this version of it, has not what was asked for"
        return NotTakenError(Outcome.RETRY, says)
    return refusal(answer.status, told) or from_elsewhere(answer)


def refusal(status: int, told: Any) -> NotTakenError | None:
    """
    Return what the body of a refusal means; None where it is not in Salesforce's words.

    What is said under 5xx speaks of Salesforce, unless its code says otherwise:

    >>> gack = refusal(500, [{"errorCode": "APEX_ERROR", "message": ""}])
    >>> gack.outcome, str(gack)
    (<Outcome.RETRY: 'retry'>, 'Salesforce could not do it just now: APEX_ERROR')
    """
    if status == PRECONDITION_FAILED:
        return NotTakenError(Outcome.LATER, CHANGED)
    first = told[0] if isinstance(told, list) and told else None
    if not isinstance(first, dict):
        return None
    code = str(first.get("errorCode"))
    if not CODE.fullmatch(code):
        return None
    if status >= SERVER and code not in MEANINGS:
        return NotTakenError(Outcome.RETRY, f"Salesforce could not do it just now: {code}")
    return meaning(first, of_call=True)


def written(told: Any, *, created: bool | None = None) -> Written:
    """
    Return what became of one record of a collection.

    >>> written({"id": "003A", "success": True, "errors": [], "created": True}).created
    True
    """
    if not isinstance(told, dict):
        return Written(None, Outcome.RETRY, "Salesforce did not say what became of it")
    if told.get("success") is True and isinstance(told.get("id"), str):
        return Written(told["id"], created=told.get("created", created))
    errors = told.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    error = meaning(first if isinstance(first, dict) else {})
    return Written(
        None,
        error.outcome,
        str(error),
        retry_at=error.retry_at,
        candidates=_matches(first) if error.outcome is Outcome.AMBIGUOUS else (),
    )


def is_gone(told: Any) -> bool:
    """
    Return whether a record of a collection was not there.

    >>> is_gone({"success": False, "errors": [{"statusCode": "ENTITY_IS_DELETED"}]})
    True
    """
    errors = told.get("errors") if isinstance(told, dict) else None
    return any(isinstance(one, dict) and one.get("statusCode") in NOT_THERE for one in errors or ())


def _matches(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the records that a duplicate rule found; the key is misspelt over there."""
    found = told.get("duplicateResut") or told.get("duplicateResult")
    results = found.get("matchResults") if isinstance(found, dict) else None
    ids = []
    for result in results if isinstance(results, list) else ():
        for match in result.get("matchRecords") or () if isinstance(result, dict) else ():
            record = match.get("record") if isinstance(match, dict) else None
            if isinstance(record, dict) and isinstance(record.get("Id"), str):
                ids.append(record["Id"])
    return tuple(ids)


def _named(code: str) -> str:
    """Return a code, as far as it is one."""
    return code if CODE.fullmatch(code) else "for no reason it names"


def _retry_at(code: str) -> datetime | None:
    """Return when to try again, where Salesforce leaves that to us."""
    now = datetime.now(UTC)
    if code == LOCK:
        return now + timedelta(seconds=random.uniform(*LOCKED))  # noqa: S311 - no key
    return now + BREATHS[code] if code in BREATHS else None
