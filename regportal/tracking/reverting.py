"""Taking back whose an interaction is, where a colleague knows that it was put down wrongly."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import NotHereError, StaleError
from regportal.identity.actions import find_contact
from regportal.identity.models import Claim
from regportal.store.prose import check_line
from regportal.tracking.actions import Seen, attribute, log, seen
from regportal.tracking.models import Attributed, EntryKind, Interaction


def revert(session: Session, interaction: uuid.UUID, because: str, *, now: datetime) -> uuid.UUID:
    """
    Let an interaction be nobody's, as a later fact, and return the contact whose it was.

    What rests on it is worked out anew. Raises NotHereError where there is no such interaction,
    StaleError where it is nobody's, BadRequestError for the reason.
    """
    because = because.strip()
    check_line(because, "because")
    taken = sa.select(Interaction.id).where(Interaction.id == interaction).with_for_update()
    if session.scalar(taken) is None:
        raise NotHereError(f"there is no interaction {interaction}")
    done = seen(session, interaction)
    contact = done.contact_id or _claimed(session, done)
    if contact is None:
        raise StaleError(f"the interaction {interaction} is nobody's")
    attribute(session, [interaction], None, Attributed.ANONYMOUS, because, now=now)
    log(session, EntryKind.ATTRIBUTION, contact, now=now)
    return contact


def _claimed(session: Session, done: Seen) -> uuid.UUID | None:
    """Return the contact under whose address something was done that nobody has proven yet."""
    if done.attribution is not Attributed.CLAIMED or done.claim_id is None:
        return None
    contact = find_contact(session, session.get_one(Claim, done.claim_id).email)
    return contact.id if contact else None
