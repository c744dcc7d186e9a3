"""API keys: by which the company's other systems speak to us, each for what it may do."""

import re
import secrets
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import sqlalchemy as sa
from flask import Request
from sqlalchemy.orm import Session

from regportal.errors import ForbiddenError, NotHereError, UnsignedError
from regportal.identity import limits
from regportal.identity.models import ApiKey
from regportal.store import current
from regportal.store.ids import uuid7
from regportal.store.tokens import hash_of

PREFIX = "rpk_"
KEY = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")

SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "may-mail": "ask who may be written to",
        "bounces": "tell of mails that came back, and of complaints",
        "interactions": "tell what contacts did elsewhere",
        "timeline": "find contacts by address, and read what they did",
        "revert": "say that an interaction was not whose it was taken for",
        "opportunities": "read in which phase an opportunity is or was, and why",
        "backtest": "try a draft of rules on the history, and read what came of it",
        "override": "say over the rules in which phase an opportunity is",
        "metrics": "read how the installation is doing",
    }
)
"""What a key may be for."""
SEEN_AGAIN = timedelta(hours=1)
"""How exactly we keep when a key was used: a write a call would be too much for it."""


def add_key(
    session: Session,
    name: str,
    scopes: Collection[str],
    *,
    expires_at: datetime | None = None,
    now: datetime,
) -> tuple[ApiKey, str]:
    """Make a key and return it with its secret, which is kept nowhere."""
    secret = PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        id=uuid7(),
        name=name,
        scopes=sorted(scopes),
        hash=hash_of(secret),
        made_at=now,
        expires_at=expires_at,
    )
    session.add(key)
    session.flush()
    return key, secret


def list_keys(session: Session) -> Sequence[ApiKey]:
    """Return every key, oldest first."""
    return session.scalars(sa.select(ApiKey).order_by(ApiKey.made_at, ApiKey.id)).all()


def revoke_key(session: Session, key_id: uuid.UUID, *, now: datetime) -> ApiKey:
    """Let a key open nothing any more and return it; raise NotHereError where there is none."""
    key = session.get(ApiKey, key_id)
    if key is None:
        raise NotHereError(f"there is no key {key_id}")
    key.revoked_at = key.revoked_at or now
    return key


def caller_of(request: Request, scope: str | None = None) -> ApiKey:
    """
    Return whose key a request carries: ``Authorization: Bearer rpk_…``.

    Raises UnsignedError, which never says why, and ForbiddenError where the key is good and not
    for this.
    """
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    found = None
    if kind.lower() == "bearer" and KEY.fullmatch(secret.strip()):
        with current.store().read() as session:
            found = session.scalars(
                sa.select(ApiKey).where(ApiKey.hash == hash_of(secret.strip()))
            ).first()
    now = datetime.now(UTC)
    if found is None or not is_good(found, now):
        limits.check("keys")
        raise UnsignedError("There is no key, or not a good one.")
    if scope is not None and scope not in found.scopes:
        raise ForbiddenError(f"This key is not for that: it needs the scope {scope}.")
    if scope in limits.LIMITS:
        limits.check(scope, str(found.id))
    if found.used_at is None or now - found.used_at > SEEN_AGAIN:
        current.store().note(lambda session: _use(session, found.id, now))
    return found


def is_good(key: ApiKey, now: datetime) -> bool:
    """Return whether a key opens anything: it is not revoked, and its time is not over."""
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


def _use(session: Session, key_id: uuid.UUID, now: datetime) -> None:
    """Keep when a key was used."""
    session.execute(sa.update(ApiKey).where(ApiKey.id == key_id).values(used_at=now))
