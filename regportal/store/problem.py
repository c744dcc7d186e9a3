"""An error as a program reads it (RFC 9457), and the id under which the log knows its request."""

import json
from http import HTTPStatus

from flask import Response, g, request

from regportal.store.ids import uuid7

REQUEST_ID = "regportal.request_id"
"""Where the server before us leaves the id of a request (WSGI environ)."""


def request_id() -> str:
    """Return the id of the current request: the one in the log, where our server wrote it."""
    if "request_id" not in g:
        g.request_id = request.environ.get(REQUEST_ID) or str(uuid7())
    found: str = g.request_id
    return found


def problem(status: int, says: str, *, after: int | None = None) -> Response:
    """Return a refusal with one sentence, and in how many seconds it may be tried again."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": says,
        "instance": f"urn:uuid:{request_id()}",
    }
    answer = Response(json.dumps(body), status, content_type="application/problem+json")
    if after is not None:
        answer.headers["Retry-After"] = str(after)
    return answer
