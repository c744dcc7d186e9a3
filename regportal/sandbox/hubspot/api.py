"""The door of a HubSpot account: who is let in, and what is answered to everybody."""

from http import HTTPStatus

from flask import Flask, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from regportal.sandbox.hubspot import fields, objects, preferences
from regportal.sandbox.hubspot.answering import PARTLY, Account, the_account
from regportal.sandbox.hubspot.refusing import RefusedError


def create_app(account: Account) -> Flask:
    """Return the application of an account."""
    app = Flask("hubspot")
    app.extensions["hubspot"] = account
    app.before_request(_let_in)
    app.after_request(_counted)
    app.register_error_handler(RefusedError, lambda error: (error.body(), error.status))
    app.register_error_handler(HTTPException, _unknown)
    for room in (objects, fields, preferences):
        app.register_blueprint(room.bp)
    return app


def _let_in() -> None:
    """Refuse who has no token, calls too often, or asks for a version there is not."""
    asked = the_account()
    word = request.headers.get("Authorization", "")
    if word.removeprefix("Bearer ") not in asked.tokens or not word.startswith("Bearer "):
        says = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
        raise RefusedError(401, "INVALID_AUTHENTICATION", says)
    asked.limits.take(is_search=request.path.endswith("/search"))
    version = (request.view_args or {}).get("version")
    if version is not None and version not in PARTLY:
        raise RefusedError(404, "OBJECT_NOT_FOUND", "Unable to find the version")


def _counted(response: Response) -> Response:
    """Say how many calls are left."""
    response.headers.update(the_account().limits.headers())
    return response


def _unknown(error: HTTPException) -> ResponseReturnValue:
    """Answer what has no place here."""
    status = error.code or 500
    category = "OBJECT_NOT_FOUND" if status == HTTPStatus.NOT_FOUND else "VALIDATION_ERROR"
    return RefusedError(status, category, "resource not found").body(), status
