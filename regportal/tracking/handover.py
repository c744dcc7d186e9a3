"""
A visit that goes on at another of the company's own domains: said once, by a token in a link.

The same token says to our own frame in a page who the page's recorder is (forms/vouching.py).

What a link hands over is where the visit came from and, between two visitors who are nobody yet,
which visit it goes on from. Never who somebody is: a link can be given to others, and what they do
must not become the giver's, nor what he did theirs (docs/decisions/0012).
"""

import base64
import json
import secrets
import struct
import uuid
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.orm import Session

from regportal.identity import limits
from regportal.identity.models import Visitor
from regportal.identity.speaking import is_nobody
from regportal.tracking.actions import visit_going_on, visit_of
from regportal.tracking.models import CONTINUES, Touch, Visit

LASTS = timedelta(seconds=60)
"""From the moment a link was pointed at to the moment its page is there."""
PURPOSE = b"regportal.handover"
NONCE = 12
INSIDE = struct.Struct(">16sd")
"""Whose it is, and until when, in seconds."""


@dataclass(frozen=True, slots=True)
class Way:
    """From where to where somebody goes, and in which browser; the token opens for this alone."""

    came_from: str
    to: str
    family: str
    network: str | None


@dataclass(frozen=True, slots=True)
class Handed:
    """What a token says."""

    nonce: bytes
    """What makes the token one of a kind."""
    visitor_id: uuid.UUID
    until: datetime


def seal(visitor_id: uuid.UUID, way: Way, keys: Sequence[bytes], *, now: datetime) -> str:
    """Return the token for one way: nobody can read or change it, and it opens for no other."""
    nonce = secrets.token_bytes(NONCE)
    inside = INSIDE.pack(visitor_id.bytes, (now + LASTS).timestamp())
    sealed = nonce + AESGCM(_derived(keys[0])).encrypt(nonce, inside, _bound(way))
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def unseal(token: str, way: Way, keys: Sequence[bytes], *, now: datetime) -> Handed | None:
    """Return what a token says; None where it is forged, too old, or for another way."""
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    nonce = sealed[:NONCE]
    for key in keys:
        try:
            inside = AESGCM(_derived(key)).decrypt(nonce, sealed[NONCE:], _bound(way))
        except (InvalidTag, ValueError):
            continue
        visitor, until = INSIDE.unpack(inside)
        handed = Handed(nonce, uuid.UUID(bytes=visitor), datetime.fromtimestamp(until, UTC))
        return handed if now < handed.until else None
    return None


def go_on(
    session: Session, handed: Handed, visitor: Visitor, way: Way, idle: timedelta, *, now: datetime
) -> bool:
    """
    Begin a visit where another one came from, once a token; return whether it was begun.

    A visit that goes on here already keeps its own beginning, and nothing else of a visitor is
    changed: neither who he is nor what he allows.
    """
    before = session.get(Visitor, handed.visitor_id)
    if before is None or before.id == visitor.id or before.ended_at is not None:
        return False
    if not (before.tracks and visitor.tracks):
        return False
    if visit_going_on(session, visitor.id, idle, now=now) is not None:
        return False
    if not use(session, handed):
        return False
    last = visit_going_on(session, before.id, idle, now=now)
    referrer, parameters = _beginning(session, last, way)
    if last is not None and is_nobody(before) and is_nobody(visitor):
        parameters[CONTINUES] = str(last.id)
    visit_of(session, visitor.id, None, referrer=referrer, parameters=parameters, now=now)
    return True


def use(session: Session, handed: Handed) -> bool:
    """Use a token; return False where it was used before."""
    return limits.take(session, PURPOSE + handed.nonce, 1, LASTS, handed.until)  # one window


def _beginning(session: Session, visit: Visit | None, way: Way) -> tuple[str, dict[str, Any]]:
    """Return where a visit came from; where nothing says so, from the site it was on."""
    touch = (
        session.scalars(sa.select(Touch).where(Touch.visit_id == visit.id)).first()
        if visit is not None
        else None
    )
    if touch is None:
        return f"{way.came_from}/", {}
    return touch.referrer or f"{way.came_from}/", dict(touch.parameters)


def _bound(way: Way) -> bytes:
    """Return what a token is bound to."""
    return json.dumps(astuple(way)).encode()


def _derived(key: bytes) -> bytes:
    """Return the key of this one purpose."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(key)
