"""A visitor's life in a browser: begun, seen, given a new token, proven, ended."""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import StaleError
from regportal.identity.models import (
    Choice,
    Claim,
    ClaimState,
    Contact,
    Visitor,
    VisitorState,
    VisitorToken,
)
from regportal.identity.people import own_contacts
from regportal.identity.recognising import Doubt, doubt_of, recognise
from regportal.identity.rules import is_good
from regportal.outbox.actions import News, put
from regportal.outbox.models import MAIL
from regportal.store.ballast import may_use_ballast
from regportal.store.facts import add, add_once, watch
from regportal.store.ids import uuid7
from regportal.store.tokens import hash_of
from regportal.store.words import N_


def present(session: Session, token: str, family: str, *, now: datetime) -> Visitor | None:
    """
    Return who sends a form; in another browser a proven one drops to claimed.

    Raises StaleError where his token is older than what he has proven since.
    """
    found = recognise(session, token, family, now=now)
    if found.doubt is Doubt.TOKEN:
        raise StaleError(N_("This page had been open for too long. Here it is anew."))
    if found.doubt is Doubt.BROWSER and found.visitor is not None:
        found.visitor.state = VisitorState.CLAIMED
    return found.visitor


def see(session: Session, token: str, family: str | None = None, *, now: datetime) -> None:
    """
    Note that a token was used.

    The first use of a new token begins the end of the one before; an old one that is used
    after its end means that two hold the family, and ends the visitor (security.md R3). Where he
    was proven, a letter tells him. In another browser a proven one drops to claimed.
    """
    kept = session.get(VisitorToken, hash_of(token))
    if kept is None:
        return
    visitor = session.get_one(Visitor, kept.visitor_id)
    if not is_good(kept.replaced_at, now):
        _alarm(session, visitor, now=now)
        return
    if doubt_of(visitor, kept, family) is Doubt.BROWSER:
        visitor.state = VisitorState.CLAIMED
    visitor.last_seen = max(visitor.last_seen, now)
    if kept.replaces is not None:
        before = session.get(VisitorToken, kept.replaces)
        if before is not None and before.replaced_at is None:
            before.replaced_at = now
        kept.replaces = None


def begin_visitor(session: Session, token: str, *, now: datetime) -> Visitor:
    """Begin a visitor for a browser that holds this token."""
    visitor = new_visitor(now)
    add(session, visitor, new_token(visitor, token, now))
    watch(session, visitor)
    return visitor


def new_visitor(now: datetime) -> Visitor:
    """Return somebody new."""
    return Visitor(
        id=uuid7(),
        first_seen=now,
        last_seen=now,
        state=VisitorState.ANONYMOUS,
        remembered=False,
    )


def new_token(
    visitor: Visitor, token: str, now: datetime, replaces: bytes | None = None
) -> VisitorToken:
    """Return what is kept of a visitor's token."""
    return VisitorToken(hash=hash_of(token), visitor_id=visitor.id, made_at=now, replaces=replaces)


def rotate(session: Session, visitor: Visitor, old: str, new: str, *, now: datetime) -> None:
    """Give the visitor a new token; the old one ends once the new one has been seen."""
    add_once(session, new_token(visitor, new, now, replaces=hash_of(old)))


def verify(visitor: Visitor, claim: Claim, family: str | None = None, *, now: datetime) -> None:
    """
    Let this browser be the proven owner of a claim's address (security.md R1).

    ``family`` is its rough name: in another one its cookie proves nothing.
    """
    visitor.family = family
    visitor.claim_id = claim.id
    visitor.state = VisitorState.VERIFIED
    visitor.verified_at = now


def choose(
    session: Session,
    visitor: Visitor,
    *,
    recognise_later: bool,
    track: bool,
    signals: Mapping[str, Any],
    now: datetime,
) -> None:
    """Keep what somebody chose for this browser; the newest choice holds."""
    if (visitor.remembered and not recognise_later) or (visitor.tracks and not track):
        may_use_ballast(session)
    session.add(
        Choice(
            id=uuid7(),
            visitor_id=visitor.id,
            recognise=recognise_later,
            track=track,
            at=now,
            signals=dict(signals),
        )
    )
    visitor.remembered, visitor.tracks = recognise_later, track


def end_visitor(session: Session, visitor: Visitor, *, now: datetime) -> None:
    """
    End a visitor: none of the tokens means anybody any more; what was done stays.

    Nor does that of a page's recorder that speaks for him (speaking.py).
    """
    visitor.ended_at = now
    session.flush()  # holds his row: nobody begins to speak for him in between
    session.execute(
        sa.update(Visitor)
        .where(Visitor.speaks_for == visitor.id, Visitor.ended_at.is_(None))
        .values(ended_at=now)
    )


def browsers_of(session: Session, contacts: Collection[uuid.UUID]) -> list[tuple[Visitor, str]]:
    """
    Return the browsers in which these contacts are recognised, the one used last first.

    Beside each stands the rough name of the browser in which its address was given.
    """
    rows = session.execute(
        sa.select(Visitor, Claim.browser)
        .join(Claim, Claim.id == Visitor.claim_id)
        .where(
            Claim.contact_id.in_(contacts),
            Visitor.state == VisitorState.VERIFIED,
            Visitor.ended_at.is_(None),
        )
        .order_by(Visitor.last_seen.desc())
    )
    return [(visitor, name) for visitor, name in rows]


def sign_out_everywhere(session: Session, contact: Contact, now: datetime) -> int:
    """End every browser of whoever owns an address, under any of his; return how many."""
    keys = [one.match_key for one in own_contacts(session, contact)]
    theirs = sa.select(Claim.id).where(
        Claim.match_key.in_(keys), Claim.state == ClaimState.CONFIRMED
    )
    visitors = session.scalars(
        sa.select(Visitor).where(Visitor.claim_id.in_(theirs), Visitor.ended_at.is_(None))
    ).all()
    for visitor in visitors:
        end_visitor(session, visitor, now=now)
    return len(visitors)


def _alarm(session: Session, visitor: Visitor, *, now: datetime) -> None:
    """End a visitor whose token two hold, and tell him where he was proven."""
    if visitor.ended_at is not None:
        return
    end_visitor(session, visitor, now=now)
    if visitor.state == VisitorState.VERIFIED and visitor.claim_id is not None:
        news = News(
            topic="mail.alert",
            subject=f"claim:{visitor.claim_id}",
            payload={"claim": str(visitor.claim_id)},
            occurred_at=now,
        )
        put(session, MAIL, news, now=now)
