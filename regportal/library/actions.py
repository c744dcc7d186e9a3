"""Giving somebody the leave to fetch an asset, and taking it back."""

import base64
import hashlib
import hmac
import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import ConfigError
from regportal.library.models import Grant, Serving
from regportal.library.rules import FINISH, may_be_given_again, time_to_start
from regportal.store.facts import add
from regportal.store.ids import uuid7

PURPOSE = b"regportal: the link of a grant"
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def grant(  # noqa: PLR0913 - what a grant is of; all by name
    session: Session,
    *,
    gate: str,
    asset: str,
    visitor_id: uuid.UUID,
    claim_id: uuid.UUID | None,
    single: bool,
    keys: Sequence[bytes],
    plays: bool = False,
    first: bool = False,
    now: datetime,
) -> Grant:
    """
    Return the visitor's leave to fetch this asset.

    It is the one given before, hence the same link, while that can still be started; asking
    again gives it its time anew (not to a browser without cookies). ``plays`` says that it is a
    film that is played, ``first`` that none was given before.
    """
    start_by = now + time_to_start(single=single, plays=plays)
    for before in () if first else _live(session, visitor_id, asset, now):
        alike = before.claim_id == claim_id and before.single == single
        if alike and _token_of(before, keys):
            if not single:
                before.start_by, before.finish_by = start_by, now + FINISH
            return before
    id_ = uuid7()
    given = Grant(
        id=id_,
        hash=_hash_of(_derived(keys[0], id_)),
        gate=gate,
        asset=asset,
        visitor_id=visitor_id,
        claim_id=claim_id,
        single=single,
        issued_at=now,
        start_by=start_by,
        finish_by=now + FINISH,
    )
    add(session, given)
    return given


def token_of(given: Grant, keys: Sequence[bytes]) -> str:
    """
    Return the token of a grant's link, made anew: the database holds only its hash.

    Raises ConfigError where the key that made it is no longer among the keys.
    """
    token = _token_of(given, keys)
    if token is None:
        raise ConfigError("the SECRET_KEY that made this link is no longer set")
    return token


def is_token(text: str) -> bool:
    """
    Return whether this could be the token of a link at all.

    >>> is_token("x" * 43), is_token("../../etc/passwd")
    (True, False)
    """
    return TOKEN.fullmatch(text) is not None


def find(session: Session, token: str) -> Grant | None:
    """Return the grant of this link, or None."""
    if not is_token(token):
        return None
    return session.scalars(sa.select(Grant).where(Grant.hash == _hash_of(token))).one_or_none()


def live_grant(
    session: Session, *, visitor_id: uuid.UUID, asset: str, now: datetime
) -> Grant | None:
    """Return the leave this visitor has and may still start, or None."""
    return next(_live(session, visitor_id, asset, now), None)


def revoke(
    session: Session,
    *,
    claim_id: uuid.UUID | None = None,
    asset: str | None = None,
    now: datetime,
) -> int:
    """
    End every grant that was given under this claim, for this asset, or both.

    Returns how many were still to be ended. What is being sent at this moment is finished.
    """
    if claim_id is None and asset is None:
        raise ValueError("say which grants: of a claim, of an asset, or of both")
    ending = sa.update(Grant).where(Grant.ended_at.is_(None)).values(ended_at=now)
    if claim_id is not None:
        ending = ending.where(Grant.claim_id == claim_id)
    if asset is not None:
        ending = ending.where(Grant.asset == asset)
    return _changed(session, ending)


def start(session: Session, grant_id: uuid.UUID, *, now: datetime) -> bool:
    """Note that a grant was started; return whether it was this request that did it."""
    starting = (
        sa.update(Grant)
        .where(Grant.id == grant_id, Grant.started_at.is_(None), Grant.ended_at.is_(None))
        .values(started_at=now)
    )
    return _changed(session, starting) == 1


def measure(
    session: Session,
    grant_id: uuid.UUID,
    *,
    status: int,
    first_byte: int,
    length: int,
    now: datetime,
) -> None:
    """Note that bytes were sent for a grant."""
    session.add(
        Serving(
            id=uuid7(),
            grant_id=grant_id,
            at=now,
            status=status,
            first_byte=first_byte,
            length=length,
        )
    )


LIVE = (
    sa.select(Grant)
    .where(
        Grant.visitor_id == sa.bindparam("visitor"),
        Grant.asset == sa.bindparam("asset"),
        Grant.ended_at.is_(None),
        Grant.start_by > sa.bindparam("now"),
    )
    .order_by(Grant.issued_at.desc(), Grant.id.desc())
)


def _live(session: Session, visitor_id: uuid.UUID, asset: str, now: datetime) -> Iterator[Grant]:
    """Return the grants of this visitor that can still be started, the newest first."""
    found = session.scalars(LIVE, {"visitor": visitor_id, "asset": asset, "now": now})
    return (one for one in found if may_be_given_again(one, now))


def _changed(session: Session, update: sa.Update) -> int:
    """Run an UPDATE; return how many rows it changed."""
    result = session.execute(update.execution_options(synchronize_session="fetch"))
    return result.rowcount if isinstance(result, sa.CursorResult) else 0


def _token_of(given: Grant, keys: Sequence[bytes]) -> str | None:
    """Return the token that has the hash which was kept, or None where its key is gone."""
    for key in keys:
        token = _derived(key, given.id)
        if hmac.compare_digest(_hash_of(token), given.hash):
            return token
    return None


def _derived(key: bytes, grant_id: uuid.UUID) -> str:
    """Return the token this key makes: it cannot be told from 32 random bytes."""
    own = hmac.digest(key, PURPOSE, "sha256")  # a key of this purpose: no other token is like it
    digest = hmac.digest(own, grant_id.bytes, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _hash_of(token: str) -> bytes:
    """Return what is kept of a token; of its text, so that each token has one spelling."""
    return hashlib.sha256(token.encode()).digest()
