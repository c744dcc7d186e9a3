"""Who did what in the Studio: one line a deed, written in the transaction of the deed."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.accounts.models import Audit, StudioUser
from regportal.store.facts import add
from regportal.store.ids import uuid7

MOST = 50
"""Lines of a page."""


@dataclass(frozen=True, slots=True)
class Doer:
    """Who does something, and in which request; the machine's commands have neither."""

    user_id: uuid.UUID | None = None
    request_id: str | None = None


COMMAND = Doer()
"""Whoever may run commands on the machine."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it is read."""

    id: uuid.UUID
    at: datetime
    by: str | None
    """The address of who did it; None: a command."""
    action: str
    kind: str
    key: str
    change: Mapping[str, Any]
    request_id: str | None


def write(
    session: Session,
    doer: Doer,
    action: str,
    kind: str,
    key: str,
    change: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> None:
    """Write one line; ``change`` holds keys, states and roles, never what a person typed."""
    add(
        session,
        Audit(
            id=uuid7(),
            at=now,
            user_id=doer.user_id,
            action=action,
            kind=kind,
            key=key,
            change=dict(change or {}),
            request_id=doer.request_id,
        ),
    )


@dataclass(frozen=True, slots=True)
class Filters:
    """Which lines are asked for; None: any."""

    by: uuid.UUID | None = None
    action: str | None = None
    key: str | None = None


def page(
    session: Session, filters: Filters, before: uuid.UUID | None = None, *, most: int = MOST
) -> Sequence[Line]:
    """
    Return the newest lines before one, at most as many as asked for, newest first.

    Their keys begin with their moment: the last one's is where the next page begins.
    """
    query = (
        sa.select(Audit, StudioUser.email)
        .outerjoin(StudioUser, StudioUser.id == Audit.user_id)
        .order_by(Audit.id.desc())
        .limit(most)
    )
    if before is not None:
        query = query.where(Audit.id < before)
    if filters.by is not None:
        query = query.where(Audit.user_id == filters.by)
    if filters.action is not None:
        query = query.where(Audit.action == filters.action)
    if filters.key is not None:
        query = query.where(Audit.key == filters.key)
    return [
        Line(one.id, one.at, by, one.action, one.kind, one.key, one.change, one.request_id)
        for one, by in session.execute(query)
    ]


def actions(session: Session) -> Sequence[str]:
    """Return what was ever done, to choose from."""
    return session.scalars(sa.select(Audit.action).distinct().order_by(Audit.action)).all()
