"""
A page's recorder speaks for the visitor of our frame in it: one identity on a site far from us.

The browser keeps the two apart, and so do we: each has a token of its own, and what the page's
scripts can read opens nothing of the frame's (security.md 3.2). Only what the recorder tells is
told of the claim that was made in the frame.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.actions import claim_of
from regportal.identity.models import Claim, Visitor, VisitorState
from regportal.identity.visitors import end_visitor


def let_speak(
    session: Session, recorder: uuid.UUID, visitor: Visitor, claim: Claim, *, now: datetime
) -> bool:
    """
    Let the recorder of a page tell what a visitor with a claim does; return whether it may.

    ``recorder`` is the visitor whose token the page's scripts hold. It speaks for one person: where
    it spoke for somebody who gave another address it means nobody from now on, as a browser does in
    which another address is given.
    """
    session.refresh(visitor, with_for_update=True)  # first, as whoever ends him does
    speaker = session.get(Visitor, recorder, with_for_update=True, populate_existing=True)
    if speaker is None or not _may_speak(speaker) or visitor.ended_at is not None:
        return False
    if speaker.id == visitor.id or visitor.speaks_for is not None:
        return False
    before = session.get(Visitor, speaker.speaks_for) if speaker.speaks_for else None
    spoken = claim_of(session, before) if before is not None else None
    if spoken is not None and spoken.match_key != claim.match_key:
        end_visitor(session, speaker, now=now)
        return False
    speaker.speaks_for = visitor.id
    speaker.last_seen = max(speaker.last_seen, now)
    return True


def speakers_of(session: Session, visitor: Visitor) -> Sequence[Visitor]:
    """Return whose tokens the recorders hold that speak for a visitor; mostly nobody's."""
    return session.scalars(
        sa.select(Visitor).where(Visitor.speaks_for == visitor.id, Visitor.ended_at.is_(None))
    ).all()


def is_nobody(visitor: Visitor) -> bool:
    """Return whether nobody ever gave an address in this browser."""
    return visitor.state == VisitorState.ANONYMOUS and visitor.claim_id is None


def _may_speak(recorder: Visitor) -> bool:
    """Return whether a visitor is nobody himself, and allows to be followed."""
    return is_nobody(recorder) and recorder.tracks and recorder.ended_at is None
