"""
The collector's own door: a small WSGI application in front of Flask.

It lets the plain good call of a browser in (security.md 3.4), by the same steps as the page
(``tracking/views.py``), for half of what the way through Flask costs. Whatever is odd in any way
it hands on with its body given back, so that what is refused, and how, is said in one place.
"""

import http
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from flask import Flask, Request, g
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.sansio.utils import host_is_trusted
from werkzeug.wsgi import ClosingIterator

from regportal.app.pages import API, headers_of
from regportal.errors import RequestError, TooManyError
from regportal.identity import wire
from regportal.identity.api import Refused
from regportal.store import current
from regportal.store.asked import read
from regportal.store.documents import Shelf
from regportal.store.strict_json import KIB, read_json
from regportal.tracking.hearing import BEYOND, Sender, Taken, begin_to_keep, hear, sender_of
from regportal.tracking.telling import LARGEST, MEDIA, Events, counted

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/api/v1/interactions"
ACCEPTED = f"202 {http.HTTPStatus.ACCEPTED.phrase.upper()}"
OURS = {"REQUEST_METHOD": "POST", "PATH_INFO": PATH, "QUERY_STRING": ""}
ODD = ("HTTP_AUTHORIZATION", "HTTP_TRANSFER_ENCODING", "HTTP_X_HTTP_METHOD_OVERRIDE")
"""Headers with which a call is not the plain one."""
HEADER = "HTTP_"
SAID = frozenset(
    {
        *("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_NAME"),
        *("SERVER_PORT", "REMOTE_ADDR", "wsgi.url_scheme"),
    }
)
"""What a request says of itself, besides its headers."""
LONGEST = 8 * KIB
"""Signs of all that, so that what is remembered of callers stays small."""
CALLERS = 512
"""Callers that are remembered: a page tells several times, and nothing of them changes."""
WAITS = "regportal.waits"
"""
Where a server that takes several calls before it answers the first hears what to wait for.

It puts None there. In its place the door leaves what waits until a call is kept, and returns
whether that is all there is to say; where it leaves nothing, Flask answers once it is asked to.
"""
LENGTH = re.compile(r"[1-9][0-9]{0,4}")
TYPES = frozenset(
    {*MEDIA, *(f"{one};charset={utf}" for one in MEDIA for utf in ("UTF-8", "utf-8"))}
)


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who calls, and the headers that answer him; the same for all calls with the same headers."""

    sender: Sender
    headers: Mapping[str, str]


def _caller(_number: int, said: tuple[tuple[str, str], ...]) -> _Caller:
    """
    Return who says this under the publication of a number.

    Raises ForbiddenError where he is on a page that may not tell us anything.
    """
    sent = Request(dict(said))
    wire.check_origin(sent, current.site())
    return _Caller(sender_of(sent), headers_of(API, sent))


@dataclass(frozen=True, slots=True)
class _Begun:
    """A call that is on its way to be kept."""

    kept: Future[Taken]
    events: int
    refused: list[Refused]
    headers: Mapping[str, str]

    def outcome(self) -> Taken:
        """Wait for what became of it; None where Flask must say what is wrong."""
        try:
            return self.kept.result()
        except SQLAlchemyError:
            return None

    def is_kept(self) -> bool:
        """Wait for what became of it; return whether it was kept."""
        return isinstance(self.outcome(), int)


class Front:
    """Answers what it can, and asks the application for the rest."""

    def __init__(self, app: Flask, rest: "WSGIApplication") -> None:
        """Take the installation, and what answers all other requests."""
        self._app, self._rest = app, rest
        self._shelf: Shelf = app.extensions["regportal.shelf"]
        hosts = app.config["TRUSTED_HOSTS"]
        self._is_trusted = lru_cache(64)(lambda host: host_is_trusted(host, hosts))
        self._caller = lru_cache(CALLERS)(_caller)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """
        Answer a plain good call; hand on everything else as it came.

        What is told is on its way to be kept when this returns; the answer waits for it when it
        is asked for. So a server that takes several calls before it asks for the first answer
        lets them share a commit.
        """
        if self._is_plain(environ):
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = io.BytesIO(body)
            begun = self._begin(environ, body)
            if begun is not None:
                if WAITS in environ:
                    environ[WAITS] = begun.is_kept
                return self._answer(begun, environ, start_response)
        if WAITS in environ:
            return self._hand_on(environ, start_response)
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
            and self._is_trusted(environ.get("HTTP_HOST", ""))
        )

    def _begin(self, environ: "WSGIEnvironment", body: bytes) -> _Begun | None:
        """Begin to keep what is told; return None where Flask must say what is wrong."""
        published = self._shelf.held
        said = tuple(one for one in environ.items() if one[0] in SAID or one[0].startswith(HEADER))
        if published is None or sum(len(value) for _, value in said) > LONGEST:
            return None
        with self._app.app_context():
            g.published = published
            try:
                caller = self._caller(published.number, said)
                call = read(Events, read_json(body, most=LARGEST))
            except RequestError:
                return None
            heard, refused = hear(call, caller.sender, now=datetime.now(UTC))
            if not heard.telling.events:
                return None
            return _Begun(begin_to_keep(heard), len(heard.telling.events), refused, caller.headers)

    def _answer(
        self, begun: _Begun, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterator[bytes]:
        """Answer once everything is kept; where it was not, Flask says why."""
        kept = begun.outcome()
        if isinstance(kept, TooManyError):
            environ[BEYOND] = kept
        if not isinstance(kept, int):
            yield from self._hand_on(environ, start_response)
            return
        if kept:
            self._app.extensions["regportal.wake"]("unpack")
        told = counted(kept, begun.events - kept, begun.refused).model_dump_json().encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(told)),
            **begun.headers,
        }
        start_response(ACCEPTED, list(headers.items()))
        yield told

    def _hand_on(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterator[bytes]:
        """Let Flask answer, from when the answer is asked for."""
        with closing(ClosingIterator(self._rest(environ, start_response))) as rest:
            yield from rest
