"""Keeping the caps, and handing a letter to the postman."""

import hashlib
import hmac
import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.mail.models import Letter
from regportal.mail.rules import LONGEST, may_send_at
from regportal.store.ids import uuid7


def address_hash(match_key: str, pepper: str) -> bytes:
    """Return how the caps know an address without keeping it."""
    return hmac.digest(pepper.encode(), match_key.encode(), "sha256")


def stamp(
    session: Session,
    match_key: str,
    kind: str,
    message_id: uuid.UUID,
    *,
    pepper: str,
    limits: bool,
    now: datetime,
) -> datetime | None:
    """
    Count a letter against the caps of its address and return when it may go.

    ``now``: it is counted, send it. Later: come back then, nothing is counted. None: never,
    and that is nobody's fault but the address's. The same message is counted once.
    """
    key = address_hash(match_key, pepper)
    _lock(session, key)
    if session.scalar(sa.select(Letter.id).where(Letter.message_id == message_id)):
        return now
    unanswered = session.scalars(
        sa.select(Letter.sent_at).where(
            Letter.address_hash == key,
            Letter.answered_at.is_(None),
            Letter.sent_at > now - LONGEST,
        )
    ).all()
    when = may_send_at(unanswered, now) if limits else now
    if when == now:
        session.add(
            Letter(id=uuid7(), address_hash=key, kind=kind, message_id=message_id, sent_at=now)
        )
    return when


def answered(session: Session, match_key: str, *, pepper: str, now: datetime) -> None:
    """Clear the count of an address: its owner pressed a button in one of the letters."""
    session.execute(
        sa.update(Letter)
        .where(
            Letter.address_hash == address_hash(match_key, pepper),
            Letter.answered_at.is_(None),
        )
        .values(answered_at=now)
    )


def _lock(session: Session, key: bytes) -> None:
    """Let one transaction at a time count an address."""
    if session.get_bind().dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(key).digest()[:8], "big", signed=True)
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))
