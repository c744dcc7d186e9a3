"""Visitors, their claims, and the contacts who proved them."""

import enum
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from regportal.errors import StaleError
from regportal.identity.addresses import Address, read_address
from regportal.identity.models import (
    Assurance,
    Choice,
    Claim,
    ClaimState,
    Contact,
    Proof,
    Visitor,
    VisitorState,
    VisitorToken,
)
from regportal.identity.people import own_contacts
from regportal.identity.rules import CODE, LINK, Standing, holds_proof, is_alive, is_good
from regportal.identity.tokens import hash_of
from regportal.outbox.actions import News, put
from regportal.store.facts import add, add_once, watch
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


def visitor_given(session: Session, token: str) -> Visitor | None:
    """Return the visitor a token was made for, also where it means nobody any more."""
    kept = session.get(VisitorToken, hash_of(token))
    return session.get(Visitor, kept.visitor_id) if kept is not None else None


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
    visitor = _new_visitor(now)
    add(session, visitor, _new_token(visitor, token, now))
    watch(session, visitor)
    return visitor


def begin_claimant(  # noqa: PLR0913 - what begins at once; all by name
    session: Session,
    tokens: tuple[str, str],
    address: Address,
    *,
    remembered: bool,
    gate: str,
    browser: str,
    locale: str,
    own_staff: bool = False,
    now: datetime,
) -> tuple[Visitor, Claim]:
    """
    Begin a visitor who claims an address at once: what almost every first form does.

    ``tokens`` are the one his browser sent and the one it is to keep. It leaves the same rows
    as :func:`begin_visitor`, :func:`rotate` and :func:`open_claim`.
    """
    visitor = _new_visitor(now)
    visitor.remembered = remembered
    claim = _new_claim(visitor, address, gate, browser, locale, now)
    claim.own_staff = own_staff
    old, new = tokens
    add(session, visitor)
    if new != old:  # the old one may be that of a visitor who has ended: it stays his
        add_once(session, _new_token(visitor, old, now))
    add(session, _new_token(visitor, new, now, replaces=hash_of(old)), claim)
    return visitor, claim


def holds(session: Session, visitor: Visitor | None, token_hash: bytes) -> bool:
    """Return whether a token, by its hash, is or was this visitor's."""
    kept = session.get(VisitorToken, token_hash)
    return visitor is not None and kept is not None and kept.visitor_id == visitor.id


def rotate(session: Session, visitor: Visitor, old: str, new: str, *, now: datetime) -> None:
    """Give the visitor a new token; the old one ends once the new one has been seen."""
    add_once(session, _new_token(visitor, new, now, replaces=hash_of(old)))


def end_visitor(visitor: Visitor, *, now: datetime) -> None:
    """End a visitor: none of the tokens means anybody any more; what was done stays."""
    visitor.ended_at = now


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
        end_visitor(visitor, now=now)
    return len(visitors)


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


def claim_of(session: Session, visitor: Visitor, *, for_update: bool = False) -> Claim | None:
    """Return the claim a visitor made or proved last, unless its owner rejected it."""
    if visitor.claim_id is None:
        return None
    claim = session.get(Claim, visitor.claim_id, with_for_update=for_update or None)
    if claim is None or claim.state in {ClaimState.REJECTED, ClaimState.EXPIRED}:
        return None
    return claim


def open_claim_of(session: Session, visitor: Visitor) -> Claim | None:
    """Return the claim of a visitor that waits for an answer, whatever he did since; locked."""
    return session.scalars(
        sa.select(Claim)
        .where(Claim.visitor_id == visitor.id, Claim.state == ClaimState.OPEN)
        .with_for_update()
    ).first()


def open_claim(  # noqa: PLR0913 - what a claim says; all by name
    session: Session,
    visitor: Visitor,
    address: Address,
    *,
    gate: str,
    browser: str,
    locale: str,
    own_staff: bool = False,
    now: datetime,
) -> Claim:
    """Open a claim: this visitor says that this address is his. It proves nothing."""
    claim = _new_claim(visitor, address, gate, browser, locale, now)
    claim.own_staff = own_staff
    add(session, claim)
    watch(session, claim)
    return claim


