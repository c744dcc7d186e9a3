"""Whether the records we know are still there: a CRM that tells no deletions is asked."""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import Opportunity
from regportal.connectors.base import Connector, Kind
from regportal.connectors.rules import in_full
from regportal.inbox.actions import take
from regportal.outbox.budget import Budget, compare_anew, keep_spent
from regportal.outbox.links import linked_after
from regportal.outbox.operating import pause
from regportal.outbox.rules import elsewhere
from regportal.store.compact import write_json
from regportal.store.sessions import Store
from regportal.sync.comparing import NotAskedError, missing
from regportal.sync.present import CONTACT
from regportal.sync.turns import take_turn

EVERY, SOON = timedelta(days=1), timedelta(hours=1)
"""Between two times that a CRM is asked, and after it could not be."""
AT_ONCE = 100
"""Records asked for in one call."""
Known = tuple[Kind, str, Mapping[str, object]]
"""Of what kind a record is, its id, and what we are told where it is gone."""

log = logging.getLogger(__name__)


def find_gone(
    store: Store,
    connector: Connector,
    budget: Budget,
    *,
    now: datetime,
    on_found: Callable[[], object] = lambda: None,
) -> datetime | None:
    """
    Ask a CRM once a day for every record we know; return when to ask again, None: never.

    What is gone is taken as if the CRM had told it: a contact is no longer that record, an
    opportunity is closed. Where half of it is gone nothing is taken, and the connector is paused:
    that is another database. Of several workers one asks.
    """
    if not connector.capabilities.polled:
        return None
    key = budget.connector
    if not store.write(lambda session: take_turn(session, budget, "compared_at", EVERY, now=now)):
        return now + SOON
    gone, number = [], 0
    try:
        with store.read() as session:
            for page in _known(session, key):
                session.rollback()  # asking takes long: nobody waits for us meanwhile
                ids = [id for _, id, _ in page]
                lost = missing(connector, page[0][0], ids)
                gone += [one for one in page if one[1] in lost]
                number += len(page)
    except NotAskedError as error:
        log.info("%s: %s", key, error)
        store.write(lambda session: compare_anew(session, key))
        keep_spent(store, budget, now=now)
        return now + SOON
    spent = budget.meter.read()

    def keep(session: Session) -> None:
        because = elsewhere(number, len(gone))
        if because is None:
            for kind, id, body in gone:
                _take(session, key, f"gone:{kind}:{id}", body, now=now)
        else:
            pause(session, key, because)
        budget.keep(session, spent, now=now)

    store.write(keep)
    if gone:
        on_found()
    return now + EVERY


def _known(session: Session, key: str) -> Iterator[list[Known]]:
    """Yield the records we know, page by page, each page of one kind."""
    for page in linked_after(session, key, CONTACT, AT_ONCE):
        yield [
            (
                "contact",
                ref,
                {
                    "type": "contact.deleted",
                    "data": {"contact": subject.removeprefix(CONTACT), "record": ref},
                },
            )
            for subject, ref in page.items()
        ]
    last = ""
    chosen = (
        sa.select(Opportunity.external_id)
        .where(Opportunity.connector == key, Opportunity.is_closed.is_(False))
        .order_by(Opportunity.external_id)
        .limit(AT_ONCE)
    )
    while ids := session.scalars(chosen.where(Opportunity.external_id > last)).all():
        last = ids[-1]
        yield [
            (
                "opportunity",
                id,
                {"type": "opportunity.deleted", "data": {"external_id": id}},
            )
            for id in ids
        ]


def _take(
    session: Session, key: str, about: str, body: Mapping[str, object], *, now: datetime
) -> None:
    """Keep that a record is gone, as a call that came."""
    told = write_json({**body, "timestamp": in_full(now)}).encode()
    take(session, key, f"{about}:{in_full(now)}", told, now=now)
