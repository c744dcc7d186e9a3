"""What the owner of an address says about a claim: yes, this was me; or no, delete this."""

import enum
import uuid
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.consent.lines import Evidence
from regportal.errors import NotHereError
from regportal.forms.actions import hand_over
from regportal.forms.claiming import Around, House, Sender, evidence_of
from regportal.forms.history import heed_objection, join_history
from regportal.forms.models import Answer
from regportal.forms.news import tell_claim_ended
from regportal.forms.showing import check_seen
from regportal.forms.waiting import (
    BY_PAGE,
    confirm_newsletter,
    confirm_waiting,
    refuse_newsletter,
    refuse_waiting,
)
from regportal.identity.actions import claim_of, decide, proof_of
from regportal.identity.codes import awaits_code, lengthen
from regportal.identity.models import Claim, ClaimState, Proof, Visitor, VisitorState
from regportal.identity.people import keys_of_owner
from regportal.identity.recognising import recognise, visitor_given
from regportal.identity.visitors import begin_visitor, end_visitor, rotate, verify
from regportal.library.actions import revoke
from regportal.mail.actions import answered
from regportal.store.ballast import may_use_ballast
from regportal.store.documents import Published, span
from regportal.store.tokens import derived_token
from regportal.store.words import N_
from regportal.tracking.actions import attribute, seen_of_claim, visit_of
from regportal.tracking.models import NOT_HIM, Attributed


class Decision(enum.StrEnum):
    """Which of the two buttons was pressed."""

    CONFIRM = "confirm"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a yes led to: the gate to go on to, and what the pressing browser is to keep."""

    gate: str
    token: str
    remembered: bool


@dataclass(frozen=True, slots=True)
class Aside:
    """What a yes led to that left the browser to whoever is proven in it."""

    gate: str
    newsletter: str | None
    """What the letter was about, where that was a newsletter alone."""
    visitor_id: uuid.UUID
    """Nobody's browser: what was asked for is handed to it, to be fetched once."""
    by_code: bool
    """Whether the browser that asked waits for the code of the letter."""


def find_proof(session: Session, token: str, *, now: datetime) -> tuple[Proof, Claim]:
    """Return what a mailed link stands for; raise NotHereError where it is (now) nothing."""
    proof = proof_of(session, token)
    if proof is None or proof.expires_at <= now:
        raise NotHereError(N_("This link is no longer valid."))
    return proof, session.get_one(Claim, proof.claim_id)


