"""What the owner of an address says about a claim: yes, this was me; or no, delete this."""

import enum
import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.schema import Connector
from regportal.consent.actions import (
    follow,
    refused,
    states_of,
    subject_of_claim,
    subject_of_contact,
)
from regportal.consent.models import ConsentState
from regportal.consent.rules import LOCKED_FOR
from regportal.consent.schema import Newsletter
from regportal.errors import NotHereError, StaleError
from regportal.forms.actions import Around, Sender, evidence_of, hand_over, subject_of
from regportal.forms.fields import shown_value
from regportal.forms.history import join_history
from regportal.forms.models import Answer
from regportal.forms.news import claim_ended_news, consent_news
from regportal.forms.pages import frequency_shown
from regportal.forms.schema import Gate, Question
from regportal.forms.wire import browser_shown
from regportal.identity.actions import (
    begin_visitor,
    claim_of,
    decide,
    end_visitor,
    proof_of,
    recognise,
    rotate,
    verify,
)
from regportal.identity.codes import lengthen
from regportal.identity.models import Claim, ClaimState, Contact, Proof, Visitor, VisitorState
from regportal.identity.tokens import derived_token
from regportal.library.actions import revoke
from regportal.mail.actions import answered
from regportal.outbox.actions import owe
from regportal.store.documents import Published, Site, Wording, said, span
from regportal.store.words import N_, moment_shown
from regportal.tracking.actions import attribute, seen_of_claim, visit_of
from regportal.tracking.models import Attributed

BY_PAGE, BY_CODE = "confirm page", "code"
"""How the owner of an address said yes, as the ledger calls it."""


class Decision(enum.StrEnum):
    """Which of the two buttons was pressed."""

    CONFIRM = "confirm"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Shown:
    """A claim as its owner is shown it."""

    opened_at: str
    browser: str
    headline: str
    answers: list[dict[str, str]]
    newsletters: list[dict[str, str | None]]
    seen: str
    """What stands for all of it in the form: a yes is a yes to this, and to nothing since."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a yes led to: the gate to go on to, and what the pressing browser is to keep."""

    gate: str
    token: str
    remembered: bool


def find_proof(session: Session, token: str, *, now: datetime) -> tuple[Proof, Claim]:
    """Return what a mailed link stands for; raise NotHereError where it is (now) nothing."""
    proof = proof_of(session, token)
    if proof is None or proof.expires_at <= now:
        raise NotHereError(N_("This link is no longer valid."))
    return proof, session.get_one(Claim, proof.claim_id)


def shown_claim(
    session: Session,
    published: Published,
    claim: Claim,
    proof: Proof | None = None,
    *,
    locale: str,
) -> Shown:
    """
    Return what a claim's owner is shown of it before the two buttons, in his language.

    What was agreed to stays in the words that were seen.
    """
    gate = published.find(Gate, proof.gate if proof else claim.gate)
    answers = session.scalars(
        sa.select(Answer)
        .where(Answer.claim_id == claim.id, Answer.declined.is_(False))
        .order_by(Answer.answered_at)
    )
    return Shown(
        opened_at=moment_shown(claim.opened_at, locale),
        browser=browser_shown(claim.browser, locale),
        headline=said(gate.headline, locale) if gate else claim.gate,
        answers=[_answer_shown(session, published, answer, locale) for answer in answers],
        newsletters=[
            {
                "title": said(newsletter.title, locale),
                "wording": said(newsletter.wording, claim.locale),
                "lang": claim.locale,
                "frequency": frequency_shown(newsletter, locale),
            }
            for newsletter in _asked_for(session, published, claim, proof)
        ],
        seen=seen_of(session, claim),
    )


def seen_of(session: Session, claim: Claim) -> str:
    """Return the digest of everything a claim gathered so far."""
    answers = session.scalars(sa.select(Answer.id).where(Answer.claim_id == claim.id))
    lines = (line.id for line in states_of(session, subject_of_claim(claim.id)).values())
    gathered = sorted(str(one) for one in (*answers, *lines))
    return hashlib.sha256("\n".join(gathered).encode()).hexdigest()


def _check_seen(session: Session, claim: Claim, seen: str | None) -> None:
    """Raise StaleError where something came to a claim after its owner was shown it."""
    if seen and seen != seen_of(session, claim):
        raise StaleError(N_("Something was added meanwhile. Please look once more."))


