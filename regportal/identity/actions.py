"""Claims to an address, the letters that prove them, and the contacts whose address it is."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.addresses import Address, read_address
from regportal.identity.models import (
    Assurance,
    Claim,
    ClaimState,
    Contact,
    Proof,
    Visitor,
    VisitorState,
)
from regportal.identity.rules import CODE, LINK
from regportal.identity.visitors import new_token, new_visitor
from regportal.store.facts import add, add_once, insert_in, watch
from regportal.store.ids import uuid7
from regportal.store.tokens import hash_of


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
    as a visitor begun and rotated (visitors.py) who then makes a claim (:func:`open_claim`).
    """
    visitor = new_visitor(now)
    visitor.remembered = remembered
    claim = _new_claim(visitor, address, gate, browser, locale, now)
    claim.own_staff = own_staff
    old, new = tokens
    add(session, visitor)
    if new != old:  # the old one may be that of a visitor who has ended: it stays his
        add_once(session, new_token(visitor, old, now))
    add(session, new_token(visitor, new, now, replaces=hash_of(old)), claim)
    return visitor, claim


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


def proof_of(session: Session, token: str) -> Proof | None:
    """Return the proof a mailed link stands for, however old, or None."""
    return session.get(Proof, hash_of(token))


def proving_mail(session: Session, claim: Claim) -> str | None:
    """Return the Message-ID of the mail by which a claim was proven last, where one is known."""
    return session.scalar(
        sa.select(Proof.message_id)
        .where(Proof.claim_id == claim.id, Proof.used_at.is_not(None))
        .order_by(Proof.used_at.desc())
        .limit(1)
    )


def find_contact(session: Session, email: str) -> Contact | None:
    """Return the contact of an address, or None where we know none (or it is no address)."""
    try:
        key = read_address(email).match_key
    except ValueError:
        return None
    return session.scalars(sa.select(Contact).where(Contact.match_key == key)).first()


def emails_of(
    session: Session, contacts: Iterable[uuid.UUID | None]
) -> dict[uuid.UUID | None, str]:
    """Return the addresses of these contacts, by key; None, and who is gone, has none."""
    wanted = {contact for contact in contacts if contact is not None}
    rows = session.scalars(sa.select(Contact).where(Contact.id.in_(wanted)))
    return {contact.id: contact.address.shown for contact in rows}


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


def contact_at(
    session: Session, address: Address, assurance: Assurance, locale: str, *, now: datetime
) -> Contact:
    """Return the contact of an address, made with this assurance if new; safe when two do."""
    dialect = session.get_bind().dialect.name
    insert = insert_in(dialect)(Contact).values(
        id=uuid7(),
        email=address.email,
        match_key=address.match_key,
        assurance=assurance,
        first_seen=now,
        locale=locale,
    )
    session.execute(insert.on_conflict_do_nothing(index_elements=["match_key"]))
    return session.scalars(sa.select(Contact).where(Contact.match_key == address.match_key)).one()


def told(contact: Contact) -> dict[str, Any]:
    """Return a contact as every message names it."""
    return {"key": contact.key, "email": contact.email, "assurance": contact.assurance.value}


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
