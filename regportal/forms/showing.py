"""What the owner of an address is shown of the claims to it, before he says yes or no."""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.consent.actions import subject_of_claim, subject_of_contact
from regportal.consent.models import ConsentEvent, ConsentState
from regportal.consent.refusing import refusals
from regportal.consent.rules import LOCKED_FOR
from regportal.consent.schema import Newsletter
from regportal.errors import StaleError
from regportal.forms.fields import shown_value
from regportal.forms.models import Answer
from regportal.forms.pages import frequency_shown
from regportal.forms.schema import Gate, Question
from regportal.identity.models import Claim, ClaimState, Contact, Proof
from regportal.identity.wire import browser_shown
from regportal.store.documents import Published, Wording, said
from regportal.store.words import N_, moment_shown

AT_MOST = 20
"""How many claims a page shows: strangers make as many of an address as they like."""


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
class Gathered:
    """What came together under some claims, read once for all of them."""

    answers: Mapping[uuid.UUID | None, Sequence[tuple[Answer, str | None]]]
    """By claim, the oldest first, each with the words it answered."""
    lines: Mapping[str, Sequence[ConsentEvent]]
    """Of the ledger, by subject, the oldest first."""

    def seen(self, claim: Claim) -> str:
        """Return the digest of everything a claim gathered."""
        ids = [answer.id for answer, _ in self.answers[claim.id]]
        ids += [line.id for line in self.newest(claim)]
        return hashlib.sha256("\n".join(sorted(map(str, ids))).encode()).hexdigest()

    def newest(self, claim: Claim) -> Iterable[ConsentEvent]:
        """Return the newest line a newsletter."""
        lines = self.lines[subject_of_claim(claim.id)]
        return {line.newsletter: line for line in lines}.values()

    def pending(self, claim: Claim) -> list[str]:
        """Return the newsletters that wait under a claim."""
        waiting = (line for line in self.newest(claim) if line.state == ConsentState.PENDING)
        return [line.newsletter for line in waiting]


def shown_claim(
    session: Session,
    published: Published,
    claim: Claim,
    proof: Proof | None = None,
    *,
    locale: str,
    pepper: str,
) -> Shown:
    """
    Return what a claim's owner is shown of it before the two buttons, in his language.

    What was agreed to stays in the words that were seen. ``proof`` is the letter he came with: it
    may be about another gate, or about one newsletter alone.
    """
    gathered = gathered_by(session, [claim])
    gate = claim.gate if proof is None else proof.gate
    if proof is not None and proof.newsletter is not None:
        asks = [proof.newsletter]
    else:
        in_vain = asked_in_vain(session, claim, pepper=pepper)
        asks = [key for key in gathered.pending(claim) if key not in in_vain]
    return _shown(published, claim, gathered, gate, asks, locale)


def shown_claims(
    session: Session,
    published: Published,
    claims: Sequence[Claim],
    *,
    locale: str,
    pepper: str,
) -> list[Shown]:
    """Return the same of several claims, with as many questions to the database as for one."""
    gathered = gathered_by(session, claims)
    refused = {
        key: refusals_of(session, key, pepper=pepper)
        for key in {claim.match_key for claim in claims}
    }
    found = []
    for claim in claims:
        in_vain = _in_vain(claim, refused[claim.match_key])
        asks = [key for key in gathered.pending(claim) if key not in in_vain]
        found.append(_shown(published, claim, gathered, claim.gate, asks, locale))
    return found


def seen_of(session: Session, claim: Claim) -> str:
    """Return the digest of everything a claim gathered so far."""
    return gathered_by(session, [claim]).seen(claim)


def check_seen(session: Session, claim: Claim, seen: str | None) -> None:
    """Raise StaleError where something came to a claim after its owner was shown it."""
    if seen and seen != seen_of(session, claim):
        raise StaleError(N_("Something was added meanwhile. Please look once more."))


def gathered_by(session: Session, claims: Sequence[Claim]) -> Gathered:
    """Read what came together under these claims."""
    ids = [claim.id for claim in claims]
    answers: dict[uuid.UUID | None, list[tuple[Answer, str | None]]] = defaultdict(list)
    found = session.execute(
        sa.select(Answer, Wording.text)
        .outerjoin(Wording, Wording.digest == Answer.wording)
        .where(Answer.claim_id.in_(ids))
        .order_by(Answer.answered_at)
    )
    for answer, wording in found:
        answers[answer.claim_id].append((answer, wording))
    lines: dict[str, list[ConsentEvent]] = defaultdict(list)
    for line in session.scalars(
        sa.select(ConsentEvent)
        .where(ConsentEvent.subject.in_([subject_of_claim(one) for one in ids]))
        .order_by(ConsentEvent.number)
    ):
        lines[line.subject].append(line)
    return Gathered(answers, lines)


def asked_in_vain(session: Session, claim: Claim, *, pepper: str) -> frozenset[str]:
    """
    Return the newsletters a claim asks for in vain.

    Whoever said "that was not me" is left alone with that newsletter for 90 days: the page says
    the same as ever, the letter does not speak of it, and a yes to the rest does not order it.
    """
    return _in_vain(claim, refusals_of(session, claim.match_key, pepper=pepper))


def refusals_of(session: Session, match_key: str, *, pepper: str) -> Mapping[str, datetime]:
    """
    Return the newsletters the owner of an address refused and did not want later, each with when.

    Claims that nobody has decided say nothing of what he wants; of them there may be very many.
    """
    decided = [ClaimState.CONFIRMED, ClaimState.REJECTED]
    claims = session.scalars(
        sa.select(Claim.id).where(Claim.match_key == match_key, Claim.state.in_(decided))
    )
    contacts = session.scalars(sa.select(Contact.id).where(Contact.match_key == match_key))
    subjects = [*map(subject_of_claim, claims), *map(subject_of_contact, contacts)]
    return refusals(session, match_key, subjects, pepper=pepper)


def _in_vain(claim: Claim, refused: Mapping[str, datetime]) -> frozenset[str]:
    """Return what a claim asks for in vain, by what its owner refused and when."""
    since = claim.opened_at - LOCKED_FOR
    return frozenset(key for key, at in refused.items() if at > since)


def _shown(
    published: Published,
    claim: Claim,
    gathered: Gathered,
    gate: str,
    asks: Sequence[str],
    locale: str,
) -> Shown:
    """Return a claim as it is shown; ``asks`` are the newsletters that a yes confirms."""
    at = published.find(Gate, gate)
    newsletters = (published.find(Newsletter, key) for key in asks)
    return Shown(
        opened_at=moment_shown(claim.opened_at, locale),
        browser=browser_shown(claim.browser, locale),
        headline=said(at.headline, locale) if at else claim.gate,
        answers=[
            _answer_shown(published, answer, wording, locale)
            for answer, wording in gathered.answers[claim.id]
            if not answer.declined
        ],
        newsletters=[
            {
                "title": said(newsletter.title, locale),
                "wording": said(newsletter.wording, claim.locale),
                "lang": claim.locale,
                "frequency": frequency_shown(newsletter, locale),
            }
            for newsletter in newsletters
            if newsletter is not None
        ],
        seen=gathered.seen(claim),
    )


def _answer_shown(
    published: Published, answer: Answer, wording: str | None, locale: str
) -> dict[str, str]:
    """Return an answer as its wording and its value."""
    question = published.find(Question, answer.question)
    value = shown_value(question, answer.value, locale)[:80]
    return {"label": wording or answer.question, "value": value}
