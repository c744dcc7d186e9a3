"""Who is let in to a fake Dataverse, and how often: tokens as Entra gives them, and the limits."""

import math
import re
import secrets
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

LASTS = timedelta(seconds=3599)
WINDOW = timedelta(seconds=300)
TOO_MANY = "0x80072322"
SCOPE = re.compile(r"https?://[^/\s]+/\.default")


@dataclass(slots=True)
class Entrance:
    """The tokens that were given, and the calls that were made with them."""

    clock: Callable[[], datetime]
    client: str
    secret: str
    most: int = 6000
    """Calls within five minutes, per user and web server."""
    tokens: dict[str, datetime] = field(default_factory=dict)
    _calls: deque[datetime] = field(default_factory=deque)
    _over: int = 0
    """How often somebody went on asking who was asked to wait: that makes it longer."""

    def token(self, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Return the status and the answer to whoever asks for a token."""
        if form.get("grant_type") != "client_credentials":
            return 400, self._refused("unsupported_grant_type", 70003, "The grant is not supported")
        if not SCOPE.fullmatch(form.get("scope", "")):
            return 400, self._refused("invalid_scope", 70011, "The scope is not valid")
        if form.get("client_id") != self.client:
            says = f"Application with identifier '{form.get('client_id')}' was not found"
            return 400, self._refused("unauthorized_client", 700016, says)
        if not secrets.compare_digest(form.get("client_secret", ""), self.secret):
            return 401, self._refused("invalid_client", 7000215, "Invalid client secret provided")
        token = f"eyJ0eXAiOiJKV1QifQ.{secrets.token_urlsafe(60)}.{secrets.token_urlsafe(30)}"
        self.tokens[token] = self.clock() + LASTS
        seconds = int(LASTS.total_seconds())
        told = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds}
        return 200, told | {"access_token": token}

    def lets_in(self, authorization: str) -> bool:
        """Return whether somebody has a token that is still good."""
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self.tokens.get(token, self.clock()) > self.clock()

    def end_tokens(self) -> None:
        """Let no token be good any more."""
        self.tokens.clear()

    def waits(self) -> int | None:
        """Count a call; return after how many seconds to come back where it is one too many."""
        now = self.clock()
        while self._calls and now - self._calls[0] >= WINDOW:
            self._calls.popleft()
        if len(self._calls) < self.most:
            self._calls.append(now)
            self._over = 0
            return None
        self._over += 1
        left = WINDOW - (now - self._calls[0]) if self._calls else WINDOW
        return math.ceil(left.total_seconds()) + self._over

    @property
    def left(self) -> int:
        """Return how many calls there may still be."""
        return max(self.most - len(self._calls), 0)

    @property
    def exceeded(self) -> str:
        """Return what is said to whoever calls too often."""
        return (
            f"Number of requests exceeded the limit of {self.most} over time window of 300 seconds."
        )

    def _refused(self, error: str, code: int, says: str) -> dict[str, Any]:
        """Return a refusal in the words of Entra."""
        return {
            "error": error,
            "error_description": f"AADSTS{code}: {says}. Trace ID: {uuid.uuid4()}",
            "error_codes": [code],
            "timestamp": f"{self.clock():%Y-%m-%d %H:%M:%SZ}",
            "correlation_id": str(uuid.uuid4()),
        }
