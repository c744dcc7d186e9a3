"""What is known of people, as commands print it (design.md 8)."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.explaining import phase_of_person
from regportal.buying.people import people_of
from regportal.buying.reading import opportunities_of_contact
from regportal.cli.listed import hints_of, newest
from regportal.connectors.rules import in_full
from regportal.consent.actions import states_of, subject_of_claim, subject_of_contact
from regportal.consent.permission import standing
from regportal.errors import NotHereError
from regportal.forms.answered import reasons_of
from regportal.forms.models import Answer
from regportal.identity.actions import find_contact
from regportal.identity.addresses import read_address
from regportal.identity.models import Assurance, Claim, Contact
from regportal.identity.related import related_addresses
from regportal.store.documents import Shelf, Wording
from regportal.tracking.actions import Seen, seen_of_claim, seen_of_contacts

Row = dict[str, Any]


def contact_shown(session: Session, email: str, *, now: datetime | None = None) -> Row:
    """
    Return everything known under an address, as it stands now.

    Where it is only claimed, ``key`` is None. Raises NotHereError for an address nobody gave.
    """
    now = now or datetime.now(UTC)
    unknown = NotHereError(f"nobody is known by the address {email!r}")
    if not email.isprintable():  # no database takes it
        raise unknown
    match_key = _match_key(email)
    contact = find_contact(session, email)
    claims = _claims_of(session, contact, match_key)
    if contact is None and not claims:
        raise unknown
    return {
        "key": contact.key if contact else None,
        "email": (contact or claims[-1]).address.shown,
        "assurance": (contact.assurance if contact else Assurance.CLAIMED).value,
        "account": None,
        "answers": _answers_of(session, contact) if contact else [],
        "claims": [_claim(session, claim) for claim in claims],
        "consents": _consents(session, contact, claims, now),
        "interactions": [_interaction(seen) for seen in seen_of_contacts(session, [contact.id])]
        if contact
        else [],
        "opportunities": opportunities_of_contact(session, contact.id) if contact else [],
    }


def hints_shown(session: Session, email: str, *, now: datetime | None = None) -> Row:
    """
    Return what is worth a second look about an address, beside what is known under it.

    Its owner's own phase stands there, too, where he is in one.
    """
    address = read_address(email)
    hints = hints_of(address, related_addresses(session, address.match_key))
    contact = find_contact(session, email)
    phase = _phase(session, contact, now or datetime.now(UTC)) if contact else None
    return hints if phase is None else {"phase": phase, **hints}


# --- one contact ---


def _match_key(email: str) -> str:
    """Return how an address is compared."""
    try:
        return read_address(email).match_key
    except ValueError:
        return email.strip().lower()


def _claims_of(session: Session, contact: Contact | None, match_key: str) -> Sequence[Claim]:
    """Return the claims of an address, and those a contact owns."""
    theirs = Claim.match_key == match_key
    if contact is not None:
        theirs = sa.or_(theirs, Claim.contact_id == contact.id)
    return session.scalars(sa.select(Claim).where(theirs).order_by(Claim.opened_at, Claim.id)).all()


def _claim(session: Session, claim: Claim) -> Row:
    """Return one claim with what was said and done under it."""
    said = session.scalars(
        sa.select(Answer)
        .where(Answer.claim_id == claim.id, sa.not_(Answer.declined))
        .order_by(Answer.answered_at, Answer.id)
    ).all()
    return {
        "id": str(claim.id),
        "state": claim.state.value,
        "opened_at": in_full(claim.opened_at),
        "answers": _answers(session, said),
        "interactions": [_interaction(seen) for seen in seen_of_claim(session, claim.id)],
    }


def _phase(session: Session, contact: Contact, now: datetime) -> str | None:
    """Return the phase a person is in by what he did himself, under whichever address."""
    person = people_of(session, [contact.id])[contact.id]
    found = phase_of_person(session, Shelf().published(session), person.id, now=now)
    return str(found["phase"]) if found else None


def _answers_of(session: Session, contact: Contact) -> list[Row]:
    """Return what we know of a contact, one answer a question."""
    return _answers(session, newest(session, [contact.id]).get(contact.id, ()))


def _answers(session: Session, answers: Iterable[Answer]) -> list[Row]:
    """Return answers with the wording people saw."""
    answers = list(answers)
    texts = _wordings(session, {answer.wording for answer in answers if answer.wording})
    reasons = reasons_of(session, answers)
    return [
        {
            "question": answer.question,
            "value": answer.value,
            "assurance": answer.assurance.value,
            "wording": texts.get(answer.wording or ""),
            "gate": answer.gate,
            "answered_at": in_full(answer.answered_at),
        }
        | ({"asked_because": reasons[answer.id]} if answer.id in reasons else {})
        for answer in answers
    ]


def _consents(
    session: Session, contact: Contact | None, claims: Sequence[Claim], now: datetime
) -> list[Row]:
    """
    Return what a person allows now: a contact under its own name, else what claims ask for.

    What ended by time has ended, whether or not the worker has written it down yet.
    """
    if contact is None:
        subjects = [subject_of_claim(claim.id) for claim in claims]
    else:
        theirs = [claim.id for claim in claims if claim.contact_id == contact.id]
        subjects = [*map(subject_of_claim, theirs), subject_of_contact(contact.id)]
    lines = states_of(session, *subjects)
    holds = standing(session, subjects, at=now)
    texts = _wordings(session, {line.wording for line in lines.values()})
    return [
        {
            "newsletter": newsletter,
            "state": holds[newsletter].state,
            "wording": texts.get(line.wording),
            "since": in_full(holds[newsletter].since or line.at),
            "evidence_id": str(line.id),
        }
        for newsletter, line in sorted(lines.items())
    ]


def _wordings(session: Session, digests: Collection[str]) -> dict[str, str]:
    """Return texts as people saw them, by their hash."""
    rows = session.execute(
        sa.select(Wording.digest, Wording.text).where(Wording.digest.in_(digests))
    )
    return dict(rows.all())


def _interaction(one: Seen) -> Row:
    """Return one interaction as it is understood now."""
    return {
        "id": str(one.id),
        "type": one.type,
        "object": one.object,
        "category": one.category,
        "occurred_at": in_full(one.occurred_at),
        "attribution": one.attribution.value,
        "judged": one.judged.value,
    }
