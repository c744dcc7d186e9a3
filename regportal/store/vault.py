"""Secrets at rest: what connectors need to prove who we are, encrypted in the database."""

import base64
import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.orm import Mapped, Session, mapped_column

from regportal.config import Settings
from regportal.errors import ConfigError
from regportal.store.base import Base, Moment
from regportal.store.facts import insert_in
from regportal.store.sessions import Store

PURPOSE = b"regportal.vault"
NONCE = 12  # bytes, as GCM wants them
LONGEST = 8 * 1024  # characters of a secret; a private key has 3,000


class Secret(Base):
    """
    One secret, sealed with AES-256-GCM for its own name and for no other.

    Moved into another row, or under another key, it cannot be opened.
    """

    __tablename__ = "secret"
    plain = frozenset({"key", "key_id", "nonce", "sealed", "changed_at"})

    key: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    """Which of the keys sealed it: the beginning of that key's hash."""
    nonce: Mapped[bytes]
    sealed: Mapped[bytes]
    changed_at: Mapped[Moment]


class Vault:
    """The secrets of one installation: those of the environment, and those kept here."""

    def __init__(self, settings: Settings, store: Store) -> None:
        """Take where they are; nothing is read yet."""
        self._settings, self._store = settings, store

    def secret(self, reference: str) -> str:
        """
        Return the secret a document names as ``env:NAME`` or ``vault:KEY``.

        Raises ConfigError where it is not there, or cannot be opened.
        """
        kind, _, key = reference.partition(":")
        if kind != "vault":
            return self._settings.secret(reference)
        with self._store.read() as session:
            return opened(session, key, self._settings.keys)


def keep(session: Session, key: str, value: str, keys: Sequence[bytes], *, now: datetime) -> None:
    """Keep a secret, sealed with the newest key, in the place of what was under this name."""
    fresh = _sealed(key, value, keys[0])
    columns: dict[str, Any] = {
        "key_id": fresh.key_id,
        "nonce": fresh.nonce,
        "sealed": fresh.sealed,
        "changed_at": now,
    }
    insert = insert_in(session.get_bind().dialect.name)
    row = insert(Secret).values(key=key, **columns)  # whole: what it replaces may change meanwhile
    session.execute(row.on_conflict_do_update(index_elements=["key"], set_=columns))


def opened(session: Session, key: str, keys: Sequence[bytes]) -> str:
    """Return a secret; raise ConfigError where there is none, or it cannot be opened."""
    kept = session.get(Secret, key)
    if kept is None:
        raise ConfigError(f"there is no secret vault:{key}; keep it with `regportal secret set`")
    return _opened(kept, keys)


def names(session: Session, keys: Sequence[bytes]) -> list[tuple[str, datetime, bool]]:
    """Return of every secret its name, when it was changed, and whether its key is the newest."""
    newest = _key_id(keys[0])
    kept = session.scalars(sa.select(Secret).order_by(Secret.key))
    return [(one.key, one.changed_at, one.key_id == newest) for one in kept]


def forget(session: Session, key: str) -> bool:
    """Delete a secret; return whether there was one."""
    deleted = session.execute(
        sa.delete(Secret).where(Secret.key == key).returning(Secret.key)
    ).first()
    return deleted is not None


def rotate(session: Session, key: str, keys: Sequence[bytes]) -> bool:
    """
    Seal a secret with the newest key; return whether it was not.

    Safe while it is read, and while another process changes it: what was changed meanwhile is
    left as it is. Raises ConfigError where it cannot be opened with any key.
    """
    kept = session.get(Secret, key)
    if kept is None or kept.key_id == _key_id(keys[0]):
        return False
    fresh = _sealed(key, _opened(kept, keys), keys[0])
    done = session.execute(
        sa.update(Secret)
        .where(Secret.key == key, Secret.nonce == kept.nonce)
        .values(key_id=fresh.key_id, nonce=fresh.nonce, sealed=fresh.sealed)
        .returning(Secret.key)
    ).first()
    return done is not None


def seal(text: str, about: str, keys: Sequence[bytes]) -> str:
    """Return a text sealed with the newest key, to be kept in the row it is about."""
    fresh = _sealed(about, text, keys[0])
    kept = (base64.urlsafe_b64encode(part).decode() for part in (fresh.nonce, fresh.sealed))
    return ".".join((fresh.key_id, *kept))


def unseal(kept: str, about: str, keys: Sequence[bytes]) -> str:
    """
    Return what was sealed; raise ConfigError where its key is gone, or it is not about this.

    >>> unseal(seal("secret", "user:1", [b"k" * 16]), "user:1", [b"new" * 8, b"k" * 16])
    'secret'
    >>> unseal(seal("secret", "user:1", [b"k" * 16]), "user:2", [b"k" * 16])
    Traceback (most recent call last):
    regportal.errors.ConfigError: vault:user:2 cannot be opened: ...
    """
    key_id, *parts = kept.split(".")
    nonce, sealed = (base64.urlsafe_b64decode(part) for part in parts)
    return _opened(Secret(key=about, key_id=key_id, nonce=nonce, sealed=sealed), keys)


def is_newest(kept: str, keys: Sequence[bytes]) -> bool:
    """Return whether a text is sealed with the newest key."""
    return kept.startswith(f"{_key_id(keys[0])}.")


def _sealed(key: str, value: str, with_key: bytes) -> Secret:
    """Seal a secret for its name."""
    nonce, key_id = os.urandom(NONCE), _key_id(with_key)
    cipher = AESGCM(_derived(with_key))
    sealed = cipher.encrypt(nonce, value.encode(), _bound(key, key_id))
    return Secret(key=key, key_id=key_id, nonce=nonce, sealed=sealed)


def _opened(kept: Secret, keys: Sequence[bytes]) -> str:
    """Open a secret with the key that sealed it."""
    matching = [one for one in keys if _key_id(one) == kept.key_id]
    if not matching:
        says = "was sealed with a key that REGPORTAL_SECRET_KEY does not name any more"
        raise ConfigError(f"vault:{kept.key} {says}")
    try:
        cipher = AESGCM(_derived(matching[0]))
        return cipher.decrypt(kept.nonce, kept.sealed, _bound(kept.key, kept.key_id)).decode()
    except (InvalidTag, ValueError) as error:
        says = "cannot be opened: its row was changed by somebody else"
        raise ConfigError(f"vault:{kept.key} {says}") from error


def _bound(key: str, key_id: str) -> bytes:
    """Return what a sealed secret belongs to: its table, its name, its key."""
    return f"secret\n{key}\n{key_id}".encode()


def _key_id(secret_key: bytes) -> str:
    """Return how a key is called; nothing of the key can be learnt from it."""
    return hashlib.sha256(_derived(secret_key)).hexdigest()[:16]


def _derived(secret_key: bytes) -> bytes:
    """Return the AES key that follows from a secret key, for this purpose alone."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret_key)
