"""The door for CRMs: ``POST /hooks/<connector key>``, signed."""

import json
import logging
from datetime import UTC, datetime
from http import HTTPStatus

import sqlalchemy as sa
from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from regportal.connectors.schema import Connector
from regportal.connectors.signatures import UnsignedError, keys_of, verify
from regportal.errors import ConfigError, RequestError
from regportal.inbox.actions import LARGEST, take
from regportal.store.current import published, settings, store, wake

AGAIN = 30  # seconds after which a CRM may try again what we could not store

bp = Blueprint("inbox", __name__)
logger = logging.getLogger(__name__)


@bp.post("/hooks/<key>")
def hook(key: str) -> ResponseReturnValue:
    """Take a call of a CRM: verified and stored before it is answered, understood later."""
    now = datetime.now(UTC)
    request.max_content_length = LARGEST
    try:
        connector = published().one(Connector, key)
        body = request.get_data(cache=False)
        message_id = _signed_by(connector, body, now)
        store().write(lambda session: take(session, key, message_id, body, now=now))
    except RequestError as error:
        return problem(error.status, str(error))
    except HTTPException as error:  # too large, or cut off
        return problem(error.code or HTTPStatus.BAD_REQUEST, "The body cannot be taken.")
    except (sa.exc.SQLAlchemyError, OSError):
        logger.exception("a call of %s could not be stored", key)
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "We cannot store anything just now.")
    wake("understand")
    return Response(status=HTTPStatus.ACCEPTED)


def problem(status: int, detail: str) -> Response:
    """Return a refusal as RFC 9457 writes it."""
    said = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    answer = Response(json.dumps(said), status, content_type="application/problem+json")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = str(AGAIN)
    return answer


def _signed_by(connector: Connector, body: bytes, now: datetime) -> str:
    """Return the id of a call this connector signed; raise UnsignedError for any other."""
    try:
        keys = keys_of(settings().secret(connector.inbound_secret or connector.secret))
    except ConfigError as error:  # ours to mend: the CRM hears no more than that, and tries again
        logger.error("calls of %s cannot be verified: %s", connector.key, error)  # noqa: TRY400 - the sentence is all
        raise UnsignedError("this call cannot be verified") from error
    return verify(keys, dict(request.headers), body, now=now)
