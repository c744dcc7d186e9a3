"""What goes wrong, told once: as a page to people, as problem+json to programs."""

import logging
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import (
    Flask,
    Response,
    current_app,
    g,
    make_response,
    render_template,
    request,
    url_for,
)
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as WaitedTooLongError
from werkzeug.exceptions import HTTPException, SecurityError

from regportal.app.pages import speaks_json
from regportal.errors import NotHereError, RequestError, TooManyError
from regportal.forms.pages import around_page
from regportal.store import current
from regportal.store.problem import problem, request_id
from regportal.store.words import N_

log = logging.getLogger(__name__)

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


def use(app: Flask) -> None:
    """Let every error of ours, and every other, be told."""
    app.register_error_handler(RequestError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(SecurityError, _stranger)
    for gone in (OperationalError, InterfaceError, WaitedTooLongError):
        app.register_error_handler(gone, _database)
    app.register_error_handler(Exception, _unforeseen)


def _ours(error: RequestError) -> ResponseReturnValue:
    """Tell what could not be taken; of what is not here not even its name is repeated."""
    if isinstance(error, NotHereError):
        return _problem(error.status, SENTENCES[error.status])
    answer = _problem(error.status, str(error), error.field)
    if isinstance(error, TooManyError):
        answer.headers["Retry-After"] = str(error.after)
    return answer


def _stranger(error: SecurityError) -> ResponseReturnValue:
    """Refuse whoever calls us by a name that is not ours; what we answer names our own address."""
    del error
    ours = urlsplit(current.settings().base_url)
    request_ctx.url_adapter = current_app.url_map.bind(ours.netloc, script_name=ours.path or "/")
    return _problem(400, SENTENCES[400])


def _http(error: HTTPException) -> ResponseReturnValue:
    """Tell what the framework found; answers it has made itself go through."""
    status = error.code or 500
    if error.response is not None or status < HTTPStatus.BAD_REQUEST:
        return error.get_response(request.environ)
    answer = _problem(status, SENTENCES.get(status, SENTENCES[400]))
    for name, value in error.get_headers(request.environ):
        if name.lower() in {"allow", "retry-after", "content-range"}:
            answer.headers[name] = value
    return answer


def _database(error: SQLAlchemyError) -> ResponseReturnValue:
    """Tell that nothing can be stored now: it may be tried again."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    log.warning("database not available: %s", type(cause).__name__)
    answer = _problem(503, SENTENCES[503])
    answer.headers["Retry-After"] = "5"
    return answer


def _unforeseen(error: Exception) -> ResponseReturnValue:
    """Write down what nobody foresaw, without what was sent."""
    answer = _problem(500, SENTENCES[500])
    log.error("request %s failed", request_id(), exc_info=error)
    return answer


def _problem(status: int, sentence: str, field: str | None = None) -> Response:
    """Return the answer a person or a program is given."""
    g.failed = True
    if speaks_json(request):
        return problem(status, sentence, field=field)
    return _page(status, sentence)


def _text(status: int, sentence: str) -> Response:
    """Return the same without anything around it; the id of the request on a line of its own."""
    answer = make_response(f"{sentence}\n{request_id()}\n", status)
    answer.content_type = "text/plain; charset=utf-8"
    return answer


def _page(status: int, sentence: str) -> Response:
    """Return the page a person is given; plain text where there is no site, or no database."""
    try:
        around = around_page(current.site())
    except (NotHereError, SQLAlchemyError):
        return _text(status, sentence)
    back = request.view_args.get("key") if request.view_args and status != 404 else None  # noqa: PLR2004 - HTTP's
    page = render_template(
        "errors/problem.html",
        title=around["_"](TITLES.get(status, HTTPStatus(status).phrase)),
        status=status,
        sentence=around["_"](sentence),
        request_id=request_id(),
        back_url=url_for("forms.gate", key=back) if back else None,
        **{**around, "framed": False, "parent": None},
    )
    return make_response(page, status)
