"""Browsers and their visitors: recognised by a token, proven, given a new one, ended."""

import enum
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
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
from regportal.identity.rules import Standing, holds_proof, is_alive, is_good
from regportal.identity.tokens import hash_of
from regportal.outbox.actions import News, put
from regportal.outbox.models import MAIL
from regportal.store.among import among
from regportal.store.ballast import may_use_ballast
from regportal.store.facts import add, add_once, table_of, watch
from regportal.store.ids import uuid7
from regportal.store.words import N_

NOTED_EVERY = timedelta(minutes=5)
"""How exactly ``last_seen`` is kept: a read is not worth a write each time."""


class Doubt(enum.StrEnum):
    """Why what was proven does not count for whoever holds a token (security.md T-05)."""

    BROWSER = "browser"
    """It is sent by another kind of browser than the one that proved the address."""
    TOKEN = "token"  # noqa: S105 - not a secret
    """It is older than the proof: it may have been planted, or copied, before."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """Whose token this is; ``visitor`` is None where it means nobody any more."""

    visitor: Visitor | None
    worth_noting: bool
    """Whether :func:`see` has something to write."""
    doubt: Doubt | None = None
    """Why he is to be taken for no more than claimed, though he has proven his address."""
    alarm: bool = False
    """Whether an old token was used: two hold this family."""


NOBODY = Recognised(None, worth_noting=False)


IS_KNOWN = sa.select(VisitorToken.visitor_id).where(VisitorToken.hash == sa.bindparam("hash"))
OWNER = (
    sa.select(VisitorToken, Visitor)
    .join(Visitor, Visitor.id == VisitorToken.visitor_id)
    .where(VisitorToken.hash == sa.bindparam("hash"))
)

SPOKEN_FOR, SPOKEN_CLAIM = table_of(Visitor).alias(), table_of(Claim).alias()
OWNERS = (
    sa.select(
        *(table_of(VisitorToken).c[name] for name in ("hash", "made_at", "replaced_at")),
        *table_of(Visitor).c,
        table_of(Claim).c.state.label("claim_state"),
        SPOKEN_CLAIM.c.id.label("spoken_claim_id"),
        SPOKEN_CLAIM.c.state.label("spoken_claim_state"),
    )
    .join_from(table_of(VisitorToken), table_of(Visitor))
    .outerjoin(table_of(Claim), table_of(Claim).c.id == table_of(Visitor).c.claim_id)
    .outerjoin(SPOKEN_FOR, SPOKEN_FOR.c.id == table_of(Visitor).c.speaks_for)
    .outerjoin(SPOKEN_CLAIM, SPOKEN_CLAIM.c.id == SPOKEN_FOR.c.claim_id)
)
OVER = {None, ClaimState.REJECTED, ClaimState.EXPIRED}
"""States of a claim that is nobody's any more; None: there is none."""


def recognise(
    session: Session, token: str | None, family: str | None = None, *, now: datetime
) -> Recognised:
    """Return whose token this is; ``family`` is the rough name of the browser that sent it."""
    if token is None:
        return NOBODY
    asked = {"hash": hash_of(token)}
    if session.connection().scalar(IS_KNOWN, asked) is None:  # as most are: new to us
        return NOBODY
    kept, visitor = session.execute(OWNER, asked).one()
    if not is_alive(_standing(visitor), now):
        return NOBODY
    if not is_good(kept.replaced_at, now):
        return Recognised(None, worth_noting=True, alarm=True)
    doubt = _doubt(visitor, kept, family)
    news = kept.replaces is not None or now - visitor.last_seen > NOTED_EVERY
    return Recognised(visitor, worth_noting=news or doubt is Doubt.BROWSER, doubt=doubt)


Bearer = tuple[bytes, str]
"""Who shows a token: its hash, and the rough name of the browser that sent it."""


@dataclass(frozen=True, slots=True)
class Known:
    """Who a token means now, as far as what he does may be told of him."""

    visitor_id: uuid.UUID
    tracks: bool
    claim_id: uuid.UUID | None
    """
    The claim he made or proved last, unless its owner rejected it.

    Of a page's recorder, that of the visitor for whom it speaks (speaking.py).
    """
    proven: bool
    """Whether his address is proven in this browser, and nothing speaks against it."""


def recognise_all(
    session: Session, sent: Collection[Bearer], *, now: datetime
) -> dict[Bearer, Known]:
    """Return who these tokens mean, in one query: what :func:`recognise` says of each, in short."""
    if not sent:
        return {}
    connection = session.connection()
    asked = {"hashes": list({token for token, _ in sent})}
    rows = connection.execute(_owners(connection.dialect.name), asked)
    owners = {
        row.hash: row
        for row in rows
        if is_alive(_standing(row), now) and is_good(row.replaced_at, now)
    }
    return {
        (token, family): _known(owners[token], family) for token, family in sent if token in owners
    }


@cache
def _owners(dialect: str) -> sa.Select[Any]:
    """Return the statement that reads whose some tokens are; JSON, SQLite's list, has no bytes."""
    column = table_of(VisitorToken).c.hash
    if dialect == "sqlite":
        return OWNERS.where(column.in_(sa.bindparam("hashes", expanding=True)))
    return OWNERS.where(among(column, "hashes"))


def _known(owner: Any, family: str) -> Known:
    """Return who a token means that this kind of browser sent."""
    claim_id = None if owner.claim_state in OVER else owner.claim_id
    if claim_id is None and owner.spoken_claim_state not in OVER:
        claim_id = owner.spoken_claim_id
    return Known(
        visitor_id=owner.id,
        tracks=owner.tracks,
        claim_id=claim_id,
        proven=owner.state == VisitorState.VERIFIED and _doubt(owner, owner, family) is None,
    )


def visitor_given(session: Session, token: str) -> Visitor | None:
    """Return the visitor a token was made for, also where it means nobody any more."""
    kept = session.get(VisitorToken, hash_of(token))
    return session.get(Visitor, kept.visitor_id) if kept is not None else None


def holds(session: Session, visitor: Visitor | None, token_hash: bytes) -> bool:
    """Return whether a token, by its hash, is or was this visitor's."""
    kept = session.get(VisitorToken, token_hash)
    return visitor is not None and kept is not None and kept.visitor_id == visitor.id


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
    if _doubt(visitor, kept, family) is Doubt.BROWSER:
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


def _standing(visitor: Any) -> Standing:
    """Return what decides whether a visitor is still there."""
    return Standing(
        first_seen=visitor.first_seen,
        last_seen=visitor.last_seen,
        remembered=visitor.remembered,
        verified_at=visitor.verified_at if visitor.state == VisitorState.VERIFIED else None,
        ended_at=visitor.ended_at,
    )


def _doubt(visitor: Any, kept: Any, family: str | None) -> Doubt | None:
    """Return why what a visitor has proven does not count here, or None where it does."""
    if visitor.state != VisitorState.VERIFIED or visitor.verified_at is None:
        return None
    if not holds_proof(visitor.verified_at, kept.made_at):
        return Doubt.TOKEN
    if None not in {family, visitor.family} and family != visitor.family:
        return Doubt.BROWSER
    return None


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
