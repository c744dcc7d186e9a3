"""Keeping the caps, and handing a letter to the postman."""

import hashlib
import hmac
import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.mail.models import Letter
from regportal.mail.rules import CAPS, LONGEST, PAUSE, may_send_at
from regportal.store.facts import table_of
from regportal.store.ids import uuid7

WITHIN = (*CAPS, (PAUSE, 1))
"""How many letters nobody answered may lie within which spans before the next."""


def _count(*, limits: bool) -> sa.Insert:
    """
    Return the statement that counts a letter if the caps allow it, and else does nothing.

    Counting and deciding are one statement: between the two nobody else can count.
    """
    table = table_of(Letter)
    row = sa.select(
        sa.bindparam("id", type_=table.c.id.type),
        sa.bindparam("key", type_=table.c.address_hash.type),
        sa.bindparam("kind", type_=table.c.kind.type),
        sa.bindparam("message", type_=table.c.message_id.type),
        sa.bindparam("now", type_=table.c.sent_at.type),
    ).where(~sa.exists().where(table.c.message_id == sa.bindparam("message")))
    for place, (_, most) in enumerate(WITHIN if limits else ()):
        unanswered = sa.select(sa.func.count()).where(
            table.c.address_hash == sa.bindparam("key"),
            table.c.answered_at.is_(None),
            table.c.sent_at > sa.bindparam(f"since_{place}", type_=table.c.sent_at.type),
        )
        row = row.where(unanswered.scalar_subquery() < most)
    columns = ["id", "address_hash", "kind", "message_id", "sent_at"]
    return sa.insert(table).from_select(columns, row).returning(table.c.id)


COUNT, COUNT_ALL = _count(limits=True), _count(limits=False)


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
    letter = {"id": uuid7(), "key": key, "kind": kind, "message": message_id, "now": now}
    since = {f"since_{place}": now - within for place, (within, _) in enumerate(WITHIN)}
    counted = session.execute(COUNT if limits else COUNT_ALL, letter | since).first()
    known = sa.select(Letter.id).where(Letter.message_id == message_id)
    if counted is not None or session.scalar(known) is not None:
        return now
    unanswered = session.scalars(
        sa.select(Letter.sent_at).where(
            Letter.address_hash == key,
            Letter.answered_at.is_(None),
            Letter.sent_at > now - LONGEST,
        )
    ).all()
    return may_send_at(unanswered, now)


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