def confirmed_claim(
    session: Session,
    visitor: Visitor,
    address: Address,
    *,
    gate: str,
    browser: str,
    locale: str,
    now: datetime,
) -> Claim:
    """Add a claim that was confirmed as it was made: the owner of the address pressed here."""
    claim = _new_claim(visitor, address, gate, browser, locale, now)
    claim.state = ClaimState.CONFIRMED
    claim.decided_at = claim.settled_at = now
    session.add(claim)
    session.flush()
    return claim


def decide(session: Session, claim: Claim, state: ClaimState, *, now: datetime) -> bool:
    """Decide an open claim; return False where it had been decided before."""
    decided = session.scalar(
        sa.update(Claim)
        .where(Claim.id == claim.id, Claim.state == ClaimState.OPEN)
        .values(state=state, decided_at=now)
        .returning(Claim.id)
    )
    session.refresh(claim)
    return decided is not None


def verify(visitor: Visitor, claim: Claim, family: str | None = None, *, now: datetime) -> None:
    """
    Let this browser be the proven owner of a claim's address (security.md R1).

    ``family`` is its rough name: in another one its cookie proves nothing.
    """
    visitor.family = family
    visitor.claim_id = claim.id
    visitor.state = VisitorState.VERIFIED
    visitor.verified_at = now


def add_proof(  # noqa: PLR0913 - what a letter carries; all by name
    session: Session,
    claim: Claim,
    gate: str,
    token: str,
    newsletter: str | None = None,
    *,
    visitor_id: uuid.UUID | None = None,
    message_id: str | None = None,
    now: datetime,
) -> Proof:
    """
    Keep the link we are about to mail; making the same one again changes nothing.

    ``visitor_id`` is whose browser may prove itself by the code beside it, if any;
    ``message_id`` names the mail that carries it.
    """
    kept = session.get(Proof, hash_of(token))
    if kept is None:
        kept = Proof(
            hash=hash_of(token),
            claim_id=claim.id,
            gate=gate,
            newsletter=newsletter,
            made_at=now,
            expires_at=now + LINK,
            visitor_id=visitor_id,
            tries=0,
            code_until=now + CODE if visitor_id else None,
            message_id=message_id,
        )
        session.add(kept)
    return kept


def proving_mail(session: Session, claim: Claim) -> str | None:
    """Return the Message-ID of the mail by which a claim was proven last, where one is known."""
    return session.scalar(
        sa.select(Proof.message_id)
        .where(Proof.claim_id == claim.id, Proof.used_at.is_not(None))
        .order_by(Proof.used_at.desc())
        .limit(1)
    )


def proof_of(session: Session, token: str) -> Proof | None:
    """Return the proof a mailed link stands for, however old, or None."""
    return session.get(Proof, hash_of(token))


def open_claims_of(
    session: Session, match_keys: Collection[str], *, until: datetime | None = None, most: int
) -> Sequence[Claim]:
    """Return the newest open claims of these addresses, those made ``until`` then."""
    found = sa.select(Claim).where(Claim.match_key.in_(match_keys), Claim.state == ClaimState.OPEN)
    if until is not None:
        found = found.where(Claim.opened_at <= until)
    newest = found.order_by(Claim.opened_at.desc(), Claim.id.desc())
    return session.scalars(newest.limit(most)).all()


def count_open_claims(session: Session, match_keys: Collection[str]) -> int:
    """Return how many claims of these addresses wait for an answer."""
    waiting = sa.select(sa.func.count()).where(
        Claim.match_key.in_(match_keys), Claim.state == ClaimState.OPEN
    )
    return session.scalar(waiting) or 0


