"""Whose turn it is to ask a CRM something by the clock: of several workers one does."""

from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.outbox.budget import Budget
from regportal.outbox.models import Connection
from regportal.outbox.rules import AWAITED
from regportal.store.facts import insert_in, table_of

TABLE = table_of(Connection)


def take_turn(
    session: Session,
    budget: Budget,
    last: Literal["looked_at", "compared_at"],
    every: timedelta,
    *,
    now: datetime,
) -> bool:
    """
    Return whether it is time to ask, calls are left for it, and nobody else does.

    ``last`` names when it was done the last time, which is now where it is our turn.
    """
    if AWAITED not in budget.stands(session, now=now).lanes:
        return False
    column = TABLE.c[last]
    due = sa.or_(
        column.is_(None),
        column <= now - every,
        column > now,  # by a clock that was wrong
    )
    begun = insert_in(session.get_bind().dialect.name)(TABLE)
    over = {last: begun.excluded[last]}
    upsert = begun.on_conflict_do_update(index_elements=["connector"], set_=over, where=due)
    row = {"connector": budget.connector, last: now, "amiss": {}}
    return session.execute(upsert.returning(TABLE.c.connector), row).first() is not None