def confirm(
    session: Session,
    around: Around,
    token: str,
    sender: Sender,
    *,
    seen: str | None = None,
    pepper: str,
    now: datetime,
) -> Confirmed:
    """
    Take a yes: it decides the claim and proves the browser in which it was pressed (R1).

    Pressed again in the same browser it changes nothing. Raises NotHereError where the link
    is used up: it proves one browser, not whoever it is forwarded to; and StaleError where
    something was added to the claim after ``seen`` was shown.
    """
    proof, claim = _held(session, token, now=now)
    next_token = derived_token(around.keys, "visitor", sender.token.encode(), proof.hash)
    if proof.used_at is not None or claim.state in {ClaimState.REJECTED, ClaimState.EXPIRED}:
        for held in (sender.token, next_token):
            found = recognise(session, held, sender.browser, now=now)
            before = found.visitor if found.doubt is None else None
            if before is not None and _has_proven(before, claim):
                return Confirmed(proof.gate, held, before.remembered)
        raise NotHereError("This link was used before.")
    _check_seen(session, claim, seen)
    decide(session, claim, ClaimState.CONFIRMED, now=now)
    proof.used_at = now
    answered(session, claim.match_key, pepper=pepper, now=now)
    visitor = _pressing(session, claim, sender.token, next_token, now=now)
    verify(visitor, claim, sender.browser, now=now)
    join_history(session, claim, visitor, now=now)
    if visitor.id != proof.visitor_id:
        lengthen(proof, now=now)
    if proof.newsletter is not None:
        confirm_newsletter(session, around, proof.newsletter, claim, sender, BY_PAGE, now=now)
    else:
        confirm_waiting(session, around, claim, sender, BY_PAGE, now=now)
        visit = visit_of(session, visitor.id, span(around.site.visit), now=now)
        hand_over(session, around, visitor, claim, visit, sender, now=now)
    return Confirmed(proof.gate, next_token, visitor.remembered)


def deny(session: Session, published: Published, token: str, *, pepper: str, now: datetime) -> None:
    """
    Take a no: to a newsletter where the link is about one, else as :func:`reject` does it.

    Pressed again it changes nothing. Raises NotHereError where the link is used up.
    """
    proof, claim = _held(session, token, now=now)
    if proof.used_at is not None and claim.state == ClaimState.CONFIRMED:
        raise NotHereError("This link was used before.")
    if proof.newsletter is not None:
        answered(session, claim.match_key, pepper=pepper, now=now)
        _refuse_newsletter(session, published, proof.newsletter, claim, now=now)
    else:
        reject(session, published, claim, pepper=pepper, now=now)
    proof.used_at = proof.used_at or now


def reject(
    session: Session, published: Published, claim: Claim, *, pepper: str, now: datetime
) -> None:
    """
    Undo a claim whose owner says that it was not him; nothing if it was decided before.

    Its answers are deleted, its interactions nobody's, its grants ended, its newsletters
    refused, and its visitor is anonymous again.
    """
    if not decide(session, claim, ClaimState.REJECTED, now=now):
        return
    answered(session, claim.match_key, pepper=pepper, now=now)
    session.execute(sa.delete(Answer).where(Answer.claim_id == claim.id))
    revoke(session, claim_id=claim.id, now=now)
    done = [one.id for one in seen_of_claim(session, claim.id)]
    attribute(session, done, None, Attributed.ANONYMOUS, "claim rejected", now=now)
    _refuse_pending(session, Site.of(published), claim, now=now)
    visitor = session.get(Visitor, claim.visitor_id)
    if visitor is not None and visitor.claim_id == claim.id:
        visitor.claim_id = None
        visitor.state = VisitorState.ANONYMOUS
    ended = claim_ended_news(claim, ClaimState.REJECTED, now=now)
    owe(session, published.all(Connector), ended, now=now)
    claim.settled_at = now


def asked_in_vain(session: Session, claim: Claim) -> frozenset[str]:
    """
    Return the newsletters a claim asks for in vain.

    Whoever said "that was not me" is left alone with that newsletter for 90 days: the page says
    the same as ever, the letter does not speak of it, and a yes to the rest does not order it.
    """
    return refused_by(session, claim.match_key, since=claim.opened_at - LOCKED_FOR)


def refused_by(
    session: Session, match_key: str, *, since: datetime | None = None
) -> frozenset[str]:
    """Return the newsletters the owner of an address refused, and did not want later."""
    claims = session.scalars(sa.select(Claim.id).where(Claim.match_key == match_key))
    contacts = session.scalars(sa.select(Contact.id).where(Contact.match_key == match_key))
    subjects = [*map(subject_of_claim, claims), *map(subject_of_contact, contacts)]
    return refused(session, subjects, since=since)


def _held(session: Session, token: str, *, now: datetime) -> tuple[Proof, Claim]:
    """Return what a mailed link stands for, once whoever presses at the same time has done."""
    proof, claim = find_proof(session, token, now=now)
    session.refresh(claim, with_for_update=True)
    session.refresh(proof)  # as it is behind the lock: another press may have used it
    return proof, claim


def _refuse_newsletter(
    session: Session, published: Published, key: str, claim: Claim, *, now: datetime
) -> None:
    """Refuse the one newsletter a proof is about, while it waits for an answer."""
    subject = subject_of(claim)
    pending = states_of(session, subject_of_claim(claim.id), subject).get(key)
    if pending is None or pending.state != ConsentState.PENDING:
        return
    site = Site.of(published)
    line = follow(session, site, pending, ConsentState.REFUSED, BY_PAGE, subject=subject, now=now)
    if line is not None and claim.contact_id is not None:
        contact = session.get_one(Contact, claim.contact_id)
        owe(session, published.all(Connector), consent_news(contact, line, session), now=now)


