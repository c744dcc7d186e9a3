"""What goes wrong in a request, told once: what each error comes to, in both applications."""

import logging
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as WaitedTooLongError
from werkzeug.exceptions import HTTPException

from regportal.errors import NotHereError, RequestError, TooManyError
from regportal.store.problem import request_id
from regportal.store.words import N_

log = logging.getLogger(__name__)
Tell = Callable[[int, str, str | None], Response]
"""Makes the answer: of its status, one sentence, and the field that is about or None."""

SENTENCES = {
    400: N_("This request cannot be read."),
    403: N_("This may not be sent from here."),
    404: N_("There is nothing under this address (any more)."),
    405: N_("This address does not take that."),
    413: N_("This is more than we take at once."),
    414: N_("This address is too long."),
    415: N_("This is not a form that we can read."),
    416: N_("The file has no such part."),
    429: N_("That was a lot at once. Please try again in a minute."),
    500: N_("Something went wrong on our side. It has been written down."),
    503: N_("We cannot take this at the moment. Please try again in a minute."),
}

TITLES = {
    400: N_("This did not work"),
    401: N_("Not without proof"),
    403: N_("Not from here"),
    404: N_("There is nothing here"),
    405: N_("This does not work here"),
    409: N_("This has changed"),
    410: N_("This is gone"),
    413: N_("This is too much"),
    414: N_("This is too long"),
    415: N_("This cannot be read"),
    416: N_("No such part"),
    422: N_("This cannot be taken"),
    429: N_("A little slower, please"),
    500: N_("Something went wrong"),
    503: N_("Not at the moment"),
}
"""What people read above the sentence; programs are given HTTP's own names."""


def use(app: Flask, tell: Tell) -> None:
    """Let every error of ours, and every other, be told by ``tell``."""
    app.register_error_handler(RequestError, partial(_ours, tell))
    app.register_error_handler(HTTPException, partial(_http, tell))
    for gone in (OperationalError, InterfaceError, WaitedTooLongError):
        app.register_error_handler(gone, partial(_database, tell))
    app.register_error_handler(Exception, partial(_unforeseen, tell))


def _ours(tell: Tell, error: RequestError) -> ResponseReturnValue:
    """Tell what could not be taken; of what is not here not even its name is repeated."""
    if isinstance(error, NotHereError):
        return tell(error.status, SENTENCES[error.status], None)
    answer = tell(error.status, str(error), error.field)
    if isinstance(error, TooManyError):
        answer.headers["Retry-After"] = str(error.after)
    return answer


def _http(tell: Tell, error: HTTPException) -> ResponseReturnValue:
    """Tell what the framework found; answers it has made itself go through."""
    status = error.code or 500
    if error.response is not None or status < HTTPStatus.BAD_REQUEST:
        return error.get_response(request.environ)
    answer = tell(status, SENTENCES.get(status, SENTENCES[400]), None)
    for name, value in error.get_headers(request.environ):
        if name.lower() in {"allow", "retry-after", "content-range"}:
            answer.headers[name] = value
    return answer


def _database(tell: Tell, error: SQLAlchemyError) -> ResponseReturnValue:
    """Tell that nothing can be stored now: it may be tried again."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    log.warning("database not available: %s", type(cause).__name__)
    answer = tell(503, SENTENCES[503], None)
    answer.headers["Retry-After"] = "5"
    return answer


def _unforeseen(tell: Tell, error: Exception) -> ResponseReturnValue:
    """Write down what nobody foresaw, without what was sent."""
    answer = tell(500, SENTENCES[500], None)
    log.error("request %s failed", request_id(), exc_info=error)
    return answer
