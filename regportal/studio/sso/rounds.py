"""
One round to the provider and back: what we asked, kept in the browser that asked.

It is sealed, lasts ten minutes, and is in a cookie of its own: that of the session does not come
along when a page of somebody else leads to us.
"""

import json
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Request, Response

from regportal.accounts.sessions import AWAITED
from regportal.config import Settings
from regportal.errors import ConfigError
from regportal.identity.browser import cookie_name
from regportal.store.tokens import fresh_token
from regportal.store.vault import seal, unseal

COOKIE = "rp_sso"
PURPOSE = "studio-sso-round"


@dataclass(frozen=True, slots=True)
class Round:
    """What was asked, and what has to come back."""

    state: str
    nonce: str
    verifier: str
    """Whose hash the provider was given (PKCE)."""
    begun: float
    onward: str
    """The page that was asked for."""
    only: str | None = None
    """Whoever is signed in, and must prove once more that it is he."""
    session: str | None = None
    """The hash of his session, which the new one replaces."""

    @property
    def begun_at(self) -> datetime:
        """Return when it began."""
        return datetime.fromtimestamp(self.begun, UTC)

    @property
    def only_id(self) -> uuid.UUID | None:
        """Return who must prove once more that it is he."""
        return uuid.UUID(self.only) if self.only else None

    def is_over(self, now: datetime) -> bool:
        """Return whether it took too long."""
        return not self.begun_at <= now <= self.begun_at + AWAITED


def begin(onward: str, only: uuid.UUID | None, session: bytes | None, *, now: datetime) -> Round:
    """Return a new round."""
    return Round(
        state=fresh_token(),
        nonce=fresh_token(),
        verifier=fresh_token(),
        begun=now.timestamp(),
        onward=onward,
        only=str(only) if only else None,
        session=session.hex() if session and only else None,
    )


def keep(response: Response, one: Round, settings: Settings) -> None:
    """Let the browser keep a round."""
    response.set_cookie(
        cookie_name(settings, COOKIE),
        seal(json.dumps(asdict(one)), PURPOSE, settings.keys),
        max_age=int(AWAITED.total_seconds()),
        **_attributes(settings),
    )


def forget(response: Response, settings: Settings) -> Response:
    """Let the browser forget a round: it is walked once."""
    response.delete_cookie(cookie_name(settings, COOKIE), **_attributes(settings))
    return response


def kept_in(request: Request, settings: Settings) -> Round | None:
    """Return the round that this browser began; None where there is none of ours."""
    try:
        text = unseal(
            request.cookies.get(cookie_name(settings, COOKIE), ""), PURPOSE, settings.keys
        )
        return Round(**json.loads(text))
    except (ConfigError, ValueError, TypeError):
        return None


def _attributes(settings: Settings) -> dict[str, Any]:
    """Return what the cookie is bound to; the provider's page leads back to us, hence Lax."""
    return {
        "path": "/",
        "secure": not settings.development,
        "httponly": True,
        "samesite": "Lax",
    }
