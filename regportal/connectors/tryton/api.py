"""Calling Tryton: its REST, its way of writing values, and what its refusals mean."""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from types import NoneType
from typing import Any
from urllib.parse import quote

from regportal.connectors.calls import Calls, by_status, clock_of, from_elsewhere, said
from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Answer, Egress
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import Row, shaped
from regportal.store.compact import write_json

BAD_REQUEST, INTERNAL = 400, 500
MEANS = {
    401: (Outcome.AUTH, "Tryton does not know the key, or not for REST"),
    403: (Outcome.AUTH, "the module regportal_tryton is not activated in this database"),
    404: (Outcome.AUTH, "there is no such database there, or no REST"),
    409: (Outcome.LATER, "somebody else was writing there"),
    413: (Outcome.REJECTED, "it is too much for one call to Tryton"),
    423: (Outcome.LATER, "somebody else was writing there"),
}
"""What a status means where the body says no more: no call of ours names a record in its path."""
PAGE = re.compile(rb"<title>(?:[0-9]{3} )?([^<]*)</title>\s*<h1>\1</h1>")
"""How Tryton's pages begin; those of a gateway are otherwise."""
UNKNOWN = re.compile(rb"<p>&#39;([A-Za-z_][A-Za-z0-9_.]{0,79})&#39;</p>")
"""What Tryton says of a field or a model it does not have: Python's KeyError, as a page."""
AMISS = "Tryton answered in another shape than Tryton's"
NOT_ALLOWED = "You are not allowed to access "
"""A model or a field, at all; what may not be changed in one record is a rule like others."""
EVERYONE = ["active", "in", [True, False]]
"""A condition: also what is not in use any more, which a search leaves out by itself. It counts in
its own list of conditions, and in no list inside that."""
Rows = Sequence[Row]
TEXT, LINK = (str, NoneType), (int, NoneType)
FIELDS = {
    "active": int,
    "conversion_probability": (int, float),
    "create_date": datetime,
    "description": TEXT,
    "email": TEXT,
    "end_date": (date, NoneType),
    "key": str,
    "name": TEXT,
    "party": LINK,
    "regportal_id": TEXT,
    "regportal_scores": (dict, NoneType),
    "replaced_by": LINK,
    "user": int,
    "value": str,
    "write_date": (datetime, NoneType),
}
"""What the fields hold that are read here; others are only passed on."""
ANSWERS = {
    "fields_get": {str: dict},
    "get_preferences": dict,
    "regportal_create": [int],
    "regportal_log": [int],
    "regportal_write": [str],
}
"""What methods answer."""
NEEDED = ("list_",)
"""Of links those that no record is without."""
DAY, MOMENT = ("year", "month", "day"), ("hour", "minute", "second", "microsecond")


