"""
Reading what a provider signed of somebody (OpenID Connect Core 3.1.3.7): all of it, or nothing.

Authlib and joserfc read signatures and claims; they come with ``regportal[sso]``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from regportal.accounts.elsewhere import Told
from regportal.config import Settings
from regportal.identity.addresses import read_address
from regportal.studio.sso.provider import Given, Provider, ProviderError

SKEW = 60
"""Seconds by which the provider's clock and ours may differ."""
SIGNED = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
    | {"Ed25519"}
)
"""How an answer may be signed: by the provider's own key. A shared one, or none, proves nothing."""
ASYMMETRIC = frozenset({"RSA", "EC", "OKP"})
LONGEST = 255
"""Characters of a subject, as the standard has it."""
YES = frozenset({"true", "1"})
"""How providers say that something is so, as a word or as a value."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was signed, believed."""

    claims: Mapping[str, Any]

    @property
    def subject(self) -> str:
        """Return what the provider calls somebody."""
        return str(self.claims["sub"])

    @property
    def proved_at(self) -> float | None:
        """Return when somebody proved to the provider who he is; None: it does not say."""
        told = self.claims.get("auth_time")
        is_time = isinstance(told, (int, float)) and not isinstance(told, bool)
        return float(told) if is_time and told is not None else None


def read(
    provider: Provider, given: Given, nonce: str, settings: Settings, *, now: datetime
) -> Proof:
    """
    Return what the provider says of somebody, signed by it, for us, in this round, and now.

    Raises ProviderError where any of it is not so.
    """
    from authlib.oidc.core import CodeIDToken  # noqa: PLC0415 - an extra
    from joserfc.errors import JoseError  # noqa: PLC0415 - the same

    token, client = _verified(provider, given.id_token), settings.sso_client_id
    claims = CodeIDToken(
        token.claims,
        token.header,
        options={
            "iss": {"essential": True, "value": settings.sso_issuer},
            "aud": {"essential": True, "value": client},
        },
        params={"nonce": nonce, "client_id": client, "access_token": given.access_token},
    )
    try:
        claims.validate(now=int(now.timestamp()), leeway=SKEW)
    except (JoseError, TypeError, ValueError) as error:
        raise ProviderError(f"what the provider signed is not valid: {error}") from error
    subject, audience = claims["sub"], claims["aud"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST:
        raise ProviderError("the provider gives somebody no name of its own (sub)")
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != client:
        raise ProviderError("what the provider signed is for somebody else, too")
    for name, value in settings.required_claims:
        if not _says(claims, name, value):
            raise ProviderError(f"the provider does not say {name}={value} of somebody")
    return Proof(dict(claims))


def told_of(proof: Proof, more: Mapping[str, Any], settings: Settings) -> Told:
    """
    Return who it is; ``more`` is what the provider says beside what it signed.

    Raises ProviderError where that is of somebody else.
    """
    if more and more.get("sub") != proof.subject:
        raise ProviderError("the provider says more of another one than it signed for")
    claims = {**more, **proof.claims}
    source = proof.claims if "email" in proof.claims else more
    name = claims.get("name")
    return Told(
        issuer=settings.sso_issuer,
        subject=proof.subject,
        email=_address(source, settings.sso_verified_claim),
        name=_line(name) if isinstance(name, str) else "",
    )


def groups_of(proof: Proof, more: Mapping[str, Any], claim: str) -> Collection[str]:
    """Return somebody's groups."""
    found = proof.claims.get(claim, more.get(claim))
    listed = found if isinstance(found, list) else [found]
    return [one for one in listed if isinstance(one, str)]


def _verified(provider: Provider, token: str) -> Any:
    """Return a token whose signature is the provider's."""
    from joserfc import jwt  # noqa: PLC0415 - an extra
    from joserfc.errors import InvalidKeyIdError, JoseError  # noqa: PLC0415 - the same

    algorithms = sorted(SIGNED & provider.described().algorithms)
    try:
        try:
            return jwt.decode(token, _key_set(provider.keys()), algorithms=algorithms)
        except InvalidKeyIdError:  # it has a new key
            return jwt.decode(token, _key_set(provider.keys(anew=True)), algorithms=algorithms)
    except (JoseError, TypeError, ValueError) as error:
        raise ProviderError(f"what the provider signed cannot be read: {error}") from error


def _key_set(told: Mapping[str, Any]) -> Any:
    """Return the keys of its own by which a provider signs."""
    from joserfc.jwk import KeySet  # noqa: PLC0415 - an extra

    listed = told.get("keys")
    return KeySet.import_key_set(
        {
            "keys": [
                one
                for one in (listed if isinstance(listed, list) else ())
                if isinstance(one, dict)
                and one.get("kty") in ASYMMETRIC
                and one.get("use", "sig") == "sig"
            ]
        }
    )


def _says(claims: Mapping[str, Any], name: str, value: str) -> bool:
    """Return whether a claim is a value, or holds it."""
    found = claims.get(name)
    return value in ([str(one) for one in found] if isinstance(found, list) else [str(found)])


def _address(source: Mapping[str, Any], verified: str) -> str | None:
    """Return an address that its provider says is proven."""
    proven = source.get(verified)
    if not isinstance(proven, (bool, int, str)) or str(proven).lower() not in YES:
        return None
    try:
        return read_address(str(source.get("email") or "")).email.casefold()
    except ValueError:
        return None


def _line(text: str) -> str:
    """Return a name on one line, as long as ours may be."""
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()[:120]
