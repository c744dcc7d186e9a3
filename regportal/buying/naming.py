"""Which opportunity somebody means."""

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import Opportunity
from regportal.errors import NotHereError


def opportunity_called(session: Session, name: str) -> Opportunity:
    """
    Return an opportunity by our key, or by ``<connector>:<external id>``.

    Raises NotHereError for another one.
    """
    if not name.isprintable():  # no database takes it
        raise NotHereError(f"there is no opportunity {name!r}")
    connector, colon, external_id = name.partition(":")
    which = sa.and_(Opportunity.connector == connector, Opportunity.external_id == external_id)
    if not colon:
        try:
            which = Opportunity.id == uuid.UUID(name)
        except ValueError:
            which = sa.false()
    found = session.scalars(sa.select(Opportunity).where(which)).first()
    if found is None:
        raise NotHereError(f"there is no opportunity {name!r}{_meant(session, name)}")
    return found


def _meant(session: Session, name: str) -> str:
    """Return which opportunity is meant by an id that a CRM gave, without saying which CRM."""
    others = sa.select(Opportunity).where(Opportunity.external_id == name).limit(2)
    known = [f"{one.connector}:{one.external_id}" for one in session.scalars(others)]
    return f"; did you mean {' or '.join(known)}?" if known else ""
