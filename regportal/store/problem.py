"""An error as a program reads it (RFC 9457), and the id under which the log knows its request."""

from http import HTTPStatus
from typing import Annotated

from flask import Response, g, request
from pydantic import BaseModel, Field

from regportal.store.ids import uuid7

PROBLEM = "application/problem+json"
REQUEST_ID = "regportal.request_id"
"""Where the server before us leaves the id of a request (WSGI environ)."""


class Problem(BaseModel):
    """Why something was refused (RFC 9457)."""

    type: Annotated[str, Field(description="What kind of problem: `about:blank`, the status.")]
    title: Annotated[str, Field(description="The status in HTTP's own words.")]
    status: Annotated[int, Field(description="The status again.", ge=400, le=599)]
    detail: Annotated[str, Field(description="What is wrong, in one sentence.")]
    instance: Annotated[str, Field(description="The id under which the log knows the request.")]
    field: Annotated[str | None, Field(description="Where it is wrong, in what was sent.")] = None
    effort: Annotated[
        dict[str, str | int] | None,
        Field(
            description="Where many come from one network, what to find first and send along: the"
            " number below `most` for which the SHA-256 of `salt:number` is `goal`."
        ),
    ] = None


def request_id() -> str:
    """Return the id of the current request: the one in the log, where our server wrote it."""
    if "request_id" not in g:
        g.request_id = request.environ.get(REQUEST_ID) or str(uuid7())
    found: str = g.request_id
    return found


def problem(
    status: int,
    says: str,
    *,
    after: int | None = None,
    field: str | None = None,
    effort: dict[str, str | int] | None = None,
) -> Response:
    """Return a refusal: one sentence, the field it is about, in how many seconds to try again."""
    told = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=says,
        instance=f"urn:uuid:{request_id()}",
        field=field or None,
        effort=effort,
    )
    body = told.model_dump_json(exclude_none=True)
    answer = Response(body, status, content_type=PROBLEM)
    if after is not None:
        answer.headers["Retry-After"] = str(after)
    return answer