def _refuse_pending(session: Session, site: Site, claim: Claim, *, now: datetime) -> None:
    """Refuse every newsletter that waits under a claim."""
    for line in states_of(session, subject_of_claim(claim.id)).values():
        if line.state == ConsentState.PENDING:
            follow(session, site, line, ConsentState.REFUSED, BY_PAGE, now=now)


def _has_proven(visitor: Visitor, claim: Claim) -> bool:
    """Return whether this visitor is the one whose browser proved a claim."""
    return visitor.state == VisitorState.VERIFIED and visitor.claim_id == claim.id


def _pressing(session: Session, claim: Claim, old: str, new: str, *, now: datetime) -> Visitor:
    """Return the visitor in whose browser the button was pressed, holding a new token (R3)."""
    known = recognise(session, old, now=now)
    found = known.visitor
    if found is not None and known.doubt is None:
        other = claim_of(session, found)
        if other is None or other.match_key == claim.match_key:
            rotate(session, found, old, new, now=now)
            return found
        end_visitor(found, now=now)
    return begin_visitor(session, new, now=now)


def confirm_waiting(
    session: Session, around: Around, claim: Claim, sender: Sender, method: str, *, now: datetime
) -> None:
    """Confirm what waited under a claim for its owner, with the evidence of his press."""
    in_vain, evidence = asked_in_vain(session, claim), evidence_of(claim, sender)
    for line in states_of(session, subject_of_claim(claim.id)).values():
        if line.state == ConsentState.PENDING and line.newsletter not in in_vain:
            yes = ConsentState.CONFIRMED
            follow(session, around.site, line, yes, method, evidence=evidence, now=now)


def confirm_newsletter(
    session: Session,
    around: Around,
    key: str,
    claim: Claim,
    sender: Sender,
    method: str,
    *,
    now: datetime,
) -> None:
    """Confirm the one newsletter a proof is about; ``method`` is how its owner said so."""
    subject = subject_of(claim)
    pending = states_of(session, subject_of_claim(claim.id), subject).get(key)
    if pending is None or pending.state != ConsentState.PENDING:
        return
    line = follow(
        session,
        around.site,
        pending,
        ConsentState.CONFIRMED,
        method,
        subject=subject,
        evidence=evidence_of(claim, sender),
        now=now,
    )
    if line is not None and claim.contact_id is not None:
        contact = session.get_one(Contact, claim.contact_id)
        owe(session, around.connectors(), consent_news(contact, line, session), now=now)


def _asked_for(
    session: Session, published: Published, claim: Claim, proof: Proof | None
) -> list[Newsletter]:
    """Return the newsletters that a yes confirms."""
    if proof is not None and proof.newsletter is not None:
        keys = [proof.newsletter]
    else:
        waiting = states_of(session, subject_of_claim(claim.id)).values()
        in_vain = asked_in_vain(session, claim)
        keys = [
            line.newsletter
            for line in waiting
            if line.state == ConsentState.PENDING and line.newsletter not in in_vain
        ]
    found = (published.find(Newsletter, key) for key in keys)
    return [newsletter for newsletter in found if newsletter is not None]


def _answer_shown(
    session: Session, published: Published, answer: Answer, locale: str
) -> dict[str, str]:
    """Return an answer as its wording and its value."""
    question = published.find(Question, answer.question)
    wording = session.get(Wording, answer.wording) if answer.wording else None
    label = wording.text if wording else answer.question
    return {"label": label, "value": shown_value(question, answer.value, locale)[:80]}


def decide_other(  # noqa: PLR0913 - who decides what, and what he saw; all by name
    session: Session,
    published: Published,
    claim_id: uuid.UUID,
    visitor_id: uuid.UUID | None,
    choice: Decision,
    *,
    seen: str | None = None,
    pepper: str,
    now: datetime,
) -> None:
    """
    Decide another open claim of a proven visitor's address; his browser is proven already.

    Raises NotHereError for any claim that is not of that address, and StaleError where
    something was added to it after ``seen`` was shown.
    """
    visitor = session.get(Visitor, visitor_id) if visitor_id else None
    mine = claim_of(session, visitor) if visitor else None
    claim = session.get(Claim, claim_id)
    proven = visitor is not None and visitor.state == VisitorState.VERIFIED
    if not proven or mine is None or claim is None or claim.match_key != mine.match_key:
        raise NotHereError(N_("There is nothing to decide here."))
    if choice is Decision.DENY:
        reject(session, published, claim, pepper=pepper, now=now)
    else:
        session.refresh(claim, with_for_update=True)
        _check_seen(session, claim, seen)
        decide(session, claim, ClaimState.CONFIRMED, now=now)
