"""Writing what Flask-Security changes of our people: only what changed, and only once."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.accounts import audit
from regportal.accounts.actions import USER, end_sessions
from regportal.accounts.audit import Doer
from regportal.accounts.models import StudioPasskey, StudioUser
from regportal.errors import StaleError
from regportal.store.vault import is_newest
from regportal.store.words import N_
from regportal.studio.known import (
    COLUMNS,
    Account,
    Keys,
    Passkey,
    plain_secret,
    sealed_secret,
    values_of,
)

MEANWHILE = N_("This was changed meanwhile. Please look at it again.")
PROOFS = frozenset({"tf_primary_method", "tf_totp_secret"})
"""A change of these signs somebody out wherever else he is."""
DEEDS = {
    "password": "password",
    "tf_primary_method": "second-factor",
    "mf_recovery_codes": "recovery-codes",
}
"""What of it the audit log tells; never the values."""


def keep_account(
    writing: Session, one: Account, doer: Doer, here: bytes | None, keys: Keys, *, now: datetime
) -> None:
    """Write what changed of somebody, unless somebody else changed the same."""
    values = values_of(one)
    changed = {name for name, value in values.items() if value != one.kept[name]}
    row = writing.get(StudioUser, one.id, with_for_update=True)
    if row is None:
        raise StaleError(MEANWHILE)
    for name in changed:
        if _in_row(row, name, keys) != one.kept[name]:
            raise StaleError(MEANWHILE)
        setattr(row, COLUMNS[name], _for_row(one, name, keys))
    if row.totp_secret and not is_newest(row.totp_secret, keys):
        row.totp_secret = _for_row(one, "tf_totp_secret", keys)
    if "password" in changed:
        row.password_set_at = now
    if "fs_uniquifier" in changed:
        end_sessions(writing, row.id)
    elif PROOFS & changed:
        end_sessions(writing, row.id, but=here)
    for name in sorted(changed & DEEDS.keys()):
        itself = doer if doer.user_id else Doer(row.id, doer.request_id)
        told = {"method": [one.kept[name], values[name]]} if name == "tf_primary_method" else {}
        audit.write(writing, itself, DEEDS[name], USER, str(row.id), told, now=now)
    one.kept = values


def add_passkey(
    writing: Session, one: Passkey, doer: Doer, here: bytes | None, *, now: datetime
) -> None:
    """Let somebody come in by one more passkey."""
    writing.add(_row(one))
    _proof_changed(writing, one, "passkey-add", doer, here, now=now)


def delete_passkey(
    writing: Session, one: Passkey, doer: Doer, here: bytes | None, *, now: datetime
) -> None:
    """Let nobody come in by a passkey any more."""
    writing.execute(sa.delete(StudioPasskey).where(StudioPasskey.id == one.id))
    _proof_changed(writing, one, "passkey-delete", doer, here, now=now)


def _proof_changed(
    writing: Session, one: Passkey, deed: str, doer: Doer, here: bytes | None, *, now: datetime
) -> None:
    """Tell that somebody's passkeys changed, and sign him out wherever else he is."""
    end_sessions(writing, one.user_id, but=here)
    audit.write(writing, doer, deed, USER, str(one.user_id), {"name": one.name}, now=now)


def keep_passkey(writing: Session, one: Passkey) -> None:
    """Write what changes of a passkey when it is used."""
    writing.execute(
        sa.update(StudioPasskey)
        .where(StudioPasskey.id == one.id)
        .values(
            sign_count=one.sign_count,
            device_type=one.device_type,
            backed_up=one.backup_state,
            used_at=one.lastuse_datetime,
        )
    )


def _in_row(row: StudioUser, name: str, keys: Keys) -> Any:
    """Return a value as it is kept now."""
    kept = getattr(row, COLUMNS[name])
    if name == "tf_totp_secret" and kept is not None:
        return plain_secret(kept, row.id, keys)
    return kept or None


def _for_row(one: Account, name: str, keys: Keys) -> Any:
    """Return a value as it is kept."""
    value = getattr(one, name)
    if name == "tf_totp_secret" and value is not None:
        return sealed_secret(value, one.id, keys)
    return value


def _row(one: Passkey) -> StudioPasskey:
    """Return a passkey as it is kept."""
    return StudioPasskey(
        id=one.id,
        user_id=one.user_id,
        credential_id=one.credential_id,
        public_key=one.public_key,
        name=one.name,
        sign_count=one.sign_count,
        usage=one.usage,
        device_type=one.device_type,
        backed_up=one.backup_state,
        transports=one.transports,
        extensions=one.extensions,
        made_at=one.made_at,
        used_at=one.lastuse_datetime,
    )
