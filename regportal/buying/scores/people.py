"""What is known of those whom scores are about: answers, and what they did themselves."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.batch import told_of
from regportal.buying.facts import Sign
from regportal.buying.people import Person
from regportal.buying.scores.profile import Facts, facts_of
from regportal.buying.signs import all_done_by
from regportal.forms.models import Answer
from regportal.forms.schema import Question
from regportal.identity.models import Assurance
from regportal.store.documents import Published


def facts_known(
    session: Session, published: Published, people: Collection[Person]
) -> Mapping[uuid.UUID, Facts]:
    """
    Return what is known of these people, by their keys.

    What was only claimed is not known (security.md R6).
    """
    types = {question.key: question.type for question in published.all(Question)}
    owners = {contact: person.id for person in people for contact in person.contacts}
    told: defaultdict[uuid.UUID, list[tuple[str, str, Any]]] = defaultdict(list)
    rows = session.execute(
        sa.select(Answer.contact_id, Answer.question, Answer.value)
        .where(
            Answer.contact_id.in_(owners),
            Answer.assurance != Assurance.CLAIMED,
            Answer.declined.is_(False),
        )
        .order_by(Answer.answered_at, Answer.id)
    )
    for contact, question, value in rows:
        told[owners[contact]].append((question, types.get(question, ""), value))
    return {person.id: facts_of(person.contact.email, told[person.id]) for person in people}


def signs_known(
    session: Session, people: Collection[Person], at: datetime
) -> Mapping[uuid.UUID, Sequence[Sign]]:
    """
    Return what these people did themselves, by their keys, oldest first.

    Only what the weigher has come to: the rest it will tell of, each once.
    """
    owners = {contact: person.id for person in people for contact in person.contacts}
    found: defaultdict[uuid.UUID, list[Sign]] = defaultdict(list)
    for sign in _signs(session, owners, at):
        found[owners[sign.contact]].append(sign)
    return {
        whose: sorted(signs, key=lambda sign: (sign.occurred_at, str(sign.id)))
        for whose, signs in found.items()
    }


def _signs(session: Session, contacts: Collection[uuid.UUID], at: datetime) -> Iterator[Sign]:
    """Yield what holds at a moment of what these contacts did, and the weigher has come to."""
    held = {
        spell.sign.id: spell.sign
        for one in all_done_by(session, contacts)
        for spell in one.spells
        if spell.holds(at) and spell.sign.contact in contacts
    }
    yield from map(held.__getitem__, sorted(told_of(session, held)))
