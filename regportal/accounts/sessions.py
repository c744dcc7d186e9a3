"""Who is signed in where: kept here, so that it can be seen and ended at once."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.accounts.models import StudioSession, StudioUser
from regportal.store.ids import uuid7
from regportal.store.tokens import hash_of

IDLE = timedelta(minutes=30)
"""After so long without a request a session is over."""
LONGEST = timedelta(hours=12)
"""No session is longer."""
AWAITED = timedelta(minutes=10)
"""So long a second factor is awaited."""
SEEN_AGAIN = timedelta(minutes=1)
"""How exactly we keep when a session was used: a write a request would be too much for it."""


@dataclass(frozen=True, slots=True)
class Browser:
    """From where somebody signs in, roughly."""

    name: str
    network: str | None


def is_over(kept: StudioSession, now: datetime) -> bool:
    """Return whether a session has ended by itself."""
    idle = IDLE if kept.user_id is not None else AWAITED
    return now - kept.seen_at > idle or now - kept.made_at > LONGEST


def find(session: Session, token: str, *, now: datetime) -> StudioSession | None:
    """Return the session a cookie holds the token of, while it lasts."""
    kept = session.get(StudioSession, hash_of(token))
    return None if kept is None or is_over(kept, now) else kept


def begin(
    session: Session,
    token: str,
    sealed: str,
    uniquifier: str | None,
    browser: Browser,
    *,
    now: datetime,
) -> None:
    """Keep a new session, of whoever has this uniquifier; None: it awaits a second factor."""
    user_id = (
        session.scalar(sa.select(StudioUser.id).where(StudioUser.uniquifier == uniquifier))
        if uniquifier is not None
        else None
    )
    session.add(
        StudioSession(
            hash=hash_of(token),
            id=uuid7(),
            user_id=user_id,
            sealed=sealed,
            made_at=now,
            seen_at=now,
            network=browser.network,
            browser=browser.name,
        )
    )
    if user_id is not None:
        session.execute(
            sa.update(StudioUser).where(StudioUser.id == user_id).values(last_login=now)
        )


def change(session: Session, key: bytes, sealed: str, *, now: datetime) -> None:
    """Keep what a session remembers now; one that was ended meanwhile stays ended."""
    session.execute(
        sa.update(StudioSession).where(StudioSession.hash == key).values(sealed=sealed, seen_at=now)
    )


def see(session: Session, key: bytes, *, now: datetime) -> None:
    """Keep that a session was used."""
    session.execute(sa.update(StudioSession).where(StudioSession.hash == key).values(seen_at=now))


def end(session: Session, key: bytes) -> None:
    """End a session."""
    session.execute(sa.delete(StudioSession).where(StudioSession.hash == key))


def of(session: Session, user_id: uuid.UUID, *, now: datetime) -> Sequence[StudioSession]:
    """Return where somebody is signed in, the newest use first."""
    kept = session.scalars(
        sa.select(StudioSession)
        .where(StudioSession.user_id == user_id)
        .order_by(StudioSession.seen_at.desc(), StudioSession.id)
    )
    return [one for one in kept if not is_over(one, now)]


def end_one(session: Session, user_id: uuid.UUID, session_id: uuid.UUID) -> bool:
    """End one session of somebody; return whether there was such a one."""
    ended = session.execute(
        sa.delete(StudioSession)
        .where(StudioSession.id == session_id, StudioSession.user_id == user_id)
        .returning(StudioSession.id)
    )
    return ended.first() is not None