def confirm(
    session: Session,
    house: House,
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
    around = _around(house, proof, claim)
    onward = around.gate.key if around is not None else proof.gate
    next_token = derived_token(house.keys, "visitor", sender.token.encode(), proof.hash)
    if proof.used_at is not None or claim.state in {ClaimState.REJECTED, ClaimState.EXPIRED}:
        for held in (sender.token, next_token):
            found = recognise(session, held, sender.browser, now=now)
            before = found.visitor if found.doubt is None else None
            if before is not None and _has_proven(before, claim):
                return Confirmed(onward, held, before.remembered)
        raise NotHereError("This link was used before.")
    check_seen(session, claim, seen)
    _say_yes(session, proof, claim, pepper=pepper, now=now)
    visitor = _pressing(session, claim, sender.token, next_token, now=now)
    verify(visitor, claim, sender.browser, now=now)
    heed_objection(session, visitor, sender, now=now)
    join_history(session, claim, visitor, now=now)
    if visitor.id != proof.visitor_id:
        lengthen(proof, now=now)
    _give(session, house, around, proof, visitor, sender, pepper=pepper, now=now)
    return Confirmed(onward, next_token, visitor.remembered)


def confirm_aside(
    session: Session,
    house: House,
    token: str,
    sender: Sender,
    *,
    seen: str | None = None,
    pepper: str,
    now: datetime,
) -> Aside:
    """
    Take a yes that leaves the browser to whoever is proven in it: it decides the claim alone.

    Nobody is signed in or out. What was asked for is handed to nobody's browser, to be fetched
    once within five minutes; the browser that asked is still proven by the code of the letter,
    and by nothing else: it is not shown here, where the other one may read it. Pressed again
    in the same browser it changes nothing. Raises what :func:`confirm` raises.
    """
    proof, claim = _held(session, token, now=now)
    around = _around(house, proof, claim)
    nobodys = derived_token(house.keys, "nobody", sender.token.encode(), proof.hash)
    visitor = visitor_given(session, nobodys)
    if visitor is None:
        if proof.used_at is not None or claim.state in {ClaimState.REJECTED, ClaimState.EXPIRED}:
            raise NotHereError("This link was used before.")
        check_seen(session, claim, seen)
        _say_yes(session, proof, claim, pepper=pepper, now=now)
        lengthen(proof, now=now)
        visitor = begin_visitor(session, nobodys, now=now)
        verify(visitor, claim, sender.browser, now=now)  # whoever pressed reads the mailbox
        once = replace(sender, keeps_cookies=False)
        _give(session, house, around, proof, visitor, once, pepper=pepper, now=now)
        end_visitor(session, visitor, now=now)
    elif claim.state == ClaimState.REJECTED:
        raise NotHereError("This link was used before.")
    asked = session.get(Visitor, claim.visitor_id)
    return Aside(
        gate=around.gate.key if around is not None else proof.gate,
        newsletter=proof.newsletter,
        visitor_id=visitor.id,
        by_code=awaits_code(proof, claim, asked, now=now),
    )


def deny(
    session: Session,
    published: Published,
    token: str,
    sender: Sender,
    *,
    pepper: str,
    now: datetime,
) -> None:
    """
    Take a no: to a newsletter where the link is about one, else as :func:`reject` does it.

    Pressed again it changes nothing. Raises NotHereError where the link is used up.
    """
    proof, claim = _held(session, token, now=now)
    if proof.used_at is not None and claim.state == ClaimState.CONFIRMED:
        raise NotHereError("This link was used before.")
    evidence = evidence_of(claim, sender, proof.message_id, confirmed_at=now)
    if proof.newsletter is not None:
        answered(session, claim.match_key, pepper=pepper, now=now)
        refuse_newsletter(session, published, proof, claim, evidence, pepper=pepper, now=now)
    else:
        reject(session, published, claim, evidence, pepper=pepper, now=now)
    proof.used_at = proof.used_at or now


def reject(
    session: Session,
    published: Published,
    claim: Claim,
    evidence: Evidence,
    *,
    pepper: str,
    now: datetime,
) -> None:
    """
    Undo a claim whose owner says that it was not him; nothing if it was decided before.

    Its answers are deleted, its interactions nobody's, its grants ended, its newsletters
    refused, and its visitor is anonymous again.
    """
    if not decide(session, claim, ClaimState.REJECTED, now=now):
        return
    may_use_ballast(session)
    answered(session, claim.match_key, pepper=pepper, now=now)
    session.execute(sa.delete(Answer).where(Answer.claim_id == claim.id))
    revoke(session, claim_id=claim.id, now=now)
    done = [one.id for one in seen_of_claim(session, claim.id)]
    attribute(session, done, None, Attributed.ANONYMOUS, NOT_HIM, now=now)
    refuse_waiting(session, published, claim, evidence, pepper=pepper, now=now)
    visitor = session.get(Visitor, claim.visitor_id)
    if visitor is not None and visitor.claim_id == claim.id:
        visitor.claim_id = None
        visitor.state = VisitorState.ANONYMOUS
    tell_claim_ended(session, published, claim, ClaimState.REJECTED, now=now)
    claim.settled_at = now


def _held(session: Session, token: str, *, now: datetime) -> tuple[Proof, Claim]:
    """Return what a mailed link stands for, once whoever presses at the same time has done."""
    proof, claim = find_proof(session, token, now=now)
    session.refresh(claim, with_for_update=True)
    session.refresh(proof)  # as it is behind the lock: another press may have used it
    return proof, claim


def _around(house: House, proof: Proof, claim: Claim) -> Around | None:
    """
    Return the gate a mail was about; None where it is about a newsletter, which needs none.

    Raises NotHereError where it is about a gate that is no more.
    """
    if proof.newsletter is not None:
        return None
    around = house.at(proof.gate) or house.at(claim.gate)
    if around is None:
        raise NotHereError(N_("This link is no longer valid."))
    return around


def _has_proven(visitor: Visitor, claim: Claim) -> bool:
    """Return whether this visitor is the one whose browser proved a claim."""
    return visitor.state == VisitorState.VERIFIED and visitor.claim_id == claim.id


def _say_yes(session: Session, proof: Proof, claim: Claim, *, pepper: str, now: datetime) -> None:
    """Let a claim be confirmed by the letter that asked, whoever's browser it is opened in."""
    decide(session, claim, ClaimState.CONFIRMED, now=now)
    proof.used_at = now
    answered(session, claim.match_key, pepper=pepper, now=now)


def _pressing(session: Session, claim: Claim, old: str, new: str, *, now: datetime) -> Visitor:
    """Return the visitor in whose browser the button was pressed, holding a new token (R3)."""
    known = recognise(session, old, now=now)
    found = known.visitor
    if found is not None and known.doubt is None:
        other = claim_of(session, found)
        if other is None or other.match_key in keys_of_owner(session, claim.match_key):
            rotate(session, found, old, new, now=now)
            return found
        end_visitor(session, found, now=now)
    return begin_visitor(session, new, now=now)


def _give(  # noqa: PLR0913 - what is given to whom; each is another room's
    session: Session,
    house: House,
    around: Around | None,
    proof: Proof,
    visitor: Visitor,
    sender: Sender,
    *,
    pepper: str,
    now: datetime,
) -> None:
    """Confirm what waited for a yes, and hand over what was asked for at a gate."""
    claim = session.get_one(Claim, proof.claim_id)
    evidence = evidence_of(claim, sender, proof.message_id, confirmed_at=now)
    if around is None:
        confirm_newsletter(session, house, proof, claim, evidence, BY_PAGE, now=now)
        return
    confirm_waiting(session, house, claim, evidence, BY_PAGE, pepper=pepper, now=now)
    visit = visit_of(session, visitor.id, span(house.site.visit), now=now)
    hand_over(session, around, visitor, claim, visit, sender, now=now)
