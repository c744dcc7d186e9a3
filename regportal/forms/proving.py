"""Proving a browser by the six digits of a mail, typed where the address was given."""

from datetime import datetime

from sqlalchemy.orm import Session

from regportal.consent.actions import states_of, subject_of_claim
from regportal.consent.models import ConsentState
from regportal.forms.actions import hand_over
from regportal.forms.claiming import Around, Sender, evidence_of, subject_of
from regportal.forms.deciding import Confirmed
from regportal.forms.history import heed_objection, join_history
from regportal.forms.waiting import BY_CODE, confirm_newsletter, confirm_waiting
from regportal.identity.actions import claim_of, decide
from regportal.identity.codes import CODE_TYPED, try_code
from regportal.identity.models import Claim, ClaimState, Proof, Visitor, VisitorState
from regportal.identity.recognising import Doubt, recognise
from regportal.identity.visitors import rotate, verify
from regportal.library.actions import live_grant
from regportal.mail.actions import answered
from regportal.store.documents import span
from regportal.store.tokens import derived_token
from regportal.tracking.actions import visit_of


def prove_by_code(
    session: Session, around: Around, typed: str, sender: Sender, *, pepper: str, now: datetime
) -> Confirmed | None:
    """
    Take a code: it decides the claim and proves the browser that typed it (security.md R1).

    Typed twice it changes nothing. Returns None for a code that is not good here, whatever the
    reason; a try is counted all the same, so nothing may be rolled back.
    """
    found = recognise(session, sender.token, sender.browser, now=now)
    visitor = found.visitor
    claim = claim_of(session, visitor, for_update=True) if visitor is not None else None
    if visitor is None or claim is None:
        return None
    session.refresh(visitor)  # as it is behind the lock: another press may have proven it
    visitor.last_seen = now  # one write, whether or not a letter was ever sent (R9)
    if CODE_TYPED.fullmatch(typed) is None:
        return None
    proof = try_code(session, claim, visitor, typed, around.keys, now=now)
    if proof is None:
        return None
    parts = (sender.token.encode(), b"code", proof.hash)
    token = derived_token(around.keys, "visitor", *parts)
    if proof.code_until is None:
        again = recognise(session, token, sender.browser, now=now).visitor
        return Confirmed(proof.gate, token, visitor.remembered) if again is visitor else None
    if found.doubt is Doubt.TOKEN:
        return None
    proof.code_until, proof.used_at = None, proof.used_at or now
    rotate(session, visitor, sender.token, token, now=now)
    _take(session, around, proof, claim, visitor, sender, pepper=pepper, now=now)
    return Confirmed(_onward(session, around, proof, visitor, now), token, visitor.remembered)


def waits_for_code(session: Session, visitor: Visitor, claim: Claim) -> str | None:
    """
    Return what a code would confirm: ``claim``, a newsletter's key, or None.

    For a claim it depends on nothing but that it was made here (R8).
    """
    if visitor.state != VisitorState.VERIFIED:
        return "claim"
    lines = states_of(session, subject_of_claim(claim.id), subject_of(claim)).values()
    waiting = (line.newsletter for line in lines if line.state == ConsentState.PENDING)
    return next(waiting, None)


def _take(  # noqa: PLR0913 - as a yes in the mail is told; each is another room's
    session: Session,
    around: Around,
    proof: Proof,
    claim: Claim,
    visitor: Visitor,
    sender: Sender,
    *,
    pepper: str,
    now: datetime,
) -> None:
    """Do what a right code means: as a yes in the mail, but here."""
    decide(session, claim, ClaimState.CONFIRMED, now=now)
    answered(session, claim.match_key, pepper=pepper, now=now)
    verify(visitor, claim, sender.browser, now=now)
    heed_objection(session, visitor, sender, now=now)
    join_history(session, claim, visitor, now=now)
    evidence = evidence_of(claim, sender, proof.message_id, confirmed_at=now)
    if proof.newsletter is not None:
        confirm_newsletter(session, around, proof, claim, evidence, BY_CODE, now=now)
        return
    confirm_waiting(session, around, claim, evidence, BY_CODE, pepper=pepper, now=now)
    asked_at = around.at(proof.gate)
    if asked_at is not None:
        visit = visit_of(session, visitor.id, span(around.site.visit), now=now)
        hand_over(session, asked_at, visitor, claim, visit, sender, now=now)


def _onward(session: Session, around: Around, proof: Proof, visitor: Visitor, now: datetime) -> str:
    """Return the gate to go on to: this one where it has something to give, else the letter's."""
    asset = around.asset.key
    given = live_grant(session, visitor_id=visitor.id, asset=asset, now=now)
    stays = given is not None or proof.newsletter is not None or around.at(proof.gate) is None
    return around.gate.key if stays else proof.gate
