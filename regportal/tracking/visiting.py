"""The visits of contacts and what led to them, newest first: read from what they did in them."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from regportal.identity.api import Moment
from regportal.tracking.models import CONTINUES, Judged, Touch, Visit
from regportal.tracking.series import Mark, Wanted, done_by

UTM = "utm_"


class TouchRead(BaseModel):
    """What led to a visit, as its first page saw it."""

    at: Moment
    visit: uuid.UUID
    referrer: Annotated[str | None, Field(description="The page that led here, without a query.")]
    utm: Annotated[
        dict[str, str], Field(description="The campaign: `source`, `medium`, `campaign`, …")
    ]
    click_ids: Annotated[dict[str, str], Field(description="`gclid` and the like.")]


class VisitRead(BaseModel):
    """What one browser did without a long pause, as far as contacts are concerned."""

    id: uuid.UUID
    contacts: Annotated[list[uuid.UUID], Field(description="Whose it is: keys of contacts.")]
    started_at: Moment
    ended_at: Annotated[Moment, Field(description="When it was last heard of.")]
    interactions: Annotated[int, Field(description="What they did in it.")]
    machines: Annotated[int, Field(description="How many of these are a machine's.")]
    touch: TouchRead | None


def visits_of(
    session: Session, wanted: Wanted, after: Mark | None, limit: int
) -> tuple[list[VisitRead], Mark | None]:
    """
    Return up to ``limit`` visits and the mark after the last; None where it is the last.

    A visit is a contact's by what he did in it; ``since`` and ``until`` bound when it began.
    """
    done = done_by(replace(wanted, since=None, until=None)).subquery()
    query = sa.select(Visit).where(Visit.id.in_(sa.select(done.c.visit_id)))
    query = _bounded(query, Visit.started_at, Visit.id, wanted, after)
    found = session.scalars(query.limit(limit + 1)).all()
    page = found[:limit]
    read = read_visits(session, page, wanted)
    return read, _mark(page[-1].started_at, page[-1].id) if len(found) > limit else None


def read_visits(session: Session, visits: Sequence[Visit], wanted: Wanted) -> list[VisitRead]:
    """Return visits as they are told; ``wanted`` says what counts of all that was done in them."""
    ids = [visit.id for visit in visits]
    done = done_by(replace(wanted, since=None, until=None, visits=ids)).subquery()
    counted = session.execute(
        sa.select(done.c.visit_id, done.c.contact_id, done.c.judged, sa.func.count()).group_by(
            done.c.visit_id, done.c.contact_id, done.c.judged
        )
    )
    by_visit: defaultdict[uuid.UUID, list[Any]] = defaultdict(list)
    for visit, *row in counted:
        by_visit[visit].append(row)
    touches = read_touches(session, ids)
    return [_visit(one, by_visit[one.id], touches.get(one.id)) for one in visits]


def read_touches(session: Session, visits: Collection[uuid.UUID]) -> dict[uuid.UUID, TouchRead]:
    """Return what led to these visits, by visit."""
    found = session.scalars(sa.select(Touch).where(Touch.visit_id.in_(visits)))
    return {one.visit_id: _touch(one) for one in found}


def touches_of(
    session: Session, wanted: Wanted, after: Mark | None, limit: int
) -> tuple[list[TouchRead], Mark | None]:
    """Return up to ``limit`` touches that led to visits of people, and the mark after the last."""
    query = _bounded(_led(wanted), Touch.at, Touch.id, wanted, after)
    found = session.scalars(query.limit(limit + 1)).all()
    page = found[:limit]
    read = [_touch(one) for one in page]
    return read, _mark(page[-1].at, page[-1].id) if len(found) > limit else None


def ends_of(session: Session, wanted: Wanted) -> tuple[TouchRead | None, TouchRead | None]:
    """Return the first and the last touch that there ever was."""
    query = _led(wanted).limit(1)
    first = session.scalars(query.order_by(Touch.at, Touch.id)).first()
    last = session.scalars(query.order_by(Touch.at.desc(), Touch.id.desc())).first()
    return _touch(first) if first else None, _touch(last) if last else None


def _led(wanted: Wanted) -> sa.Select[Any]:
    """Select the touches that say something, of visits in which a person did something."""
    done = done_by(replace(wanted, since=None, until=None, judged=Judged.PERSON)).subquery()
    says = sa.or_(Touch.referrer.is_not(None), sa.cast(Touch.parameters, sa.Text()) != "{}")
    return sa.select(Touch).where(Touch.visit_id.in_(sa.select(done.c.visit_id)), says)


def _bounded(
    query: sa.Select[Any], at: Any, id: Any, wanted: Wanted, after: Mark | None
) -> sa.Select[Any]:
    """Return a query newest first, of the time that is asked for, beyond a mark."""
    if wanted.since is not None:
        query = query.where(at >= wanted.since)
    if wanted.until is not None:
        query = query.where(at < wanted.until)
    if after is not None:
        query = query.where(sa.tuple_(at, id) < sa.tuple_(*map(sa.literal, after)))
    return query.order_by(at.desc(), id.desc())


def _mark(at: Any, id: uuid.UUID) -> Mark:
    """Return a mark."""
    return at, id


def _visit(visit: Visit, done: Iterable[Any], touch: TouchRead | None) -> VisitRead:
    """Return a visit as it is told."""
    done = list(done)
    return VisitRead(
        id=visit.id,
        contacts=sorted({contact for contact, *_ in done if contact is not None}),
        started_at=visit.started_at,
        ended_at=visit.last_at,
        interactions=sum(number for *_, number in done),
        machines=sum(number for _, judged, number in done if judged is Judged.MACHINE),
        touch=touch,
    )


def _touch(touch: Touch) -> TouchRead:
    """Return a touch as it is told."""
    said: Mapping[str, str] = touch.parameters
    return TouchRead(
        at=touch.at,
        visit=touch.visit_id,
        referrer=touch.referrer,
        utm={name.removeprefix(UTM): said[name] for name in said if name.startswith(UTM)},
        click_ids={
            name: said[name] for name in said if not name.startswith(UTM) and name != CONTINUES
        },
    )
