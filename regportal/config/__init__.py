"""Every setting an operator may turn, typed and documented, read once from the environment."""

import ipaddress
import os
import secrets
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode, SettingsConfigDict

from regportal.config.single_sign_on import LOCAL_HOSTS, SingleSignOn
from regportal.errors import ConfigError

SCHEMES = {
    "database_url": ("sqlite:///", "postgresql+psycopg://"),
    "mail_url": ("smtp://", "smtps://", "file:///"),
    "storage_url": ("file:///", "s3://"),
}
SHORTEST_KEY = 16  # characters
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Settings(SingleSignOn):
    """
    The settings of one installation, from ``REGPORTAL_*`` and a ``.env`` file.

    Make it with :func:`load`, which turns a bad value into one sentence.
    """

    model_config = SettingsConfigDict(
        env_prefix="REGPORTAL_", env_file=".env", extra="ignore", frozen=True
    )

    instance: Path = Field(
        Path("instance"), description="The folder of everything kept beside the database."
    )
    database_url: SecretStr = Field(
        SecretStr(""),
        description="SQLite (the default, in the instance folder) or postgresql+psycopg://…",
    )
    base_url: str = Field(
        "http://localhost:8000",
        description="The address people see; may have a path. https behind a TLS proxy.",
    )
    secret_key: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description="Signs tokens. Several, comma-separated, to rotate: the first signs.",
    )
    pepper: SecretStr = Field(
        SecretStr(""), description="Salts the hashes of addresses. Never rotated."
    )
    storage_url: str = Field(
        "", description="Where files are kept: file:///folder, or s3://bucket/prefix."
    )
    mail_url: SecretStr = Field(
        SecretStr(""),
        description=(
            "smtp://user:password@host:587 (or smtps://), or file:///folder for one file a mail;"
            " ?from=address names the sender."
        ),
    )
    trusted_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Host names we answer to; the host of BASE_URL if empty."
    )
    hsts: Literal["host", "subdomains"] = Field(
        "host",
        description="Where browsers are told to use https only: our host, or all below it too.",
    )
    proxy_hops: int = Field(0, ge=0, le=8, description="Trusted proxies in front of us.")
    allow_private_targets: Annotated[tuple[Network, ...], NoDecode] = Field(
        (),
        description="Networks (CIDR) where on-premises CRMs may be called, http and any port too.",
    )
    limits: Literal["on", "off"] = Field(
        "on", description="off lifts every rate and mail cap. For tests only."
    )
    most_anonymous: int = Field(
        1_000_000,
        ge=1_000,
        description="How many interactions are kept that nobody is known for; the oldest go first.",
    )
    ballast: int = Field(
        64,
        ge=0,
        le=4096,
        description="MiB kept beside SQLite's file for withdrawals and erasures on a full disk.",
    )
    studio_url: str = Field(
        "",
        description="The address of the Studio, where it has a host name of its own; else it is at"
        " /studio below BASE_URL.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much is logged."
    )

    @field_validator("secret_key", "trusted_hosts", "allow_private_targets", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Read a comma-separated list."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("database_url", "mail_url", "storage_url")
    @classmethod
    def _kind(cls, value: SecretStr | str, about: ValidationInfo) -> SecretStr | str:
        """Refuse an address of a kind we do not speak."""
        text = value if isinstance(value, str) else value.get_secret_value()
        kinds = SCHEMES[about.field_name or ""]
        if not text.startswith(kinds):
            raise ValueError(f"must begin with {' or '.join(kinds)}")
        return value

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        """Refuse plain http on any host that is not this machine."""
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http or https address")
        if parts.query or parts.fragment or parts.username:
            raise ValueError("must have no query, fragment or user")
        if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
            raise ValueError("must be https on any host but localhost (behind a TLS proxy too)")
        return value.rstrip("/")

    @field_validator("studio_url")
    @classmethod
    def _own_host(cls, value: str) -> str:
        """Refuse what is not the address of a host and nothing more."""
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("must be an http or https address")
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
            raise ValueError("must be the address of a host, without a path")
        return value.rstrip("/")

    @model_validator(mode="before")
    @classmethod
    def _places(cls, values: Any) -> Any:
        """Derive the places that follow from the instance folder."""
        if not isinstance(values, dict):
            return values
        instance = Path(values.get("instance") or "instance")
        folder = instance.resolve()
        derived = {
            "database_url": f"sqlite:///{folder.as_posix()}/regportal.db",
            "storage_url": (folder / "files").as_uri(),
            "mail_url": (folder / "mail").as_uri(),
        }
        return values | {name: url for name, url in derived.items() if not values.get(name)}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Refuse what only fails together."""
        if not self.development and not self.secret_key:
            raise ValueError("SECRET_KEY must be set on any host but localhost")
        if any(len(key.get_secret_value()) < SHORTEST_KEY for key in self.secret_key):
            raise ValueError(f"SECRET_KEY must have at least {SHORTEST_KEY} characters")
        if self.studio_url:
            own, ours = urlsplit(self.studio_url), urlsplit(self.base_url)
            if own.scheme != ours.scheme or own.hostname == ours.hostname:
                raise ValueError("STUDIO_URL must have another host than BASE_URL, and its scheme")
            if own.scheme == "http" and own.hostname not in LOCAL_HOSTS:
                raise ValueError("STUDIO_URL must be https on any host but localhost")
        if self.hsts == "subdomains" and self.path:
            raise ValueError(
                "HSTS must be host where BASE_URL has a path: the host is not ours alone"
            )
        return self

    @property
    def development(self) -> bool:
        """Whether this is plain http on this machine: cookies lose Secure and __Host-."""
        return self.base_url.startswith("http://")

    @property
    def origin(self) -> str:
        """
        Return scheme, host and port of the base address.

        >>> Settings(base_url="https://www.acme.example/portal", secret_key="x" * 32).origin
        'https://www.acme.example'
        """
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def path(self) -> str:
        """
        Return the path every address of ours begins with, without a slash at its end.

        >>> Settings(base_url="https://www.acme.example/portal", secret_key="x" * 32).path
        '/portal'
        """
        return urlsplit(self.base_url).path

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the host names we answer to."""
        own = urlsplit(self.base_url).hostname or ""
        local = tuple(sorted(LOCAL_HOSTS)) if self.development else ()
        return self.trusted_hosts or (own, *local)

    @property
    def studio_address(self) -> str:
        """
        Return where people of the company sign in, without a slash at its end.

        >>> Settings(base_url="https://www.acme.example/portal", secret_key="x" * 32).studio_address
        'https://www.acme.example/portal/studio'
        """
        return self.studio_url or f"{self.base_url}/studio"

    @property
    def studio_origin(self) -> str:
        """Return scheme, host and port of the Studio."""
        return self.studio_url or self.origin

    @property
    def studio_host(self) -> str:
        """Return the host name of the Studio."""
        return urlsplit(self.studio_address).hostname or ""

    @property
    def sends_mail(self) -> bool:
        """
        Return whether letters leave this machine, and lie not only in a folder.

        >>> Settings(mail_url="smtp://mail.acme.example:587").sends_mail, Settings().sends_mail
        (True, False)
        """
        return self.mail_url.get_secret_value().startswith(("smtp://", "smtps://"))

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Return the signing keys, newest first; at least one."""
        return tuple(key.get_secret_value().encode() for key in self.secret_key)

    @property
    def pepper_text(self) -> str:
        """Return the pepper as those need it who hash addresses."""
        return self.pepper.get_secret_value()

    @property
    def sqlite(self) -> bool:
        """Whether the database is one file of ours."""
        return self.database_url.get_secret_value().startswith("sqlite")

    def secret(self, reference: str) -> str:
        """
        Return the secret a document names as ``env:NAME``.

        Raises ConfigError where it is not set, or named in a way we cannot read.
        """
        store, _, name = reference.partition(":")
        if store != "env" or not name:
            raise ConfigError(f"{reference!r} is not a secret's name; write env:NAME or vault:KEY")
        value = os.environ.get(name) or dotenv_values(".env").get(name)
        if not value:
            raise ConfigError(f"the environment variable {name} is not set")
        return value


def load(**given: Any) -> Settings:
    """
    Return the settings, keys included; ``given`` wins over the environment.

    In development a missing key or pepper is made and kept in the instance folder. Raises
    ConfigError with one sentence a setting.
    """
    try:
        settings = Settings(**given)
        made: dict[str, Any] = {}
        if not settings.secret_key:
            made["secret_key"] = _kept(settings.instance / "secret_key")
        if not settings.pepper_text:
            made["pepper"] = _kept(settings.instance / "pepper")
        return Settings(**given | made) if made else settings
    except ValidationError as error:
        raise ConfigError("; ".join(_sentence(fault) for fault in error.errors())) from error


def _sentence(fault: Any) -> str:
    """Say one fault as the operator wrote the setting."""
    name = "_".join(str(part) for part in fault["loc"][:1]).upper()
    says = fault["msg"].removeprefix("Value error, ")
    return f"REGPORTAL_{name} {says}" if name else says


def _kept(path: Path) -> str:
    """Return the secret in this file, making it on the first start."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    fresh = secrets.token_urlsafe(32)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was first
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(fresh)
    return fresh
