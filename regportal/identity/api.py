"""What programs ask under /api/v1: said once, for who answers and for who reads the document."""

from collections.abc import Callable, Collection, Mapping
from functools import partial, wraps
from inspect import cleandoc, signature
from typing import Annotated, Any, TypeVar, get_type_hints

from flask import Response, make_response, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.header import Header
from flask_openapi.models.schema import Schema
from flask_openapi.models.tag import Tag
from flask_openapi.utils import parse_rule
from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema
from pydantic.json_schema import JsonSchemaMode

from regportal.connectors.rules import in_full
from regportal.errors import BadRequestError
from regportal.identity import limits, wire
from regportal.identity.browser import SCRIPT_HEADER
from regportal.identity.keys import caller_of
from regportal.identity.models import ApiKey
from regportal.store import current
from regportal.store.asked import read, said_of
from regportal.store.problem import PROBLEM, Problem
from regportal.store.strict_json import KIB, AnyMoment, read_json

View = Callable[..., BaseModel | Response]
V = TypeVar("V", bound=View)

V1 = "/api/v1"
JSON = "application/json"
KEY, VISITOR = "key", "visitor"
"""How a call says whose it is: the names of the security schemes."""

Moment = Annotated[
    AnyMoment,
    PlainSerializer(in_full, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A moment as every program is told of it: RFC 3339, UTC."""
REFUSALS: Mapping[int, str] = {
    400: "It cannot be understood; `detail` says what is wrong, `field` where.",
    401: "There is no key, or not a good one.",
    403: "The key is not for this, or the page that sent it may not.",
    404: "There is nothing under this address.",
    409: "Too old, or used before with other content.",
    413: "More than is taken at once.",
    422: "A value is missing or cannot be taken; `field` says which.",
    429: "More than a limit allows; `Retry-After` says when to come again.",
    503: "Nothing can be stored at the moment; the same may be sent again.",
}
WAITS = (429, 503)
WAIT = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
TOKEN = Header(
    description="The visitor's token from now on, where one was sent.", schema=Schema(type="string")
)


class Refused(BaseModel):
    """One of many that could not be taken; the others were."""

    index: Annotated[int, Field(ge=0, description="Its place among those sent, from 0.")]
    reason: Annotated[str, Field(description="What is wrong with it.")]


class Counted(BaseModel):
    """What became of what was told."""

    accepted: Annotated[int, Field(ge=0, description="Taken now.")]
    duplicate: Annotated[int, Field(ge=0, description="Taken before: no second effect.")]
    refused: Annotated[list[Refused], Field(description="Not taken, and why.")]


class Api(APIBlueprint):
    """The calls of one room."""

    def __init__(self, name: str, import_name: str, tag: str, about: str) -> None:
        """Take the name as endpoints have it, and what the calls are about: a word, a sentence."""
        super().__init__(name, import_name, abp_tags=[Tag(name=tag, description=about)])

    def call(  # noqa: PLR0913 - a declaration: all but the route and the answer are optional
        self,
        route: str,
        *,
        answers: type[BaseModel],
        scope: str | None = None,
        pages: str | None = None,
        status: int = 200,
        most: int = 64 * KIB,
        also: Mapping[str, Callable[[bytes], object] | None] = {},
        refuses: Collection[int] = (),
    ) -> Callable[[V], V]:
        """
        Return what makes of a view a call: checked and read before it, described in the document.

        ``route`` is method and path below /api/v1. ``scope`` is what a key needs; ``pages`` names
        the limit under which pages of the site may call without one, empty where the view counts
        them itself; where both are given, either will do. The view takes by name what it needs:
        ``path``, ``query`` and ``body`` as the models it annotates, ``caller`` the key. A body is
        strict JSON of at most ``most`` bytes; ``also`` names other content types and what reads
        them (None: the same JSON). ``refuses`` names statuses that only the view knows.
        """
        method, path = route.split(" ")
        rule = V1 + path

        def decorate(view: V) -> V:
            models, wanted = get_type_hints(view), signature(view).parameters
            readers: dict[str, Callable[[bytes], object]] = {}
            if "body" in models:
                as_json = partial(read_json, most=most)
                readers = {JSON: as_json} | {kind: read or as_json for kind, read in also.items()}

            @wraps(view)
            def called(**in_path: Any) -> Response:
                given: dict[str, Any] = {"caller": _admitted(scope, pages)}
                if "path" in models:
                    given["path"] = read(models["path"], in_path)
                if "query" in models:
                    given["query"] = read(
                        models["query"], said_of(models["query"], request.args.lists())
                    )
                if "body" in models:
                    given["body"] = read(models["body"], _body(readers, most))
                said = view(**{name: given[name] for name in wanted})
                return said if isinstance(said, Response) else answer(said, status)

            # We read what was sent ourselves (docs/decisions/0011): keys before bodies, all of it
            # strictly. The library is told as its own validate_request() tells it.
            vars(called)["__delay_validate_request__"] = True
            summary, _, description = cleandoc(view.__doc__ or "").partition("\n\n")
            described: dict[str, Any] = {
                "operation_id": view.__name__,
                "summary": summary,
                "description": description.replace("``", "`") or summary,
                "security": _security(scope, pages),
                "responses": {status: answers} | _refusals(refuses, scope, method, readers),
            }
            if readers:
                described["request_body"] = _taken(models["body"], readers, also)
            add = {"GET": self.get, "POST": self.post, "DELETE": self.delete}[method]
            add(rule, **described)(called)
            self.components_schemas |= _whole(answers, "serialization")
            if readers:
                self.components_schemas |= _whole(models["body"], "validation")
            if pages is not None:
                operation = getattr(self.paths[parse_rule(rule)], method.lower())
                operation.responses[str(status)].headers = {SCRIPT_HEADER: TOKEN}
            return view

        return decorate


def answer(said: BaseModel, status: int = 200) -> Response:
    """Return an answer as it is sent; for views that add something to it."""
    return make_response(said.model_dump_json(), status, {"Content-Type": JSON})


def _admitted(scope: str | None, pages: str | None) -> ApiKey | None:
    """Return whose key a call carries, None where a page of the site may call without."""
    if scope is not None and (pages is None or "Authorization" in request.headers):
        return caller_of(request, scope)
    if request.method != "GET":
        wire.check_caller(request, current.site(), keys=scope is not None)
    if pages:
        limits.check(pages)
    return None


def _body(readers: Mapping[str, Callable[[bytes], object]], most: int) -> object:
    """Return what was sent; raise BadRequestError for another content type, or where it is none."""
    request.max_content_length = most
    reader = readers.get(request.mimetype)
    if reader is None:
        raise BadRequestError(f"Please send {' or '.join(readers)}.")
    return reader(request.get_data(cache=False))


# --- the document ---


def _security(scope: str | None, pages: str | None) -> list[dict[str, list[str]]]:
    """Return how a call may say whose it is: any one of these."""
    keys: list[dict[str, list[str]]] = [{KEY: [scope]}] if scope is not None else []
    return [*keys, {VISITOR: []}, {}] if pages is not None else keys or [{}]


def _refusals(
    refuses: Collection[int], scope: str | None, method: str, readers: Collection[str]
) -> dict[int, dict[str, Any]]:
    """Return how a call is refused."""
    statuses = {400, 429, 503, *refuses}
    if scope is not None:
        statuses |= {401, 403}
    if method != "GET":
        statuses.add(403)
    if readers:
        statuses.add(413)
    content = {PROBLEM: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {
        one: {"description": REFUSALS[one], "content": content}
        | ({"headers": WAIT} if one in WAITS else {})
        for one in sorted(statuses)
    }


def _whole(kind: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
    """Return the schemas of a model, all they say: the library keeps only what it knows."""
    schema = kind.model_json_schema(ref_template="#/components/schemas/{model}", mode=mode)
    named: dict[str, Any] = schema.pop("$defs", {})
    return named | {kind.__name__: schema}


def _taken(
    kind: type[BaseModel],
    readers: Collection[str],
    also: Mapping[str, Callable[[bytes], object] | None],
) -> dict[str, Any]:
    """Return what may be sent, by content type."""
    model = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {
        "required": True,
        "description": cleandoc(kind.__doc__ or ""),
        "content": {
            media: {"schema": {"type": "string"} if also.get(media) else model} for media in readers
        },
    }
