"""Where the weigher is in the log."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import LogPlace
from regportal.tracking.actions import Place

READER = "weigher"


def last_place(session: Session) -> Place:
    """Return the place to which the log was weighed."""
    place = session.get(LogPlace, READER)
    return Place(place.transaction, place.number) if place else Place()


def own_place(session: Session) -> LogPlace:
    """Return the weigher's place; another worker waits here until this transaction ends."""
    place = session.get(LogPlace, READER, with_for_update=True)
    if place is None:
        try:
            with session.begin_nested():
                session.add(LogPlace(reader=READER, transaction=0, number=0))
        except sa.exc.IntegrityError:  # another worker was first
            pass
        place = session.get_one(LogPlace, READER, with_for_update=True)
    return place
