"""The door of the org: tokens, the calls of a day, and HTTP around the API."""

import base64
import itertools
import json
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request

from regportal.sandbox.salesforce.api import RELEASES, VERSIONS, Api
from regportal.sandbox.salesforce.ids import made
from regportal.sandbox.salesforce.org import Org
from regportal.sandbox.salesforce.refusals import RefusedError

METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE")


class Door:
    """Lets in whoever has a token, and counts the calls."""

    def __init__(self, org: Org, client: str, secret: str) -> None:
        """Open to one client."""
        self._org, self._client, self._secret = org, client, secret
        self._api = Api(org)
        self._numbers = itertools.count(1)
        self.tokens: set[str] = set()
        self.instance: str | None = None
        """Where clients are sent with their token; None: where they asked for it."""
        self.app = Flask("salesforce")
        self.app.add_url_rule("/services/oauth2/token", "token", self._token, methods=["POST"])
        self.app.add_url_rule("/services/data/", "versions", self._versions, strict_slashes=False)
        self.app.add_url_rule("/services/data/<path:rest>", "api", self._answer, methods=METHODS)

    def _token(self) -> Response:
        """Give out a token for the credentials of the client."""
        form = request.form
        client, secret = form.get("client_id"), form.get("client_secret")
        if request.authorization is not None and request.authorization.type == "basic":
            client, secret = request.authorization.username, request.authorization.password
        if form.get("grant_type") != "client_credentials":
            return _json(400, {"error": "unsupported_grant_type", "error_description": "..."})
        if client != self._client:
            says = "client identifier invalid"
            return _json(400, {"error": "invalid_client_id", "error_description": says})
        if secret != self._secret:
            says = "invalid client credentials"
            return _json(400, {"error": "invalid_client", "error_description": says})
        name = base64.b64encode(f"{next(self._numbers):024}".encode()).decode().strip("=")
        token = f"{made('00D', 1)[:15]}!AQ{name}"
        self.tokens.add(token)
        host = self.instance or request.host_url.rstrip("/")
        id = f"{host}/id/{made('00D', 1)}/{self._org.us}"
        told = {"access_token": token, "instance_url": host, "id": id, "token_type": "Bearer"}
        more = {"signature": "c2lnbmVk", "token_format": "opaque", "scope": "api"}
        return _json(200, told | more | {"issued_at": str(int(self._org.now().timestamp() * 1000))})

    def _versions(self) -> Response:
        """Say which versions there are: anybody may ask."""
        told = [
            {
                "label": RELEASES.get(one, f"Release {one}"),
                "url": f"/services/data/v{one}.0",
                "version": f"{one}.0",
            }
            for one in VERSIONS
        ]
        return _json(200, told)

    def _answer(self, rest: str) -> Response:
        """Answer a call of the API."""
        del rest
        word = request.headers.get("Authorization", "")
        if word.removeprefix("Bearer ").removeprefix("OAuth ") not in self.tokens:
            refused = RefusedError("INVALID_SESSION_ID", "Session expired or invalid", 401)
            return _json(401, refused.body())
        if self._org.used >= self._org.allowed:
            message = "TotalRequests Limit exceeded."
            refused = RefusedError("REQUEST_LIMIT_EXCEEDED", message, 403)
            return self._counted(_json(403, refused.body()))
        self._org.used += 1
        try:
            told = json.loads(request.get_data()) if request.get_data() else None
        except ValueError:
            refused = RefusedError("JSON_PARSER_ERROR", "Unexpected character in the body")
            return self._counted(_json(400, refused.body()))
        url = request.full_path if request.query_string else request.path
        said = self._api.ask(request.method, url, told, dict(request.headers))
        return self._counted(_json(said.status, said.told, said.headers))

    def _counted(self, response: Response) -> Response:
        """Say how many calls there were."""
        response.headers["Sforce-Limit-Info"] = f"api-usage={self._org.used}/{self._org.allowed}"
        return response


def _json(status: int, told: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in JSON; nothing where there is nothing to say."""
    body = "" if told is None else json.dumps(told)
    type_ = "application/json;charset=UTF-8"
    return Response(body, status, dict(headers or {}), content_type=type_)
