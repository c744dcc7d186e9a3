"""
The collector's own door: a small WSGI application in front of Flask.

It lets the plain good call of a browser in (security.md 3.4), by the same steps as the page
(``tracking/views.py``), for half of what the way through Flask costs. Whatever is odd in any way
it hands on with its body given back, so that what is refused, and how, is said in one place.
"""

import http
import io
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from flask import Flask, Request, g
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.sansio.utils import host_is_trusted

from regportal.app.pages import API, headers_of
from regportal.errors import RequestError, TooManyError
from regportal.identity import wire
from regportal.identity.api import read
from regportal.store import current
from regportal.store.documents import Shelf
from regportal.store.strict_json import read_json
from regportal.tracking.hearing import BEYOND, hear, keep
from regportal.tracking.telling import LARGEST, MEDIA, Events, counted

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/api/v1/interactions"
ACCEPTED = f"202 {http.HTTPStatus.ACCEPTED.phrase.upper()}"
OURS = {"REQUEST_METHOD": "POST", "PATH_INFO": PATH, "QUERY_STRING": ""}
ODD = ("HTTP_AUTHORIZATION", "HTTP_TRANSFER_ENCODING", "HTTP_X_HTTP_METHOD_OVERRIDE")
"""Headers with which a call is not the plain one."""
LENGTH = re.compile(r"[1-9][0-9]{0,4}")
TYPES = frozenset(
    {*MEDIA, *(f"{one};charset={utf}" for one in MEDIA for utf in ("UTF-8", "utf-8"))}
)


class Front:
    """Answers what it can, and asks the application for the rest."""

    def __init__(self, app: Flask, rest: "WSGIApplication") -> None:
        """Take the installation, and what answers all other requests."""
        self._app, self._rest = app, rest
        self._shelf: Shelf = app.extensions["regportal.shelf"]
        hosts = app.config["TRUSTED_HOSTS"]
        self._is_trusted = lru_cache(64)(lambda host: host_is_trusted(host, hosts))

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a plain good call; hand on everything else as it came."""
        if self._is_plain(environ):
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = io.BytesIO(body)
            with self._app.app_context():
                answer = self._answer(environ, body)
            if answer is not None:
                said, headers = answer
                start_response(ACCEPTED, headers)
                return [said]
        return self._rest(environ, start_response)

    def _is_plain(self, environ: "WSGIEnvironment") -> bool:
        """Return whether it looks like a browser's call; costs other requests next to nothing."""
        length = environ.get("CONTENT_LENGTH", "")
        return (
            all(environ.get(name, "") == value for name, value in OURS.items())
            and not any(name in environ for name in ODD)
            and environ.get("CONTENT_TYPE", "").replace(" ", "") in TYPES
            and LENGTH.fullmatch(length) is not None
            and int(length) <= LARGEST
            and self._shelf.held is not None
            and self._is_trusted(environ.get("HTTP_HOST", ""))
        )

    def _answer(
        self, environ: "WSGIEnvironment", body: bytes
    ) -> tuple[bytes, list[tuple[str, str]]] | None:
        """Keep what is told and return the answer; None where Flask must say what is wrong."""
        now = datetime.now(UTC)
        sent = Request(environ)
        g.published = self._shelf.held
        try:
            wire.check_origin(sent, current.site())
            heard, refused = hear(read(Events, read_json(body, most=LARGEST)), sent, now=now)
            events = len(heard.telling.events)
            accepted = keep(heard) if events else None
        except TooManyError as error:
            environ[BEYOND] = error
            return None
        except (RequestError, SQLAlchemyError):
            return None
        if accepted is None:
            return None
        if accepted:
            current.wake("unpack")
        told = counted(accepted, events - accepted, refused).model_dump_json().encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(told)),
            **headers_of(API, sent),
        }
        return told, list(headers.items())
