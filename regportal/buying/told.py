"""Which roles and stages the CRMs have told of so far."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import ContactRole, Opportunity


def told_roles(session: Session) -> list[str]:
    """Return every role that anybody ever had, as it was told."""
    roles = sa.select(ContactRole.role).where(ContactRole.role.is_not(None)).distinct()
    return sorted(role for role in session.scalars(roles) if role)


def told_stages(session: Session) -> list[str]:
    """Return every stage in which an opportunity is now."""
    stages = sa.select(Opportunity.stage).where(Opportunity.stage.is_not(None)).distinct()
    return sorted(stage for stage in session.scalars(stages) if stage)
