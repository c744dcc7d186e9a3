"""
The company's provider: what it says of itself, and what it gives for a code.

Whatever is asked of it goes through ``connectors/egress.py``, the only door to the network.
"""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from regportal.config import Settings
from regportal.connectors.egress import Answer, Egress, Limits
from regportal.errors import JsonError, RegportalError, UnreachableError
from regportal.store.strict_json import read_json

WELL_KNOWN = "/.well-known/openid-configuration"
PATIENCE = Limits(connect=3, read=5, total=8)
"""Somebody waits before the page."""
MOST = 256 * 1024
"""Bytes of an answer."""
REMEMBERED = 600.0
"""Seconds for which we believe what a provider says of itself."""
ASKED_AGAIN = 30.0
"""Seconds after which an unknown key may make us ask for the keys anew."""
OKAY = 200
BASIC, POSTED = "client_secret_basic", "client_secret_post"


class ProviderError(RegportalError):
    """What the provider says cannot be believed; the sentence is for the operator's log."""


@dataclass(frozen=True, slots=True)
class Described:
    """What the provider says of itself."""

    authorize: str
    token: str
    keys: str
    userinfo: str | None
    algorithms: frozenset[str]
    by_post: bool
    """Whether it takes our secret only in the body."""
    says_issuer: bool
    """Whether it names itself when it leads back (RFC 9207)."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the provider gave for a code."""

    id_token: str
    access_token: str


class Provider:
    """One provider; what it says of itself is remembered for ten minutes."""

    def __init__(self, settings: Settings) -> None:
        """Ask nothing yet."""
        self._settings = settings
        self._described: tuple[float, Described] | None = None
        self._keys: tuple[float, Mapping[str, Any]] | None = None

    def described(self) -> Described:
        """Return what it says of itself; raises UnreachableError and ProviderError."""
        now = time.monotonic()
        if self._described is None or now - self._described[0] > REMEMBERED:
            issuer = self._settings.sso_issuer
            told = self._read(self._ask("GET", issuer.rstrip("/") + WELL_KNOWN))
            self._described = now, _described(told, issuer)
        return self._described[1]

    def keys(self, *, anew: bool = False) -> Mapping[str, Any]:
        """Return the keys by which it signs; raises as :meth:`described` does."""
        now = time.monotonic()
        lasts = ASKED_AGAIN if anew else REMEMBERED
        if self._keys is None or now - self._keys[0] > lasts:
            self._keys = now, self._read(self._ask("GET", self.described().keys))
        return self._keys[1]

    def exchange(self, code: str, verifier: str, back: str) -> Given:
        """Return what it gives for a code; raises as :meth:`described` does."""
        described, settings = self.described(), self._settings
        secret = settings.sso_client_secret.get_secret_value()
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if secret and not described.by_post:
            pair = f"{quote_plus(settings.sso_client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            fields |= {"client_id": settings.sso_client_id}
            fields |= {"client_secret": secret} if secret else {}
        body = urlencode(fields).encode()
        told = self._read(self._ask("POST", described.token, body=body, headers=headers))
        return Given(_text(told, "id_token"), _text(told, "access_token"))

    def userinfo(self, access_token: str) -> Mapping[str, Any]:
        """Return what else it says of somebody; nothing where it has no such page."""
        url = self.described().userinfo
        if url is None:
            return {}
        headers = {"Authorization": f"Bearer {access_token}"}
        return self._read(self._ask("GET", url, headers=headers))

    def _ask(
        self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask once, and hang up."""
        egress = Egress(self._settings.allow_private_targets, limits=PATIENCE)
        try:
            return egress.ask(
                method,
                url,
                body=body,
                headers={"Accept": "application/json", **(headers or {})},
                most=MOST,
            )
        finally:
            egress.close()

    def _read(self, answer: Answer) -> Mapping[str, Any]:
        """Return what an answer says; nothing of it is repeated where it says no."""
        if answer.status >= 500:  # noqa: PLR2004 - a server's own fault
            raise UnreachableError(f"the provider answered {answer.status}")
        if answer.status != OKAY:
            raise ProviderError(f"the provider answered {answer.status}")
        try:
            told = read_json(answer.body, most=MOST)
        except JsonError as error:
            raise ProviderError(f"the provider's answer is {error}") from error
        if not isinstance(told, dict):
            raise ProviderError("the provider's answer is no object")
        return told


def _described(told: Mapping[str, Any], issuer: str) -> Described:
    """Return what a provider says of itself, where it is the one we mean."""
    if told.get("issuer") != issuer:
        raise ProviderError("the provider calls itself something else than REGPORTAL_SSO_ISSUER")
    methods = told.get("token_endpoint_auth_methods_supported", [BASIC])
    userinfo = told.get("userinfo_endpoint")
    named = told.get("id_token_signing_alg_values_supported", ["RS256"])
    return Described(
        authorize=_address(told, "authorization_endpoint", issuer),
        token=_address(told, "token_endpoint", issuer),
        keys=_address(told, "jwks_uri", issuer),
        userinfo=_address(told, "userinfo_endpoint", issuer) if userinfo else None,
        algorithms=frozenset(one for one in named if isinstance(one, str)),
        by_post=BASIC not in methods and POSTED in methods,
        says_issuer=told.get("authorization_response_iss_parameter_supported") is True,
    )


def _address(told: Mapping[str, Any], name: str, issuer: str) -> str:
    """Return an address that a provider names; plain http only where it is itself so."""
    url = _text(told, name)
    parts = urlsplit(url)
    schemes = {"https", urlsplit(issuer).scheme}
    if parts.scheme not in schemes or not parts.hostname or parts.fragment:
        raise ProviderError(f"the provider's {name} is no https address")
    return url


def _text(told: Mapping[str, Any], name: str) -> str:
    """Return a text that has to be there."""
    found = told.get(name)
    if not isinstance(found, str) or not found:
        raise ProviderError(f"the provider gives no {name}")
    return found
