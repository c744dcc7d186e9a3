"""Taking back whose an interaction is, where a colleague knows that it was put down wrongly."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import NotHereError, StaleError
from regportal.store.prose import check_line
from regportal.tracking.actions import attribute, owners
from regportal.tracking.models import Attributed, Interaction


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
    whose = owners(session, [interaction])
    if not whose:
        raise StaleError(f"the interaction {interaction} is nobody's")
    attribute(session, [interaction], None, Attributed.ANONYMOUS, because, now=now)
    return whose.pop()