class Api:
    """
    One database of a Tryton, as one user.

    Everything is a POST: what is asked for, addresses of people among it, stands in no URL.
    """

    def __init__(self, base: str, database: str, key: str, egress: Egress) -> None:
        """Ask for nothing yet."""
        self._context: dict[str, Any] | None = None
        self.clock: datetime | None = None
        """What time it was over there when it answered last."""
        self._egress, self._server = egress, Calls(base, egress, dict)
        base = f"{base}/{quote(database, safe='')}/rest/model/"
        self._calls = Calls(base, egress, lambda: {"Authorization": f"bearer {key}"}, judge=judged)

    def call(self, model: str, action: str, **told: Any) -> Any:
        """
        Return what a method of a model answers.

        Raises UnreachableError where there is no answer, NotTakenError where it is a refusal or
        has another shape than Tryton's.
        """
        return self._told(model, action, told, self._headers())

    def each(self, model: str, action: str, **told: Sequence[Any]) -> Any:
        """Return what a method answers of each of so many things; raise as :meth:`call` does."""
        (many,) = told.values()
        return shaped(self.call(model, action, **told), list, AMISS, len(many))

    def rows(
        self,
        model: str,
        domain: Sequence[Any],
        fields: Sequence[str],
        order: Sequence[Any] = (),
        limit: int | None = None,
        **context: Any,
    ) -> Rows:
        """
        Return what fits a domain; raise as :meth:`call` does.

        With ``active_test=False`` also what is not in use any more, as lines of contact that are
        read: then ask for no field that is one of several lines.
        """
        asked = {"fields_names": [*fields], "order": [*order] or None, "limit": limit}
        told = {"domain": [*domain], **asked}
        found = self._told(model, "search_read", told, self._headers(**context))
        rows: Rows = shaped(found, [_row(fields)], "Tryton answered no records")
        return rows

    def series(self) -> str:
        """Return which Tryton it is, as `8.2`; raise as :meth:`call` does."""
        told = {"id": 0, "method": "common.server.version", "params": []}
        answer = self._server.ask("POST", "/rpc/", told=told)
        says = "Tryton does not say which version it is"
        return str(shaped(answer, {"result": str}, says)["result"])

    def close(self) -> None:
        """Let go of connections."""
        self._egress.close()

    def _headers(self, **context: Any) -> dict[str, str]:
        """Return in which context is asked: that of the user, with their company; in English."""
        if self._context is None:
            its = self._told("res.user", "get_preferences", {"context_only": True}, {})
            self._context = {**its, "language": "en"}
        its = write_json(self._context | context).encode()
        return {"X-Tryton-Context": base64.urlsafe_b64encode(its).decode()}

    def _told(
        self, model: str, action: str, told: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Any:
        """Call a method of a model."""
        path = f"{model}/{action}"
        answer = self._calls.answer("POST", path, told=written(told), headers=headers)
        self.clock = clock_of(answer) or self.clock
        return shaped(read(self._calls.read(answer)), ANSWERS.get(action, object), AMISS)


def _row(fields: Sequence[str]) -> dict[str, Any]:
    """
    Return the shape of a record that is asked for these fields.

    >>> _row(["name", "party.email"]) == {
    ...     "id": int,
    ...     "name": TEXT,
    ...     "party.": ({"id": int, "email": TEXT}, NoneType),
    ... }
    True
    """
    shape: dict[str, Any] = {"id": int}
    beyond: dict[str, list[str]] = {}
    for field in fields:
        name, dot, rest = field.partition(".")
        if dot:
            beyond.setdefault(name, []).append(rest)
        else:
            shape[name] = FIELDS.get(name, object)
    for name, more in beyond.items():
        there = _row(more)
        shape[f"{name}."] = there if name in NEEDED else (there, NoneType)
    return shape


def judged(answer: Answer) -> NotTakenError:
    """
    Return what a refusal of Tryton means.

    What it says may hold names and values, so that nothing of it is passed on.

    >>> def means(status, body):
    ...     error = judged(Answer(status, {}, body))
    ...     return f"{error.outcome}: {error}"
    >>> means(500, b"<p>&#39;nofield&#39;</p>")
    "rejected: Tryton has no field or model 'nofield'"
    >>> means(503, b"<p>could not serialize access due to concurrent update</p>")
    'retry: Tryton answered 503'
    >>> means(400, b'{"status": 400, "message": "The country of Ann is refused."}')
    'rejected: a rule of Tryton refused it'
    >>> means(403, b"<title>403 Forbidden</title><center><h1>403 Forbidden</h1></center>")
    'retry: something before the CRM answered 403'
    """
    message, unknown = _message(answer), UNKNOWN.search(answer.body)
    if answer.status == BAD_REQUEST and message.startswith(NOT_ALLOWED):
        error = NotTakenError(Outcome.AUTH, "the user lacks a group that may do this in Tryton")
    elif answer.status == BAD_REQUEST and message:
        error = NotTakenError(Outcome.REJECTED, "a rule of Tryton refused it")
    elif answer.status == INTERNAL and unknown:
        says = f"Tryton has no field or model {unknown[1].decode()!r}"
        error = NotTakenError(Outcome.REJECTED, says)
    elif answer.status in MEANS:
        error = NotTakenError(*MEANS[answer.status])
        if error.outcome is Outcome.AUTH and not PAGE.search(answer.body):
            error = from_elsewhere(answer)
    else:
        its = by_status(answer)
        says = f"Tryton answered {answer.status}"
        error = NotTakenError(its.outcome, says, retry_at=its.retry_at)
    return error


def _message(answer: Answer) -> str:
    """Return what Tryton says to a person; empty where it is a page."""
    told = said(answer)
    return str(told.get("message") or "") if isinstance(told, dict) else ""


def written(value: Any) -> Any:
    """
    Return a value as Tryton reads it: moments in UTC, without a zone.

    >>> written({"at": datetime(2026, 3, 4, 12, tzinfo=UTC), "of": [Decimal("1.50")]})
    {'at': {'__class__': 'datetime', 'year': 2026, 'month': 3, 'day': 4, 'hour': 12, 'minute': 0,
            'second': 0, 'microsecond': 0}, 'of': [{'__class__': 'Decimal', 'decimal': '1.50'}]}
    """
    match value:
        case datetime():
            at = value.astimezone(UTC)
            parts = {name: getattr(at, name) for name in (*DAY, *MOMENT)}
            return {"__class__": "datetime", **parts}
        case date():
            return {"__class__": "date", **{name: getattr(value, name) for name in DAY}}
        case Decimal():
            return {"__class__": "Decimal", "decimal": str(value)}
        case Mapping():
            return {name: written(one) for name, one in value.items()}
        case list() | tuple():
            return [written(one) for one in value]
    return value


def read(value: Any) -> Any:
    """
    Return what Tryton wrote as values of Python.

    >>> at = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> read([written(at), written(Decimal("1.50")), {"name": None}])
    [datetime.datetime(2026, 3, 4, 12, 0, tzinfo=datetime.timezone.utc), Decimal('1.50'),
     {'name': None}]

    Raises NotTakenError for what is none of Tryton's values.
    """
    match value:
        case {"__class__": str()}:
            try:
                return _valued(value)
            except (KeyError, TypeError, ValueError, ArithmeticError):
                raise NotTakenError(Outcome.RETRY, AMISS) from None
        case dict():
            return {name: read(one) for name, one in value.items()}
        case list():
            return [read(one) for one in value]
    return value


def _valued(value: Mapping[str, Any]) -> Any:
    """Return a value that says of which class it is; of a class we do not read, as it came."""
    match value["__class__"]:
        case "datetime":
            return datetime(**{name: int(value[name]) for name in (*DAY, *MOMENT)}, tzinfo=UTC)
        case "date":
            return date(**{name: int(value[name]) for name in DAY})
        case "Decimal":
            return Decimal(value["decimal"])
    return {name: read(one) for name, one in value.items()}


def like(text: str) -> str:
    r"""
    Return a text as a pattern that only it fits, whatever its case.

    >>> like("ann_b%@acme.example")
    'ann\\_b\\%@acme.example'
    """
    return re.sub(r"([\\%_])", r"\\\1", text)
