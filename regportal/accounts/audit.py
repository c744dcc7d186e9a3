"""Who did what in the Studio: one line a deed, written in the transaction of the deed."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from regportal.accounts.models import Audit
from regportal.store.facts import add
from regportal.store.ids import uuid7


@dataclass(frozen=True, slots=True)
class Doer:
    """Who does something, and in which request; the machine's commands have neither."""

    user_id: uuid.UUID | None = None
    request_id: str | None = None


COMMAND = Doer()
"""Whoever may run commands on the machine."""


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
    """
    Write one line.

    ``change`` holds keys, states and roles, never what a person typed; but why a connector is
    paused, which whoever types it is told.
    """
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
