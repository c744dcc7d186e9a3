"""The document of everything under /api/v1, for programs and their authors (OpenAPI 3.1)."""

from importlib.metadata import version
from typing import Any

from flask import jsonify
from flask_openapi.models.info import Info
from flask_openapi.models.security_scheme import SecurityScheme
from flask_openapi.models.server import Server
from flask_openapi.openapi import OpenAPI

from regportal.config import Settings
from regportal.identity.api import KEY, VISITOR
from regportal.identity.browser import SCRIPT_HEADER
from regportal.identity.keys import SCOPES
from regportal.store.problem import Problem

DESCRIPTION = """\
What programs may ask and tell. Requests are strict JSON (UTF-8, no key twice, no key we do not
know); refusals are `application/problem+json`, one sentence each. Moments are RFC 3339, answers
in UTC. See docs/api.md."""
KEYS = "\n".join(f"- `{scope}`: {says}" for scope, says in SCOPES.items())
SCHEMES = {
    KEY: SecurityScheme(
        type="http",
        scheme="bearer",
        description=f"An API key (`regportal key add`). Its scopes:\n\n{KEYS}",
    ),
    VISITOR: SecurityScheme.model_validate(
        {
            "type": "apiKey",
            "in": "header",
            "name": SCRIPT_HEADER,
            "description": "The visitor's token, where his browser keeps no cookie of ours; with "
            "one, the cookie says it. Both are returned, and neither is needed.",
        }
    ),
}


def described(settings: Settings, **flask: Any) -> OpenAPI:
    """Return an application that describes the calls registered with it."""
    app = OpenAPI(
        "regportal",
        info=Info(title="regportal", version=version("regportal"), description=DESCRIPTION),
        servers=[Server(url=settings.base_url.rstrip("/"))],
        security_schemes=dict(SCHEMES),
        validation_error_status=400,
        validation_error_model=Problem,
        doc_ui=False,  # ours to serve: with the headers of its page type
        **flask,
    )
    app.openapi_version = "3.1.1"
    app.add_url_rule("/api/openapi.json", "openapi", lambda: jsonify(app.api_doc))
    return app
