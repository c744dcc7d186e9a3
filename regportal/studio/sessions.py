"""
Sessions of the Studio: what a browser is signed in as, kept here and not in its cookie.

Before anybody has proved anything there is no row: what a page of then needs (its CSRF token, one
sentence to say) travels signed in a cookie of ten minutes, so that nobody fills the database by
opening the sign-in page.
"""

import hashlib
import json
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Flask, Request, Response, g, request
from flask.sessions import SecureCookieSession, SessionInterface, SessionMixin
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy.orm import Session

from regportal.accounts import sessions
from regportal.accounts.sessions import AWAITED, SEEN_AGAIN, Browser
from regportal.config import Settings
from regportal.errors import ConfigError
from regportal.identity.browser import TOKEN, browser_name, cookie_name
from regportal.identity.wire import network_of
from regportal.store import current
from regportal.store.tokens import fresh_token, hash_of
from regportal.store.vault import seal, unseal

COOKIE = "rp_admin"
"""Whoever has signed in, or is about to."""
BEFORE = "rp_pre"
"""Nobody yet: ten minutes of a sign-in page."""
PERSON, AWAITS = "_user_id", "tf_user_id"
"""Where Flask-Login and Flask-Security say who it is, and whose second factor is awaited."""
CSRF = "csrf_token"
STATIC = ("/static/", "/bootstrap/", "/vendor/")


class Opened(SecureCookieSession):
    """What a browser's session remembers, and where it is kept."""

    key: bytes | None = None
    """The hash of its token; None where nothing is kept here."""
    seen_at: datetime | None = None
    before: tuple[Any, Any] = (None, None)
    """Who it was, and who was awaited, when the request began."""

    @property
    def who(self) -> tuple[Any, Any]:
        """Return who it is, and whose second factor is awaited."""
        return self.get(PERSON), self.get(AWAITS)


class Sessions(SessionInterface):
    """Opens and keeps sessions; a new token whenever somebody becomes somebody else."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings, by which cookies are called and signed."""
        self._settings = settings
        self._cookie, self._before = cookie_name(settings, COOKIE), cookie_name(settings, BEFORE)
        self._signer = URLSafeTimedSerializer(
            list(reversed(settings.keys)),
            salt="regportal.studio.before",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def open_session(self, app: Flask, request: Request) -> Opened:
        """Return the session of a request; an empty one where there is none."""
        del app
        if request.path.startswith(STATIC):
            return Opened()
        return self._kept(request) or self._unproven(request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Keep what a session remembers, and let the browser keep how it is found."""
        del app
        if not isinstance(session, Opened):
            raise TypeError("a session of the Studio is one of its own")
        now = datetime.now(UTC)
        if session.who == (None, None):
            self._let_go(session, response)
        elif session.who != session.before or session.key is None:
            self._begin(session, response, now=now)
        elif session.modified:
            sealed = self._sealed(session, session.key)
            current.store().write(partial(sessions.change, key=session.key, sealed=sealed, now=now))
        elif session.seen_at is not None and now - session.seen_at > SEEN_AGAIN:
            current.store().note(partial(sessions.see, key=session.key, now=now))

    def _kept(self, request: Request) -> Opened | None:
        """Return the session that the cookie's token finds, while it lasts."""
        token = request.cookies.get(self._cookie, "")
        if not TOKEN.fullmatch(token):
            return None
        with current.store().read() as reading:
            row = sessions.find(reading, token, now=datetime.now(UTC))
        if row is None:
            return None
        try:
            opened = Opened(json.loads(unseal(row.sealed, _about(row.hash), self._settings.keys)))
        except ConfigError:  # its key is gone
            return None
        opened.key, opened.seen_at, opened.before = row.hash, row.seen_at, opened.who
        opened.modified = False
        return opened

    def _unproven(self, request: Request) -> Opened:
        """Return what the sign-in page left in the browser; it never says who somebody is."""
        try:
            seconds = int(AWAITED.total_seconds())
            told = self._signer.loads(request.cookies.get(self._before, ""), max_age=seconds)
        except BadData:
            return Opened()
        opened = Opened({key: told[key] for key in told if key not in {PERSON, AWAITS}})
        opened.modified = False
        return opened

    def _begin(self, session: Opened, response: Response, *, now: datetime) -> None:
        """Begin a session under a new token: what anybody knew of it before opens nothing."""
        old, token = session.key, fresh_token()
        session.pop(CSRF, None)
        g.pop(CSRF, None)
        sealed = self._sealed(session, hash_of(token))
        browser = Browser(browser_name(request), network_of(request))

        def begin(writing: Session) -> None:
            if old is not None:
                sessions.end(writing, old)
            sessions.begin(writing, token, sealed, session.get(PERSON), browser, now=now)

        current.store().write(begin)
        response.set_cookie(self._cookie, token, **self._attributes("Strict"))
        response.delete_cookie(self._before, **self._attributes("Lax"))

    def _let_go(self, session: Opened, response: Response) -> None:
        """End a session in which nobody is signed in; keep what its sign-in page needs."""
        if session.key is not None:
            current.store().write(partial(sessions.end, key=session.key))
            if session.before[0] is not None:  # else the page before us has it in its forms
                session.pop(CSRF, None)
            response.delete_cookie(self._cookie, **self._attributes("Strict"))
        if session.modified:
            response.set_cookie(
                self._before,
                self._signer.dumps(dict(session)),
                max_age=int(AWAITED.total_seconds()),
                **self._attributes("Lax"),
            )

    def _sealed(self, session: Opened, key: bytes) -> str:
        """Return what a session remembers as it is kept."""
        return seal(json.dumps(dict(session)), _about(key), self._settings.keys)

    def _attributes(self, samesite: str) -> dict[str, Any]:
        """Return what a cookie is bound to."""
        return {
            "path": "/",
            "secure": not self._settings.development,
            "httponly": True,
            "samesite": samesite,
        }


def _about(key: bytes) -> str:
    """Return what a session is sealed for."""
    return f"studio-session:{key.hex()}"
