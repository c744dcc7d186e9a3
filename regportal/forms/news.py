"""What connectors are told about claims, contacts and consents (design.md 7)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.rules import in_full
from regportal.connectors.schema import Connector
from regportal.consent.models import ConsentEvent, ConsentState
from regportal.forms.models import Answer
from regportal.forms.schema import Question
from regportal.identity.actions import told
from regportal.identity.models import Assurance, Claim, ClaimState, Contact
from regportal.identity.people import ids_of_person
from regportal.outbox.actions import FieldNews, News, owe
from regportal.store.documents import Published, Wording
from regportal.store.ids import uuid7

TAKEN_AWAY = frozenset(
    {
        ConsentState.PAUSED,
        ConsentState.WITHDRAWN,
        ConsentState.REFUSED,
        ConsentState.EXPIRED,
        ConsentState.SUPPRESSED,
        ConsentState.ERASED,
    }
)
"""What nobody may be written to after: the news of it goes ahead of all other."""


def answers_of_contact(session: Session, contact: Contact) -> dict[str, Answer]:
    """
    Return the answer to each question that holds for a contact: the newest that is proven.

    Whatever was answered under another address of the same owner counts as well; what a CRM
    alone takes for his does not.
    """
    answers = session.scalars(
        sa.select(Answer)
        .where(
            Answer.contact_id.in_(ids_of_person(session, contact.id)),
            Answer.assurance != Assurance.CLAIMED,
            Answer.declined.is_(False),
        )
        .order_by(Answer.answered_at)
    )
    return {answer.question: answer for answer in answers}


def claimed_news(session: Session, published: Published, claim: Claim, *, now: datetime) -> News:
    """Say that somebody claims an address: all a connector gets of a claim."""
    answers = session.scalars(
        sa.select(Answer)
        .where(Answer.claim_id == claim.id, Answer.declined.is_(False))
        .order_by(Answer.answered_at)
    )
    return News(
        topic="contact.claimed",
        subject=f"claim:{claim.id}",
        payload={
            "id": str(uuid7()),
            "claim": {"id": str(claim.id), "email": claim.email},
            "gate": claim.gate,
        },
        occurred_at=now,
        merges="claim",
        fields=_fields(published, {answer.question: answer for answer in answers}),
    )


def claim_ended_news(claim: Claim, state: ClaimState, *, now: datetime) -> News:
    """Say what became of a claim."""
    return News(
        topic="contact.claim_ended",
        subject=f"claim:{claim.id}",
        payload={
            "id": str(uuid7()),
            "claim": {"id": str(claim.id), "email": claim.email},
            "ended": state.value,
        },
        occurred_at=now,
    )


def contact_news(
    session: Session, published: Published, contact: Contact, topic: str, *, now: datetime
) -> News:
    """Say what is known of a contact now; ``contact.identified`` creates it in the CRM."""
    claims = session.scalars(
        sa.select(Claim.id).where(Claim.contact_id == contact.id).order_by(Claim.opened_at)
    )
    return News(
        topic=topic,
        subject=f"contact:{contact.id}",
        payload={
            "id": str(uuid7()),
            "contact": told(contact),
            "claims": [str(claim) for claim in claims],
            "account": None,
        },
        occurred_at=now,
        merges="contact",
        creates=topic == "contact.identified",
        fields=_fields(published, answers_of_contact(session, contact)),
    )


def joined_news(
    session: Session,
    published: Published,
    kept: Contact,
    joined: Sequence[Contact],
    topic: str,
    *,
    now: datetime,
) -> News:
    """
    Say that other addresses are (``contact.merged``), or are no longer, this contact's, too.

    Every address keeps its key: what is told of it later is told under its own.
    """
    about = contact_news(session, published, kept, topic, now=now)
    names = [{"key": one.key, "email": one.email} for one in joined]
    return replace(about, payload={**about.payload, "joined": names}, merges=None)


def tell_contact(
    session: Session, published: Published, contact: Contact, topic: str, *, now: datetime
) -> None:
    """Owe what is known of a contact now, unless it is own staff trying a gate."""
    if not is_own_staff(session, contact):
        told = contact_news(session, published, contact, topic, now=now)
        owe(session, published.all(Connector), told, now=now)


def tell_claim_ended(
    session: Session, published: Published, claim: Claim, state: ClaimState, *, now: datetime
) -> None:
    """Owe what became of a claim, unless it was own staff's: nobody was told of that one."""
    if not claim.own_staff:
        owe(session, published.all(Connector), claim_ended_news(claim, state, now=now), now=now)


def tell_consent(
    session: Session,
    published: Published,
    contact: Contact,
    line: ConsentEvent | None,
    *,
    now: datetime,
) -> None:
    """Owe the news of a line, if there is one, unless it is own staff trying a gate."""
    if line is not None and not is_own_staff(session, contact):
        owe(session, published.all(Connector), consent_news(contact, line, session), now=now)


def is_own_staff(session: Session, contact: Contact) -> bool:
    """
    Return whether a contact is there only because own staff tried a gate (``site.ignore``).

    Not so whom a CRM or an import named before, or who once came as anybody does.
    """
    claims = sa.select(Claim.own_staff, Claim.opened_at).where(
        Claim.contact_id == contact.id, Claim.state == ClaimState.CONFIRMED
    )
    made = [(ours, opened_at) for ours, opened_at in session.execute(claims)]
    if not made or not all(ours for ours, _ in made):
        return False
    return contact.first_seen >= min(opened_at for _, opened_at in made)


def consent_news(contact: Contact, line: ConsentEvent, session: Session) -> News:
    """Say what a contact allows one newsletter."""
    wording = session.get_one(Wording, line.wording)
    return News(
        topic="consent.changed",
        subject=f"contact:{contact.id}",
        payload={
            "id": str(line.id),
            "contact": told(contact),
            "newsletter": line.newsletter,
            "state": line.state.value,
            "wording": wording.text,
            "evidence_id": str(line.id),
            "frequency": line.rhythm,
            "until": in_full(line.until) if line.until else None,
        },
        occurred_at=line.at,
        merges=f"consent:{line.newsletter}",
        lane=0 if line.state in TAKEN_AWAY else 1,
    )


def _fields(published: Published, answers: dict[str, Answer]) -> dict[str, FieldNews]:
    """Return the answers as connectors are given them."""
    return {
        key: FieldNews(
            value=answer.value,
            source=answer.assurance.value,
            at=answer.answered_at,
            crm_field=question.crm_field if question else None,
        )
        for key, answer in answers.items()
        for question in [published.find(Question, key)]
    }
