"""One note a day of what a contact did, for CRMs that do not want one each time."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.schema import Connector
from regportal.outbox.actions import News, put_all
from regportal.outbox.models import Gathered
from regportal.outbox.rules import REST, day_ends
from regportal.store.among import among
from regportal.store.facts import table_of
from regportal.store.sessions import Store

DIGEST = "interaction.digest"
SPACE = uuid.UUID("6a1c9d0e-3f52-5c0b-9d7e-0b8f5f0c2a41")
"""The namespace of the notes' ids (UUIDv5 of contact and day): told twice, a note is there once."""
LATE = timedelta(minutes=10)
"""How long after midnight a day is told: no transaction lasts so long that it adds to it later."""
AT_ONCE = 100
"""Notes that are owed in one transaction."""
MOST = 500
"""Deeds of a day that are told one by one; of more it is told how many there are."""
TABLE = table_of(Gathered)
OF_IT = TABLE.c.connector == sa.bindparam("connector")
NEXT = sa.select(sa.func.min(TABLE.c.day)).where(OF_IT)
SUBJECTS = (
    sa.select(TABLE.c.subject)
    .where(OF_IT, TABLE.c.day == sa.bindparam("day"))
    .distinct()
    .order_by(TABLE.c.subject)
    .limit(AT_ONCE)
)
TAKE = (
    sa.delete(TABLE)
    .where(OF_IT, TABLE.c.day == sa.bindparam("day"), among(TABLE.c.subject, "subjects"))
    .returning(TABLE.c.subject, TABLE.c.id, TABLE.c.payload, TABLE.c.at)
)


def tell_days(store: Store, connector: Connector, *, now: datetime) -> datetime | None:
    """
    Owe a note about each contact's day that is over; return when the next day will be.

    None: nothing waits. Several workers may do this at once: each note is owed once.
    """
    while True:
        with store.read() as session:
            day = session.scalar(NEXT, {"connector": connector.key})
        if day is None:
            return None
        if day >= (now - LATE).astimezone(connector.zone).date():
            return day_ends(now - LATE, connector.zone) + LATE
        store.write(partial(_tell, connector=connector.key, day=day, now=now))


def _tell(session: Session, connector: str, day: date, *, now: datetime) -> None:
    """Owe the notes of some contacts about a day."""
    asked = {"connector": connector, "day": day}
    subjects = session.scalars(SUBJECTS, asked).all()
    taken = session.execute(TAKE, {**asked, "subjects": list(subjects)}).all()
    rows = sorted(taken, key=lambda row: (row.subject, row.at, row.id))
    news = [
        _note(subject, day, [row.payload for row in deeds], now=now)
        for subject, deeds in groupby(rows, key=attrgetter("subject"))
    ]
    put_all(session, [(connector, one) for one in news], now=now)


def _note(subject: str, day: date, told: Sequence[Mapping[str, Any]], *, now: datetime) -> News:
    """Return what is told of a contact's day."""
    deeds = [{**one["interaction"], "title": one.get("title", "")} for one in told[:MOST]]
    places = dict.fromkeys(place for one in told for place in one["opportunities"])
    return News(
        topic=DIGEST,
        subject=subject,
        payload={
            "id": str(uuid.uuid5(SPACE, f"{subject}:{day.isoformat()}")),
            "contact": told[-1]["contact"],
            "day": day.isoformat(),
            "interactions": deeds,
            "left_out": len(told) - len(deeds),
            "opportunities": [*places],
        },
        occurred_at=now,
        lane=REST,
    )
