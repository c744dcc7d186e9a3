"""Whether a CRM still has the fields and the options that we write, looked at by the clock."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.base import Connector, Vocabulary
from regportal.connectors.desk import NotTakenError
from regportal.connectors.rules import Outcome
from regportal.errors import UnreachableError
from regportal.outbox.budget import Budget, keep_spent
from regportal.outbox.models import Connection
from regportal.store.facts import table_of
from regportal.store.sessions import Store
from regportal.sync.turns import take_turn

TABLE = table_of(Connection)
EVERY = timedelta(hours=1)
log = logging.getLogger(__name__)


def look_over(
    store: Store,
    connector: Connector,
    vocabulary: Vocabulary,
    budget: Budget,
    *,
    now: datetime,
) -> datetime | None:
    """
    Look whether a CRM has every field we write, and return when to look again; None: never.

    What is amiss is kept, and logged where that is new. Nothing is written there. Of several
    workers one looks. Where it cannot be asked, what was known stays.
    """
    key = budget.connector
    if not store.write(lambda session: take_turn(session, budget, "looked_at", EVERY, now=now)):
        return now + EVERY
    try:
        found = connector.provision(vocabulary, dry_run=True)
    except (NotTakenError, UnreachableError) as error:
        log.info("%s could not be looked over: %s", key, error)
        keep_spent(store, budget, now=now)
        return now + EVERY
    if found is Outcome.UNSUPPORTED:
        return None
    amiss = {one.subject: one.says for one in found if not one.fine}
    spent = budget.meter.read()

    def keep(session: Session) -> Mapping[str, str]:
        before = amiss_at(session, key)
        session.execute(sa.update(TABLE).where(TABLE.c.connector == key).values(amiss=amiss))
        budget.keep(session, spent, now=now)
        return before

    _tell(key, store.write(keep), amiss)
    return now + EVERY


def amiss_at(session: Session, key: str) -> Mapping[str, str]:
    """Return what was amiss in a CRM when it was looked over last: which field → what."""
    found = session.scalar(sa.select(Connection.amiss).where(Connection.connector == key))
    return found or {}


def _tell(key: str, before: Mapping[str, str], amiss: Mapping[str, str]) -> None:
    """Log what went away, and what came back."""
    for subject, says in amiss.items():
        if before.get(subject) != says:
            log.warning("%s: %s %s: what we write there will be refused", key, subject, says)
    for subject in before.keys() - amiss.keys():
        log.info("%s: %s is there again", key, subject)
