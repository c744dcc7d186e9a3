"""
The six digits beside a mailed link: whoever types them holds the mailbox (security.md R1, R4).

Nothing is kept from which a code could be read. It is made anew from the keys each time, for one
letter, one claim and one visitor; in another browser it is six digits that mean nothing.
"""

import hmac
import re
import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.models import Claim, Proof, Visitor
from regportal.identity.rules import CODE, TRIES
from regportal.store.tokens import derived_code

CODE_TYPED = re.compile(r"\s*[0-9]{3}[ -]?[0-9]{3}\s*")
"""A code as people type it."""


def fits(typed: str, keys: Sequence[bytes], purpose: str, *parts: bytes) -> bool:
    """
    Return whether these are the six digits that one of our keys makes for something.

    >>> right = derived_code(b"k" * 32, "code", b"x")
    >>> fits(f"{right[:3]} {right[3:]}", [b"o" * 32, b"k" * 32], "code", b"x")
    True
    >>> fits(right, [b"k" * 32], "code", b"y"), fits("12345", [b"k" * 32], "code", b"x")
    (False, False)
    """
    given = "".join(typed.split()).replace("-", "").encode()
    made = [derived_code(key, purpose, *parts).encode() for key in keys]
    good = sum(hmac.compare_digest(given, one) for one in made)  # each, so that time tells nothing
    return bool(good) and CODE_TYPED.fullmatch(typed) is not None


def code_of(proof: Proof, keys: Sequence[bytes]) -> str | None:
    """Return the code of a letter, or None where nobody can prove himself by it (any more)."""
    if proof.visitor_id is None or proof.code_until is None or proof.tries >= TRIES:
        return None
    return derived_code(keys[0], "code", *_about(proof, proof.visitor_id))


def show_again(
    session: Session, claim: Claim, visitor: Visitor, keys: Sequence[bytes], *, now: datetime
) -> str | None:
    """
    Return the code that proves the browser which made a claim, for its owner in another one.

    None where there is nothing to prove (any more), or where the claim was made right here.
    """
    asked = session.get(Visitor, claim.visitor_id)
    if asked is None or asked.id == visitor.id or asked.ended_at or asked.claim_id != claim.id:
        return None
    codes = (
        code_of(proof, keys)
        for proof in _proofs(session, claim, asked)
        if proof.code_until is not None and proof.code_until > now
    )
    return next((code for code in codes if code), None)


def try_code(
    session: Session,
    claim: Claim,
    visitor: Visitor,
    typed: str,
    keys: Sequence[bytes],
    *,
    now: datetime,
) -> Proof | None:
    """
    Return the letter whose code this is, or None; a wrong one is counted against all of them.

    The claim must be locked, so that a hundred tries at once are still only five. What was used
    before is returned with ``code_until`` None: its caller says whether that is fine.
    """
    proofs = _proofs(session, claim, visitor, for_update=True)
    fitting = [proof for proof in proofs if fits(typed, keys, "code", *_about(proof, visitor.id))]
    good = [one for one in fitting if one.code_until is None or one.code_until > now]
    if not good:
        for proof in proofs:
            proof.tries += 1
    return good[0] if good else None


def awaits_code(proof: Proof, claim: Claim, asked: Visitor | None, *, now: datetime) -> bool:
    """Return whether the browser that made a claim can still be proven by the code of a letter."""
    if asked is None or asked.id != proof.visitor_id:
        return False
    waits = asked.ended_at is None and asked.claim_id == claim.id
    good = proof.code_until is not None and proof.code_until > now and proof.tries < TRIES
    return waits and good


def lengthen(proof: Proof, *, now: datetime) -> None:
    """Let an unused code be typed for ten more minutes; its tries stay what they are."""
    if proof.code_until is not None:
        proof.code_until = now + CODE


def _proofs(
    session: Session, claim: Claim, visitor: Visitor, *, for_update: bool = False
) -> Sequence[Proof]:
    """Return the letters about a claim that this visitor may answer by code, the newest first."""
    found = (
        sa.select(Proof)
        .where(
            Proof.claim_id == claim.id,
            Proof.visitor_id == visitor.id,
            Proof.tries < TRIES,
        )
        .order_by(Proof.made_at.desc())
    )
    if for_update:
        found = found.with_for_update().execution_options(populate_existing=True)
    return session.scalars(found).all()


def _about(proof: Proof, visitor: uuid.UUID) -> tuple[bytes, ...]:
    """Return what a code is made for: one letter, one claim and one visitor."""
    return (proof.hash, proof.claim_id.bytes, visitor.bytes)
