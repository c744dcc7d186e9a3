"""What a yes or a no means for the newsletters that waited for it."""

from datetime import datetime

from sqlalchemy.orm import Session

from regportal.consent.actions import follow, states_of, subject_of_claim
from regportal.consent.lines import Evidence
from regportal.consent.models import ConsentEvent, ConsentState
from regportal.consent.refusing import keep_refusal
from regportal.forms.claiming import House, subject_of
from regportal.forms.news import tell_consent
from regportal.forms.showing import asked_in_vain
from regportal.identity.models import Claim, Contact, Proof
from regportal.store.documents import Published

BY_PAGE, BY_CODE = "confirm page", "code"
"""How the owner of an address said yes, as the ledger calls it."""


def confirm_waiting(
    session: Session,
    house: House,
    claim: Claim,
    evidence: Evidence,
    method: str,
    *,
    pepper: str,
    now: datetime,
) -> None:
    """Confirm what waited under a claim for its owner, with the evidence of his press."""
    in_vain = asked_in_vain(session, claim, pepper=pepper)
    for line in states_of(session, subject_of_claim(claim.id)).values():
        if line.state == ConsentState.PENDING and line.newsletter not in in_vain:
            yes = ConsentState.CONFIRMED
            follow(session, house.published, line, yes, method, evidence=evidence, now=now)


def confirm_newsletter(
    session: Session,
    house: House,
    proof: Proof,
    claim: Claim,
    evidence: Evidence,
    method: str,
    *,
    now: datetime,
) -> None:
    """Confirm the one newsletter a proof is about; ``method`` is how its owner said so."""
    pending = _pending(session, proof, claim)
    if pending is None:
        return
    line = follow(
        session,
        house.published,
        pending,
        ConsentState.CONFIRMED,
        method,
        subject=subject_of(claim),
        evidence=evidence,
        now=now,
    )
    if claim.contact_id is not None:
        contact = session.get_one(Contact, claim.contact_id)
        tell_consent(session, house.published, contact, line, now=now)


def refuse_waiting(
    session: Session,
    published: Published,
    claim: Claim,
    evidence: Evidence,
    *,
    pepper: str,
    now: datetime,
) -> None:
    """Refuse every newsletter that waits under a claim."""
    for line in states_of(session, subject_of_claim(claim.id)).values():
        if line.state == ConsentState.PENDING:
            _refuse(session, published, line, claim, evidence, pepper=pepper, now=now)


def refuse_newsletter(
    session: Session,
    published: Published,
    proof: Proof,
    claim: Claim,
    evidence: Evidence,
    *,
    pepper: str,
    now: datetime,
) -> None:
    """Refuse the one newsletter a proof is about, while it waits for an answer."""
    pending = _pending(session, proof, claim)
    if pending is not None:
        line = _refuse(session, published, pending, claim, evidence, pepper=pepper, now=now)
        if claim.contact_id is not None:
            contact = session.get_one(Contact, claim.contact_id)
            tell_consent(session, published, contact, line, now=now)


def let_expire(
    session: Session, house: House, claim: Claim, evidence: Evidence, *, now: datetime
) -> None:
    """Let what waits under a claim end, with neither yes nor no: its mailbox alone orders it."""
    for line in states_of(session, subject_of_claim(claim.id)).values():
        if line.state == ConsentState.PENDING:
            ended, published = ConsentState.EXPIRED, house.published
            follow(session, published, line, ended, BY_PAGE, evidence=evidence, now=now)


def _pending(session: Session, proof: Proof, claim: Claim) -> ConsentEvent | None:
    """Return the line of the one newsletter a proof is about, while it waits for an answer."""
    lines = states_of(session, subject_of_claim(claim.id), subject_of(claim))
    line = lines.get(proof.newsletter or "")
    return line if line is not None and line.state == ConsentState.PENDING else None


def _refuse(
    session: Session,
    published: Published,
    line: ConsentEvent,
    claim: Claim,
    evidence: Evidence,
    *,
    pepper: str,
    now: datetime,
) -> ConsentEvent | None:
    """Write that a newsletter is refused, and keep it longer than the claim is kept."""
    keep_refusal(session, claim.match_key, line.newsletter, pepper, now=now)
    subject = subject_of(claim)
    no, how = ConsentState.REFUSED, BY_PAGE
    return follow(session, published, line, no, how, subject=subject, evidence=evidence, now=now)