def find_contact(session: Session, email: str) -> Contact | None:
    """Return the contact of an address, or None where we know none (or it is no address)."""
    try:
        key = read_address(email).match_key
    except ValueError:
        return None
    return session.scalars(sa.select(Contact).where(Contact.match_key == key)).first()


def contact_from_crm(session: Session, email: str, *, now: datetime) -> Contact:
    """Return the contact the CRM speaks of, made with assurance ``crm`` if new."""
    address = read_address(email)
    return contact_at(session, address, Assurance.CRM, "en", now=now)


def contact_from_import(
    session: Session, address: Address, locale: str, *, now: datetime
) -> Contact:
    """Return the contact an imported list speaks of, made with assurance ``imported`` if new."""
    return contact_at(session, address, Assurance.IMPORTED, locale, now=now)


def contact_of_claim(session: Session, claim: Claim, *, now: datetime) -> Contact:
    """Return the contact a confirmed claim is about, proven from now on."""
    contact = contact_at(session, claim.address, Assurance.VERIFIED, claim.locale, now=now)
    contact.assurance = Assurance.VERIFIED
    claim.contact_id = contact.id
    return contact


def told(contact: Contact) -> dict[str, Any]:
    """Return a contact as every message names it."""
    return {"key": contact.key, "email": contact.email, "assurance": contact.assurance.value}


def contact_at(
    session: Session, address: Address, assurance: Assurance, locale: str, *, now: datetime
) -> Contact:
    """Return the contact of an address, made with this assurance if new; safe when two do."""
    dialect = session.get_bind().dialect.name
    insert = _insert(dialect)(Contact).values(
        id=uuid7(),
        email=address.email,
        match_key=address.match_key,
        assurance=assurance,
        first_seen=now,
        locale=locale,
    )
    session.execute(insert.on_conflict_do_nothing(index_elements=["match_key"]))
    return session.scalars(sa.select(Contact).where(Contact.match_key == address.match_key)).one()


def _insert(dialect: str) -> Any:
    """Return the dialect's INSERT, which knows ON CONFLICT."""
    return postgresql.insert if dialect == "postgresql" else sqlite.insert


def _new_visitor(now: datetime) -> Visitor:
    """Return somebody new."""
    return Visitor(
        id=uuid7(),
        first_seen=now,
        last_seen=now,
        state=VisitorState.ANONYMOUS,
        remembered=False,
    )


def _new_token(
    visitor: Visitor, token: str, now: datetime, replaces: bytes | None = None
) -> VisitorToken:
    """Return what is kept of a visitor's token."""
    return VisitorToken(hash=hash_of(token), visitor_id=visitor.id, made_at=now, replaces=replaces)


def _new_claim(
    visitor: Visitor, address: Address, gate: str, browser: str, locale: str, now: datetime
) -> Claim:
    """Return a claim, and let it be the visitor's."""
    claim = Claim(
        id=uuid7(),
        visitor_id=visitor.id,
        typed=address.typed,
        email=address.email,
        match_key=address.match_key,
        gate=gate,
        browser=browser,
        locale=locale,
        state=ClaimState.OPEN,
        opened_at=now,
    )
    visitor.claim_id = claim.id
    visitor.state = VisitorState.CLAIMED
    return claim


def _doubt(visitor: Visitor, kept: VisitorToken, family: str | None) -> Doubt | None:
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
    end_visitor(visitor, now=now)
    if visitor.state == VisitorState.VERIFIED and visitor.claim_id is not None:
        news = News(
            topic="mail.alert",
            subject=f"claim:{visitor.claim_id}",
            payload={"claim": str(visitor.claim_id)},
            occurred_at=now,
        )
        put(session, "mail", news, now=now)


def _standing(visitor: Visitor) -> Standing:
    """Return what decides whether a visitor is still there."""
    return Standing(
        first_seen=visitor.first_seen,
        last_seen=visitor.last_seen,
        remembered=visitor.remembered,
        verified_at=visitor.verified_at if visitor.state == VisitorState.VERIFIED else None,
        ended_at=visitor.ended_at,
    )
