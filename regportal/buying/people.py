"""Who is one person: phases and scores are a person's, whichever of his addresses he uses."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.kin import kin_of
from regportal.identity.models import Contact
from regportal.store.among import among

TOGETHER = (
    sa.select(Contact)
    .where(Contact.person_id.in_(sa.select(Contact.person_id).where(among(Contact.id))))
    .order_by(Contact.id)
)
"""Contacts, and whoever is one person with one of them."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, under all of his addresses."""

    id: uuid.UUID
    """Under which key his standing and his scores are kept: that of the next one."""
    contact: Contact
    """The one that stands for him."""
    contacts: Mapping[uuid.UUID, Contact]
    """All of them, by key."""


def people_of(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Person]:
    """Return who has these addresses, by the key of each of his addresses."""
    if not ids:
        return {}
    together: defaultdict[uuid.UUID, list[Contact]] = defaultdict(list)
    for contact in session.scalars(TOGETHER, {"ids": ids}):
        together[contact.person_id].append(contact)
    people: dict[uuid.UUID, Person] = {}
    for key, contacts in together.items():
        main = next((one for one in contacts if one.id == key), contacts[0])
        person = Person(main.id, main, {one.id: one for one in contacts})
        people |= dict.fromkeys(person.contacts, person)
    return people


def everybody_joined(session: Session, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return these contacts and all that ever were one person with one of them."""
    return kin_of(session, ids).everybody(ids) if ids else set()
