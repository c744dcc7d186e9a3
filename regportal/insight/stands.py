"""What stands at events bring: how far visitors came there, on the tablet and with a telephone."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.insight.numbers import Number, Span
from regportal.insight.paging import Query
from regportal.kiosk.models import Reached, Stand, StandPage
from regportal.store.words import N_

STEPS = tuple(Reached)


@dataclass(frozen=True, slots=True)
class StandRow:
    """One time that somebody stood before a stand; who it was is nobody's business here."""

    id: uuid.UUID
    at: datetime
    stand: str
    gate: str
    reached: str


@dataclass(frozen=True, slots=True)
class At:
    """A stand, and each of its numbers by name."""

    id: uuid.UUID
    name: str
    gate: str
    counts: Mapping[str, int]


def _came(least: Reached) -> Callable[[Span, datetime], Query]:
    """Return what selects the pages whose visitors came so far, or further."""
    far = STEPS[STEPS.index(least) :]

    def query(span: Span, now: datetime) -> Query:
        page = StandPage
        found = (
            sa.select(page.id, page.at, Stand.name, Stand.gate, page.reached, page.stand_id)
            .join(Stand, Stand.id == page.stand_id)
            .where(page.at >= span.since(now), page.reached.in_(far))
        )
        if span.gate is not None:
            found = found.where(Stand.gate == span.gate)
        return found if span.stand is None else found.where(page.stand_id == span.stand)

    return query


BY_PAGE = (StandPage.at, StandPage.id)
STANDS = (
    Number(
        "stand_shown",
        N_("Shown to somebody"),
        N_("Pages of a stand that somebody touched. One that nobody stands before counts as none."),
        *(StandRow, _came(Reached.SHOWN), BY_PAGE),
    ),
    Number(
        "stand_begun",
        N_("Begun"),
        N_("Of these, the pages on which somebody began to fill in the form."),
        *(StandRow, _came(Reached.BEGUN), BY_PAGE),
    ),
    Number(
        "stand_given",
        N_("Given"),
        N_("Of these, the pages whose form was sent and taken, at once or when the line was back."),
        *(StandRow, _came(Reached.GIVEN), BY_PAGE),
    ),
    Number(
        "stand_carried",
        N_("Taken to a telephone"),
        N_("Of these, the pages whose code was read by a telephone that took the file."),
        *(StandRow, _came(Reached.CARRIED), BY_PAGE),
    ),
)


def stands_seen(session: Session, span: Span, *, now: datetime) -> Sequence[At]:
    """Return the numbers of each stand that is open, or was stood before in this time."""
    counts: dict[uuid.UUID, dict[str, int]] = {}
    for number in STANDS:
        rows = number.query(span, now).subquery()
        each = sa.select(rows.c.stand_id, sa.func.count()).group_by(rows.c.stand_id)
        for stand_id, count in session.execute(each):
            counts.setdefault(stand_id, {})[number.key] = count
    some = sa.or_(Stand.closed_at.is_(None), Stand.id.in_(list(counts)))
    found = sa.select(Stand).where(some).order_by(Stand.made_at.desc(), Stand.id)
    if span.gate is not None:
        found = found.where(Stand.gate == span.gate)
    if span.stand is not None:
        found = found.where(Stand.id == span.stand)
    nothing = dict.fromkeys((one.key for one in STANDS), 0)
    return [
        At(stand.id, stand.name, stand.gate, nothing | counts.get(stand.id, {}))
        for stand in session.scalars(found)
    ]
