"""The people of the Studio as Flask-Security handles them: values, tied to no session."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_security import UserMixin
from flask_security.core import WebAuthnMixin
from sqlalchemy.orm import Session

from regportal.accounts.actions import is_linked
from regportal.accounts.models import StudioPasskey, StudioUser
from regportal.accounts.roles import Permission, allowed, roles_of
from regportal.errors import ConfigError
from regportal.store.ids import uuid7
from regportal.store.vault import seal, unseal

log = logging.getLogger(__name__)
Keys = Sequence[bytes]
PURPOSE = "studio-totp"
"""What the secret of a second factor is sealed for, with whose it is."""
COLUMNS = {
    "password": "password",
    "fs_uniquifier": "uniquifier",
    "tf_primary_method": "tf_method",
    "tf_totp_secret": "totp_secret",
    "tf_counter": "totp_counter",
    "mf_recovery_codes": "recovery_codes",
}
"""What Flask-Security may change, and where we keep it."""


@dataclass(eq=False)
class Passkey(WebAuthnMixin):
    """A passkey as Flask-Security handles it."""

    id: uuid.UUID  # type: ignore[assignment] # Flask-Security asks for no kind of key
    user_id: uuid.UUID
    credential_id: bytes
    public_key: bytes
    name: str
    sign_count: int
    usage: str
    device_type: str
    backup_state: bool
    transports: list[str] | None
    extensions: str | None
    made_at: datetime
    lastuse_datetime: datetime


@dataclass(eq=False)
class Account(UserMixin):
    """Somebody of the company as Flask-Security handles him: values, tied to no session."""

    fs_uniquifier: str = ""
    id: uuid.UUID = field(default_factory=uuid7)  # type: ignore[assignment] # as above
    email: str = ""
    name: str = ""
    active: bool = False
    password: str | None = None
    fs_webauthn_user_handle: str = ""
    tf_primary_method: str | None = None
    tf_totp_secret: str | None = None
    tf_phone_number: None = None
    tf_counter: int | None = None
    mf_recovery_codes: list[str] | None = None
    webauthn: list[WebAuthnMixin] = field(default_factory=list)
    roles: list[Any] = field(default_factory=list)
    """None that Flask-Security knows: what somebody may do our own pages ask."""
    permissions: frozenset[Permission] = frozenset()
    role_names: tuple[str, ...] = ()
    sells_for: tuple[str, ...] = ()
    """For whom he sells, as a CRM calls them, beside his own address."""
    locale: str | None = None
    theme: str | None = None
    made_at: datetime | None = None
    password_set_at: datetime | None = None
    is_linked: bool = False
    """Whether he has come in by a provider of the company."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What was read: of what differs now we know that it was changed."""


def account_of(reading: Session, row: StudioUser, keys: Keys) -> Account:
    """Return somebody as Flask-Security handles him."""
    roles = roles_of(row.roles)
    passkeys = reading.scalars(
        sa.select(StudioPasskey)
        .where(StudioPasskey.user_id == row.id)
        .order_by(StudioPasskey.made_at, StudioPasskey.id)
    )
    try:
        secret = plain_secret(row.totp_secret, row.id, keys) if row.totp_secret else None
        is_whole = True
    except ConfigError as error:  # without his second factor nobody comes in
        log.error("somebody of the Studio cannot come in: %s", error)  # noqa: TRY400 - it says all
        secret, is_whole = None, False
    linked = is_linked(reading, row.id)
    can_prove = row.password is not None or linked
    found = Account(
        fs_uniquifier=row.uniquifier,
        id=row.id,
        email=row.email,
        name=row.name,
        active=row.active and can_prove and is_whole,
        password=row.password,
        fs_webauthn_user_handle=row.handle,
        tf_primary_method=row.tf_method,
        tf_totp_secret=secret,
        tf_counter=row.totp_counter,
        mf_recovery_codes=list(row.recovery_codes) if row.recovery_codes else None,
        webauthn=[passkey_of(one) for one in passkeys],
        permissions=allowed(roles),
        role_names=tuple(sorted(roles)),
        sells_for=tuple(row.sells_for or ()),
        locale=row.locale,
        theme=row.theme,
        made_at=row.made_at,
        password_set_at=row.password_set_at,
        is_linked=linked,
    )
    found.kept = values_of(found)
    return found


def values_of(one: Account) -> dict[str, Any]:
    """Return what of somebody may be changed, apart from him."""
    values = {name: getattr(one, name) for name in COLUMNS}
    codes = values["mf_recovery_codes"]
    return values | {"mf_recovery_codes": list(codes) if codes else None}


def passkey_of(row: StudioPasskey) -> Passkey:
    """Return a passkey as Flask-Security handles it."""
    return Passkey(
        id=row.id,
        user_id=row.user_id,
        credential_id=row.credential_id,
        public_key=row.public_key,
        name=row.name,
        sign_count=row.sign_count,
        usage=row.usage,
        device_type=row.device_type,
        backup_state=row.backed_up,
        transports=row.transports,
        extensions=row.extensions,
        made_at=row.made_at,
        lastuse_datetime=row.used_at,
    )


def sealed_secret(text: str, user_id: uuid.UUID, keys: Keys) -> str:
    """Return somebody's secret as it is kept: for him alone."""
    return seal(text, f"{PURPOSE}:{user_id}", keys)


def plain_secret(kept: str, user_id: uuid.UUID, keys: Keys) -> str:
    """Return somebody's secret; raises ConfigError where its key is gone, or it is another's."""
    return unseal(kept, f"{PURPOSE}:{user_id}", keys)


def sealed_on_its_way(text: str, keys: Keys) -> str:
    """Return a new secret as it may travel through a browser."""
    return seal(text, f"{PURPOSE}:new", keys)


def opened_on_its_way(secret: str, keys: Keys) -> str:
    """Return a secret, whether it comes from a browser or is open already (JSON)."""
    return secret if secret.startswith("{") else unseal(secret, f"{PURPOSE}:new", keys)
