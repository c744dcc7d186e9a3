"""
What an answer of Odoo means: by the name of its exception, whatever its status.

A value that a field does not take is a 500; the older transport says 200 of everything. What
Odoo says in words may name people, and its tracebacks name files: neither is ever repeated.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from regportal.connectors.calls import by_status, from_elsewhere, said
from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Answer
from regportal.connectors.rules import Outcome

NOT_FOUND = 404
MISSING = "odoo.exceptions.MissingError"
OWN = re.compile(r"(builtins|odoo|psycopg2|werkzeug)(\.\w+){1,9}")
"""Names that come with Odoo: nobody can have written anything into them."""
CLOSED = frozenset(
    {
        "odoo.exceptions.AccessDenied",
        "odoo.http.SessionExpiredException",
        "werkzeug.exceptions.Unauthorized",
    }
)
"""We are not who we say."""
PASSING = re.compile(
    r"odoo\.exceptions\.(Concurrency|Lock)Error|odoo\.sql_db\..*"
    r"|builtins\.(Memory|OS|Timeout|Connection\w*|Interrupted)Error"
)
"""Among what is final: it may go well the next time."""
TOO_MANY = "werkzeug.exceptions.TooManyRequests"
VALUES = (
    "DatetimeFieldOverflow|InvalidDatetimeFormat|InvalidTextRepresentation"
    "|NumericValueOutOfRange|StringDataRightTruncation|UntranslatableCharacter"
)
"""What PostgreSQL calls values that do not fit; of itself it says everything else."""
PAGES = (
    "BadRequest|Forbidden|NotFound|MethodNotAllowed|NotAcceptable|Conflict|Gone"
    "|RequestEntityTooLarge|UnsupportedMediaType|UnprocessableEntity"
)
"""What werkzeug calls 4xx that speak of the call; 5xx, 408 and 429 speak of the server."""
FINAL = re.compile(
    rf"(builtins|odoo)\..*|psycopg2\.(errors\.(\w+Violation|{VALUES})|DataError|IntegrityError)"
    rf"|werkzeug\.exceptions\.({PAGES})"
)
"""It ends in the same way however often it is asked."""


class MissingError(NotTakenError):
    """A record went away; nothing was written of any that were asked for with it."""


def refusal(name: str, message: str, asked: str, fields: Collection[str] = ()) -> NotTakenError:
    """
    Return what an exception of Odoo means; of its message only our own fields' names are kept.

    >>> bad = "Wrong value for crm.lead.x_buying_phase: 'ann@acme.example'"
    >>> error = refusal("builtins.ValueError", bad, "crm.lead/write", ["x_buying_phase", "name"])
    >>> error.outcome, str(error)
    (<Outcome.REJECTED: 'rejected'>,
     'Odoo refused crm.lead/write: builtins.ValueError (x_buying_phase)')

    A name we do not know says nothing for ever:

    >>> refusal("acme.BusyError", "", "crm.lead/write").outcome
    <Outcome.RETRY: 'retry'>
    """
    if name == MISSING:
        return MissingError(Outcome.RETRY, f"a record went away before {asked}")
    if name in CLOSED:
        return NotTakenError(Outcome.AUTH, "Odoo does not know our key")
    if name == TOO_MANY:
        return NotTakenError(Outcome.THROTTLED, "Odoo is called too often")
    if PASSING.fullmatch(name) or not FINAL.fullmatch(name):
        about = f" just now: {name}" if OWN.fullmatch(name) else ""
        return NotTakenError(Outcome.RETRY, f"Odoo could not do {asked}{about}")
    told = sorted(one for one in fields if re.search(rf"\b{re.escape(one)}\b", message))
    about = f" ({', '.join(told)})" if told else ""
    return NotTakenError(Outcome.REJECTED, f"Odoo refused {asked}: {name}{about}")


def judged(answer: Answer, asked: str, fields: Collection[str] = ()) -> NotTakenError:
    """Return what an answer means whose status is no success."""
    told = said(answer)
    if isinstance(told, dict) and isinstance(told.get("name"), str):
        error = refusal(told["name"], str(told.get("message")), asked, fields)
        error.retry_at = by_status(answer).retry_at
        return error
    if answer.status == NOT_FOUND:  # a page: no Odoo 19 is here, or not with this database
        return NotTakenError(Outcome.RETRY, "there is no such Odoo, or no such database in it")
    return from_elsewhere(answer)


def faulty(error: Mapping[str, Any], asked: str, fields: Collection[str] = ()) -> NotTakenError:
    """Return what the ``error`` of an answer to the older transport means."""
    data = error.get("data")
    told = data if isinstance(data, Mapping) else {}
    return refusal(str(told.get("name")), str(told.get("message")), asked, fields)
