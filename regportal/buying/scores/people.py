"""Whom scores are about, and what is known of them: answers, and what they did themselves."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.facts import Sign
from regportal.buying.models import KnownInteraction
from regportal.buying.scores.profile import Facts, facts_of
from regportal.buying.signs import all_done_by
from regportal.forms.models import Answer
from regportal.forms.schema import Question
from regportal.identity.kin import kin_of
from regportal.identity.models import Assurance, Contact
from regportal.store.documents import Published

AT_ONCE = 500
"""Keys asked for in one query: databases take only so many parameters."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, under all of his addresses."""

    contact: Contact
    """The one that stands for him."""
    contacts: frozenset[uuid.UUID]

    @property
    def id(self) -> uuid.UUID:
        """Return under which key his scores are kept."""
        return self.contact.id


def people_of(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Person]:
    """Return who has these addresses, by the key of each of his addresses."""
    if not ids:
        return {}
    theirs = sa.select(Contact.person_id).where(Contact.id.in_(ids))
    rows = session.scalars(
        sa.select(Contact)
        .where(sa.or_(Contact.id.in_(ids), Contact.person_id.in_(theirs)))
        .order_by(Contact.id)
    )
    together: defaultdict[uuid.UUID, list[Contact]] = defaultdict(list)
    for contact in rows:
        together[contact.person_id].append(contact)
    people: dict[uuid.UUID, Person] = {}
    for key, contacts in together.items():
        main = next((one for one in contacts if one.id == key), contacts[0])
        person = Person(main, frozenset(one.id for one in contacts))
        people |= dict.fromkeys(person.contacts, person)
    return people


def everybody_joined(session: Session, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return these contacts and all that ever were one person with one of them."""
    return kin_of(session, ids).everybody(ids) if ids else set()


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
    ids = sorted(held)
    for start in range(0, len(ids), AT_ONCE):
        some = KnownInteraction.interaction_id.in_(ids[start : start + AT_ONCE])
        for known in session.scalars(sa.select(KnownInteraction.interaction_id).where(some)):
            yield held[known]
