"""Who may be written to: computed from the ledger alone, for one address and one newsletter."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.consent.actions import subject_of_contact
from regportal.consent.models import ConsentEvent
from regportal.consent.rules import Line, Permission, permission
from regportal.identity.models import Contact

__all__ = ["Permission", "may_mail", "permissions", "permissions_of", "standing"]

T = TypeVar("T")
MOST = 500
"""Names that one statement asks about."""


def may_mail(session: Session, contact: Contact, newsletter: str, *, at: datetime) -> Permission:
    """Return whether this newsletter may be sent to this address at a moment, and why."""
    return permissions(session, [contact], newsletter, at=at)[contact.id]


def permissions(
    session: Session, contacts: Sequence[Contact], newsletter: str, *, at: datetime
) -> dict[uuid.UUID, Permission]:
    """Return the same for many at once, by the contact's id."""
    persons = {contact.person_id for contact in contacts}
    joined = _joined(session, persons)
    subjects = [subject_of_contact(one) for ids in joined.values() for one in ids]
    lines = _lines(session, subjects, newsletter)
    return {
        contact.id: permission(
            lines[subject_of_contact(contact.id), newsletter],
            [
                lines[subject_of_contact(other), newsletter]
                for other in joined[contact.person_id]
                if other != contact.id
            ],
            at,
        )
        for contact in contacts
    }


def permissions_of(session: Session, contact: Contact, *, at: datetime) -> Mapping[str, Permission]:
    """Return the permission of every newsletter the ledger knows of a contact, by its key."""
    joined = _joined(session, {contact.person_id})[contact.person_id]
    lines = _lines(session, [subject_of_contact(one) for one in joined])
    own = subject_of_contact(contact.id)
    keys = sorted({newsletter for subject, newsletter in lines if subject == own})
    return {
        key: permission(
            lines[own, key],
            [lines[subject_of_contact(other), key] for other in joined if other != contact.id],
            at,
        )
        for key in keys
    }


def standing(
    session: Session, subjects: Sequence[str], *, at: datetime
) -> Mapping[str, Permission]:
    """Return how each newsletter stands that was asked for under these names of one address."""
    lines: dict[str, list[Line]] = defaultdict(list)
    for (_, newsletter), some in _lines(session, subjects).items():
        lines[newsletter] += some
    return {
        key: permission(sorted(some, key=lambda line: line.number), (), at)
        for key, some in lines.items()
    }


def _joined(session: Session, persons: set[uuid.UUID]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """Return the addresses of each of these persons."""
    joined: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    for some in _some(sorted(persons)):
        rows = session.execute(
            sa.select(Contact.person_id, Contact.id).where(Contact.person_id.in_(some))
        )
        for person, contact in rows:
            joined[person].append(contact)
    return joined


def _lines(
    session: Session, subjects: Sequence[str], newsletter: str | None = None
) -> dict[tuple[str, str], list[Line]]:
    """Return what the ledger says about each of these names, oldest first."""
    found: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for some in _some(subjects):
        asked = sa.select(
            ConsentEvent.subject,
            ConsentEvent.newsletter,
            ConsentEvent.number,
            ConsentEvent.id,
            ConsentEvent.state,
            ConsentEvent.at,
            ConsentEvent.method,
            ConsentEvent.until,
            ConsentEvent.valid_until,
            ConsentEvent.rhythm,
        ).where(ConsentEvent.subject.in_(some))
        if newsletter is not None:
            asked = asked.where(ConsentEvent.newsletter == newsletter)
        for row in session.execute(asked.order_by(ConsentEvent.number)):
            found[row.subject, row.newsletter].append(
                Line(
                    number=row.number,
                    id=row.id,
                    state=row.state.value,
                    at=row.at,
                    method=row.method,
                    until=row.until,
                    valid_until=row.valid_until,
                    rhythm=row.rhythm,
                )
            )
    return found


def _some(all_of: Sequence[T]) -> list[Sequence[T]]:
    """Return the same in parts that a statement can take."""
    return [all_of[start : start + MOST] for start in range(0, len(all_of), MOST)]
