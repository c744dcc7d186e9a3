"""The settings of signing in at the company's own provider (OpenID Connect)."""

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1"})


class SingleSignOn(BaseSettings):
    """Where people of the company prove who they are, and what that means here."""

    sso_issuer: str = Field(
        "",
        description="Your OpenID Connect provider, as it calls itself; with it people sign in to"
        " the Studio there.",
    )
    sso_client_id: str = Field("", description="How the provider calls regportal.")
    sso_client_secret: SecretStr = Field(
        SecretStr(""), description="What regportal proves itself by there; empty: by PKCE alone."
    )
    sso_label: str = Field(
        "Single sign-on", max_length=40, description="What the button says after 'Sign in with'."
    )
    sso_passwords: Literal["on", "off"] = Field(
        "on", description="off: nobody comes in by a password or a passkey, only by the provider."
    )
    sso_require: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="What the provider must say of everybody (claim=value, comma-separated), as"
        " amr=mfa or hd=acme.example.",
    )
    sso_verified_claim: str = Field(
        "email_verified", description="Which claim says that an address is proven."
    )
    sso_roles: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Which group there has which role here (group=role, comma-separated). Empty:"
        " roles are given in the Studio.",
    )
    sso_roles_claim: str = Field("groups", description="Which claim names somebody's groups.")

    @field_validator("sso_require", "sso_roles", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        """Read a comma-separated list."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("sso_require", "sso_roles")
    @classmethod
    def _both_sides(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what has nothing before or after its sign."""
        if any(not all(side.strip() for side in _sides(pair)) for pair in value):
            raise ValueError("must be name=value, several with commas between them")
        return value

    @field_validator("sso_issuer")
    @classmethod
    def _provider(cls, value: str) -> str:
        """Refuse plain http on any host that is not this machine."""
        parts = urlsplit(value)
        if not value:
            return value
        is_here = parts.scheme == "http" and parts.hostname in LOCAL_HOSTS
        if not parts.hostname or not (parts.scheme == "https" or is_here):
            raise ValueError("must be an https address")
        if parts.query or parts.fragment or parts.username:
            raise ValueError("must have no query, fragment or user")
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        """Refuse half of it."""
        if bool(self.sso_issuer) != bool(self.sso_client_id):
            raise ValueError("SSO_ISSUER and SSO_CLIENT_ID are needed together")
        if self.sso_passwords == "off" and not self.sso_issuer:
            raise ValueError("SSO_PASSWORDS must be on where there is no SSO_ISSUER")
        return self

    @property
    def has_sso(self) -> bool:
        """Whether people of the company may sign in at a provider."""
        return bool(self.sso_issuer)

    @property
    def has_passwords(self) -> bool:
        """Whether they may come in by a password or a passkey."""
        return self.sso_passwords == "on"

    @property
    def required_claims(self) -> tuple[tuple[str, str], ...]:
        """
        Return what the provider must say of everybody.

        >>> SingleSignOn(sso_require="amr=mfa, hd=acme.example").required_claims
        (('amr', 'mfa'), ('hd', 'acme.example'))
        """
        return tuple(_sides(pair) for pair in self.sso_require)

    @property
    def roles_of_groups(self) -> tuple[tuple[str, str], ...]:
        """
        Return which group has which role, by name.

        >>> SingleSignOn(sso_roles="cn=sales=seller").roles_of_groups
        (('cn=sales', 'seller'),)
        """
        return tuple(_sides(pair, last=True) for pair in self.sso_roles)


def _sides(pair: str, *, last: bool = False) -> tuple[str, str]:
    """Return what stands before and after the first, or the last, sign of equality."""
    before, _, after = pair.rpartition("=") if last else pair.partition("=")
    return before.strip(), after.strip()
