"""The door for CRMs: ``POST /hooks/<connector key>``, signed."""

import logging
from datetime import UTC, datetime
from http import HTTPStatus

import sqlalchemy as sa
from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from regportal.connectors.base import (
    MOST_INBOUND,
    Connector,
    InboundReply,
    InboundRequest,
    connector_for,
    secrets_of,
)
from regportal.connectors.schema import Connector as Document
from regportal.errors import ConfigError, RequestError, TooManyError, UnsignedError
from regportal.identity import limits
from regportal.inbox.actions import take, take_hint, take_news
from regportal.inbox.polling import hint
from regportal.store.current import published, settings, store, vault, wake
from regportal.store.problem import problem

Doors = dict[str, tuple[Document, tuple[str, ...], Connector]]
"""By key the connectors whose calls we took, and the documents and secrets they were made from."""
AGAIN = 30  # seconds after which a CRM may try again what we could not store

bp = Blueprint("inbox", __name__)
logger = logging.getLogger(__name__)


@bp.post("/hooks/<key>")
def hook(key: str) -> ResponseReturnValue:
    """Take a call of a CRM: verified and stored before it is answered, understood later."""
    now = datetime.now(UTC)
    request.max_content_length = MOST_INBOUND
    try:
        connector = published().one(Document, key)
        body = request.get_data(cache=False)
        call = InboundRequest(dict(request.headers), body, _called(key))
        reply = _door(connector).accept(call, now=now)
        if reply.status != HTTPStatus.ACCEPTED.value:
            limits.check("hooks", now=now)
            return problem(reply.status, reply.says)
        store().write(lambda session: _keep(session, key, reply, body, now=now))
    except TooManyError as error:
        return problem(error.status, str(error), after=error.after)
    except RequestError as error:
        return problem(error.status, str(error))
    except HTTPException as error:  # too large, or cut off
        return problem(error.code or HTTPStatus.BAD_REQUEST, "The body cannot be taken.")
    except (sa.exc.SQLAlchemyError, OSError):
        logger.exception("a call of %s could not be stored", key)
        says = "We cannot store anything just now."
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, says, after=AGAIN)
    wake(f"poll:{key}" if reply.is_hint else "understand")
    return Response(status=HTTPStatus.ACCEPTED)


def _called(key: str) -> str:
    """Return where we were called, as it is known outside: some sign that, too."""
    query = request.query_string.decode("latin-1")
    return f"{settings().base_url}/hooks/{key}" + (f"?{query}" if query else "")


def _keep(session: Session, key: str, reply: InboundReply, body: bytes, *, now: datetime) -> None:
    """Keep a call as it came; after a hint the CRM is asked what happened, and if it is so."""
    if reply.is_hint:
        take_hint(session, key, reply.message_id, body, now=now)
        for news in reply.news:
            take_news(session, key, news, is_sure=False, now=now)
        hint(session, key, now=now)
    else:
        take(session, key, reply.message_id, body, now=now)


def _door(document: Document) -> Connector:
    """
    Return the connector that knows its CRM's calls; made once, until document or secret changes.

    Raises UnsignedError where we cannot verify for it.
    """
    made: Doors = current_app.extensions.setdefault("regportal.doors", {})
    try:
        secrets = secrets_of(document, vault().secret)
        kept = made.get(document.key)
        if kept is None or kept[:2] != (document, secrets):
            door = connector_for(document, settings(), vault().secret)
            kept = made[document.key] = (document, secrets, door)
        return kept[2]
    except ConfigError as error:  # ours to mend: the CRM hears no more than that, and tries again
        logger.error("calls of %s cannot be verified: %s", document.key, error)  # noqa: TRY400 - the sentence is all
        raise UnsignedError("this call cannot be verified") from error
