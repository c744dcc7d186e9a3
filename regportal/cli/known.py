"""What is known of people, as commands print it (design.md 8)."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.explaining import phase_of_person
from regportal.buying.people import people_of
from regportal.buying.reading import opportunities_of_contact
from regportal.connectors.rules import in_full
from regportal.consent.actions import states_of, subject_of_claim, subject_of_contact
from regportal.consent.permission import standing
from regportal.errors import NotHereError
from regportal.forms.models import Answer
from regportal.identity.actions import find_contact
from regportal.identity.addresses import Address, read_address
from regportal.identity.models import Assurance, Claim, Contact
from regportal.identity.related import Related, others, related_addresses
from regportal.store.documents import Shelf, Wording
from regportal.tracking.actions import NOW, Seen, seen_of_claim, seen_of_contacts
from regportal.tracking.later import JUDGED, known_now
from regportal.tracking.models import Interaction, Judged
from regportal.tracking.series import as_read
from regportal.tracking.visiting import read_touches

PAGE = 500
"""How many rows of a long list are read at a time."""

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
    hints = _hints(address, related_addresses(session, address.match_key))
    contact = find_contact(session, email)
    phase = _phase(session, contact, now or datetime.now(UTC)) if contact else None
    return hints if phase is None else {"phase": phase, **hints}


def contacts(session: Session) -> Iterator[Row]:
    """Yield every contact with what it answered, oldest first."""
    questions = session.scalars(
        sa.select(Answer.question)
        .where(Answer.contact_id.is_not(None), Answer.assurance != Assurance.CLAIMED)
        .distinct()
        .order_by(Answer.question)
    ).all()
    related = related_addresses(session)
    for page in _pages(session, sa.select(Contact).order_by(Contact.first_seen, Contact.id)):
        answers = _newest(session, [contact.id for contact in page])
        for contact in page:
            known = {answer.question: answer.value for answer in answers.get(contact.id, ())}
            yield {
                "key": contact.key,
                "email": contact.address.shown,
                "assurance": contact.assurance.value,
                "first_seen": in_full(contact.first_seen),
                "locale": contact.locale,
                **_hints(contact.address, related),
                "answers": {question: known.get(question) for question in questions},
            }


def claims(session: Session) -> Iterator[Row]:
    """Yield every claim, one line each, oldest first; an open one is nobody's yet."""
    done = (
        sa.select(sa.func.count())
        .where(Interaction.claim_id == Claim.id)
        .correlate(Claim)
        .scalar_subquery()
    )
    query = sa.select(Claim, done).order_by(Claim.opened_at, Claim.id)
    related = related_addresses(session)
    for claim, interactions in session.execute(query).yield_per(PAGE):
        yield {
            "id": str(claim.id),
            "email": claim.address.shown,
            "state": claim.state.value,
            "gate": claim.gate,
            "opened_at": in_full(claim.opened_at),
            "decided_at": in_full(claim.decided_at) if claim.decided_at else None,
            "interactions": interactions,
            **_hints(claim.address, related),
        }


def interactions(session: Session, judged: Judged | None = None) -> Iterator[Row]:
    """
    Yield every interaction as it is understood now, in the order it became known.

    As the API tells of it, but for the contact, who stands there with his address; and with what
    led to its visit.

    ``judged`` narrows it to what people did, or machines.
    """
    query = known_now(sa.select(*NOW)).order_by(Interaction.received_at, Interaction.id)
    if judged is not None:
        query = query.where(JUDGED.in_([judged]))
    for page in session.execute(query.execution_options(yield_per=PAGE)).partitions():
        every = [Seen(*row) for row in page]
        owners = {one.contact_id for one in every if one.contact_id is not None}
        emails = _emails(session, owners)
        touches = read_touches(session, {one.visit_id for one in every if one.visit_id})
        for one in every:
            touch = touches.get(one.visit_id) if one.visit_id else None
            yield {
                **as_read(one).model_dump(mode="json"),
                "touch": touch.model_dump(mode="json") if touch else None,
                "contact": emails.get(one.contact_id) if one.contact_id else None,
                "claim": str(one.claim_id) if one.claim_id else None,
            }


# --- one address ---


def _hints(address: Address, related: Related) -> Row:
    """Return what is worth a second look about an address."""
    return {
        "reads": address.reads,
        "flags": address.flags,
        "related": others(related, address.match_key),
    }


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
    return _answers(session, _newest(session, [contact.id]).get(contact.id, ()))


def _newest(session: Session, contacts: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Answer]]:
    """Return the newest answer to each question that is more than claimed, by contact."""
    rows = session.scalars(
        sa.select(Answer)
        .where(
            Answer.contact_id.in_(contacts),
            Answer.assurance != Assurance.CLAIMED,
            sa.not_(Answer.declined),
        )
        .order_by(Answer.contact_id, Answer.answered_at, Answer.id)
    )
    return {
        owner: list({answer.question: answer for answer in answers}.values())
        for owner, answers in groupby(rows, key=lambda answer: answer.contact_id)
        if owner is not None
    }


def _answers(session: Session, answers: Iterable[Answer]) -> list[Row]:
    """Return answers with the wording people saw."""
    answers = list(answers)
    texts = _wordings(session, {answer.wording for answer in answers if answer.wording})
    return [
        {
            "question": answer.question,
            "value": answer.value,
            "assurance": answer.assurance.value,
            "wording": texts.get(answer.wording or ""),
            "gate": answer.gate,
            "answered_at": in_full(answer.answered_at),
        }
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


# --- long lists ---


def _pages(session: Session, query: sa.Select[Any]) -> Iterator[Sequence[Any]]:
    """Yield the rows of a long list, so many at a time."""
    yield from session.scalars(query.execution_options(yield_per=PAGE)).partitions()


def _emails(session: Session, contacts: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return the addresses of contacts."""
    rows = session.scalars(sa.select(Contact).where(Contact.id.in_(contacts)))
    return {contact.id: contact.address.shown for contact in rows}
