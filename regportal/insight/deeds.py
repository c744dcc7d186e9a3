"""The audit log: who did what in the Studio, newest first."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.accounts.models import Audit, StudioUser
from regportal.insight.filters import Filters, Word
from regportal.insight.paging import Page, Run, page_of


class Deeds(Filters):
    """Which lines are listed."""

    by: uuid.UUID | None = None
    action: Word | None = None
    key: Word | None = None
    """Of what it was done to."""


@dataclass(frozen=True, slots=True)
class DeedRow:
    """One line as it is read."""

    at: datetime
    by: str | None
    """The address of who did it; None: a command."""
    action: str
    kind: str
    key: str
    change: Mapping[str, Any]
    request: str | None


def page(session: Session, filters: Deeds, at: str | None = None, size: int = 50) -> Page[DeedRow]:
    """Return a page of lines; raises BadRequestError for a mark of another list."""
    one = Audit
    asked = {one.user_id: filters.by, one.action: filters.action, one.key: filters.key}
    query = (
        sa.select(
            *(one.at, StudioUser.email, one.action, one.kind, one.key, one.change, one.request_id)
        )
        .outerjoin(StudioUser, StudioUser.id == one.user_id)
        .where(*(column == value for column, value in asked.items() if value is not None))
    )
    found = page_of(session, [Run(query, (one.id,))], at, size)
    return found.of(lambda rows: [DeedRow(*tuple(row)[:7]) for row in rows])


def actions(session: Session) -> Sequence[str]:
    """Return what was ever done, to choose from."""
    return session.scalars(sa.select(Audit.action).distinct().order_by(Audit.action)).all()
