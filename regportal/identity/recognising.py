"""Who holds a token: the visitor of a browser, and what speaks against taking him for proven."""

import enum
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.models import Claim, ClaimState, Visitor, VisitorState, VisitorToken
from regportal.identity.rules import Standing, holds_proof, is_alive, is_good
from regportal.store.among import among
from regportal.store.facts import table_of
from regportal.store.tokens import hash_of

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
    """Whether :func:`visitors.see` has something to write."""
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
    doubt = doubt_of(visitor, kept, family)
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
        proven=owner.state == VisitorState.VERIFIED and doubt_of(owner, owner, family) is None,
    )


def visitor_given(session: Session, token: str) -> Visitor | None:
    """Return the visitor a token was made for, also where it means nobody any more."""
    kept = session.get(VisitorToken, hash_of(token))
    return session.get(Visitor, kept.visitor_id) if kept is not None else None


def holds(session: Session, visitor: Visitor | None, token_hash: bytes) -> bool:
    """Return whether a token, by its hash, is or was this visitor's."""
    kept = session.get(VisitorToken, token_hash)
    return visitor is not None and kept is not None and kept.visitor_id == visitor.id


def _standing(visitor: Any) -> Standing:
    """Return what decides whether a visitor is still there."""
    return Standing(
        first_seen=visitor.first_seen,
        last_seen=visitor.last_seen,
        remembered=visitor.remembered,
        verified_at=visitor.verified_at if visitor.state == VisitorState.VERIFIED else None,
        ended_at=visitor.ended_at,
    )


def doubt_of(visitor: Any, kept: Any, family: str | None) -> Doubt | None:
    """Return why what a visitor has proven does not count here, or None where it does."""
    if visitor.state != VisitorState.VERIFIED or visitor.verified_at is None:
        return None
    if not holds_proof(visitor.verified_at, kept.made_at):
        return Doubt.TOKEN
    if None not in {family, visitor.family} and family != visitor.family:
        return Doubt.BROWSER
    return None
