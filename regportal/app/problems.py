"""What goes wrong, told once: as a page to people, as problem+json to programs."""

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
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import SecurityError

from regportal.app.pages import speaks_json
from regportal.errors import NotHereError
from regportal.forms.pages import around_page
from regportal.store import current, refusals
from regportal.store.problem import problem, request_id
from regportal.store.refusals import SENTENCES, TITLES


def use(app: Flask) -> None:
    """Let every error of ours, and every other, be told."""
    refusals.use(app, _problem)
    app.register_error_handler(SecurityError, _stranger)


def _stranger(error: SecurityError) -> ResponseReturnValue:
    """Refuse whoever calls us by a name that is not ours; what we answer names our own address."""
    del error
    ours = urlsplit(current.settings().base_url)
    request_ctx.url_adapter = current_app.url_map.bind(ours.netloc, script_name=ours.path or "/")
    return _problem(400, SENTENCES[400], None)


def _problem(status: int, sentence: str, field: str | None) -> Response:
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
