"""Which visit each of some calls belongs to: looked up at once, and kept at once."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.store.among import among
from regportal.store.bulk import insert_all, update_all
from regportal.store.documents import Published, Site, span
from regportal.store.facts import table_of
from regportal.store.ids import uuid7
from regportal.tracking.models import Source, Touch, Visit
from regportal.tracking.rules import goes_on

VISIT = table_of(Visit).c
LATELY = (
    sa.select(VISIT.id, VISIT.visitor_id, VISIT.started_at, VISIT.last_at)
    .where(among(VISIT.visitor_id), VISIT.last_at > sa.bindparam("since"))
    .order_by(VISIT.last_at)
)
"""The visits of some visitors that went on until lately."""


@dataclass(slots=True)
class Sitting:
    """A visit, as it stands."""

    id: uuid.UUID
    visitor_id: uuid.UUID
    started_at: datetime
    last_at: datetime
    touch: Any = None
    """Where it came from; only of one that is new."""


@dataclass(frozen=True, slots=True)
class Visits:
    """The newest visit of each visitor, and which of them are new or went on."""

    idle: timedelta
    newest: dict[uuid.UUID, Sitting]
    new: list[Sitting] = field(default_factory=list)
    continued: dict[uuid.UUID, Sitting] = field(default_factory=dict)

    @classmethod
    def look_up(cls, session: Session, published: Published, parcels: Sequence[Any]) -> "Visits":
        """Return the visits of these calls' visitors, as far as they may still go on."""
        idle = span(Site.of(published).visit)
        whose = {one.visitor_id for one in parcels} - {None}
        if not whose:
            return cls(idle, {})
        since = min(one.received_at for one in parcels) - idle
        rows = session.connection().execute(LATELY, {"since": since, "ids": whose})
        return cls(idle, {row.visitor_id: Sitting(*row) for row in rows})

    def of(self, parcel: Any) -> Sitting | None:
        """Return the visit of a browser's call, begun if need be; None: nothing may be linked."""
        if parcel.visitor_id is None or parcel.source is not Source.BROWSER:
            return None
        now, last = parcel.received_at, self.newest.get(parcel.visitor_id)
        if last is None or not goes_on(last.last_at, now, self.idle):
            last = Sitting(uuid7(), parcel.visitor_id, now, now, parcel.touch)
            self.newest[parcel.visitor_id] = last
            self.new.append(last)
        elif last.touch is None:
            self.continued[last.id] = last
        last.last_at = max(last.last_at, now)
        return last

    def keep(self, session: Session) -> None:
        """Write down which visits are new, with where they came from, and which went on."""
        visits = [(one.id, one.visitor_id, one.started_at, one.last_at) for one in self.new]
        insert_all(session, Visit, ("id", "visitor_id", "started_at", "last_at"), visits)
        touches = [
            (
                uuid7(),
                one.id,
                one.started_at,
                one.touch.get("referrer"),
                one.touch.get("parameters", {}),
            )
            for one in self.new
        ]
        insert_all(session, Touch, ("id", "visit_id", "at", "referrer", "parameters"), touches)
        longer = [(one.last_at, one.id) for one in self.continued.values()]
        update_all(session, Visit, ("last_at",), longer)
