"""Whether the standings that are kept are those that the log gives: state is replay."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.compiled import Model
from regportal.buying.facts import moment
from regportal.buying.following import Following
from regportal.buying.kept import read, written
from regportal.buying.models import KeptStanding, Opportunity, SubjectKind
from regportal.buying.overrides import holding
from regportal.buying.people import people_of
from regportal.buying.rules import fold
from regportal.buying.shadow import Followed
from regportal.buying.standing import Standing
from regportal.buying.subjects import Subjects
from regportal.store.documents import Published

PAGE = 200
MISSING = "nothing"
IN_SHADOW = "in shadow:"


class Difference(NamedTuple):
    """Something that is kept otherwise than the log says."""

    subject: str
    """``opportunity`` or ``person``."""
    key: uuid.UUID
    what: str
    kept: Any
    replayed: Any


def how_many(session: Session, published: Published) -> int:
    """Return how many standings are looked at."""
    opportunities = sa.select(sa.func.count()).where(Opportunity.is_closed.is_(False))
    return sum(
        (session.scalar(opportunities) or 0)
        + (session.scalar(sa.select(sa.func.count()).where(_is_person(each))) or 0)
        for each in Followed.of(session, published).all
    )


def standing_differences(
    session: Session,
    published: Published,
    *,
    now: datetime,
    on_step: Callable[[int], object] = lambda _: None,
) -> Iterator[Difference]:
    """
    Yield where standings that are kept are not the fold of what holds now; writes nothing.

    Open opportunities, and people: a closed opportunity stays as it was. Also under the draft that
    is in shadow.
    """
    for number, each in enumerate(Followed.of(session, published).all):
        for kind, some in (
            (SubjectKind.OPPORTUNITY, _open_ones(session)),
            (SubjectKind.PERSON, _people(each)),
        ):
            for ids in some:
                # anew for each page, so that no more is in memory than one
                subjects = Followed.of(session, published).all[number]
                for one in _of_some(subjects, kind, ids, now):
                    yield one._replace(what=f"{IN_SHADOW} {one.what}") if number else one
                on_step(len(ids))


def _open_ones(session: Session) -> Iterator[list[uuid.UUID]]:
    """Yield the open opportunities, some at a time."""
    return _pages(session, Opportunity.id, Opportunity.is_closed.is_(False))


def _people(subjects: Following) -> Iterator[list[uuid.UUID]]:
    """Yield the people who have a standing, some at a time."""
    return _pages(subjects.session, subjects.table.c.subject_id, _is_person(subjects))


def _is_person(subjects: Following) -> sa.ColumnElement[bool]:
    """Return the condition that a standing is a person's."""
    return subjects.table.c.subject == SubjectKind.PERSON


def _pages(
    session: Session, column: Any, which: sa.ColumnElement[bool]
) -> Iterator[list[uuid.UUID]]:
    """Yield keys in order, so many at a time."""
    last = uuid.UUID(int=0)
    while True:
        query = sa.select(column).where(which, column > last).order_by(column).limit(PAGE)
        ids = [*session.scalars(query)]
        if not ids:
            return
        yield ids
        last = ids[-1]


def _of_some(
    subjects: Following, kind: SubjectKind, ids: list[uuid.UUID], now: datetime
) -> Iterator[Difference]:
    """Yield the differences of some opportunities, or of some people."""
    session, table, at = subjects.session, subjects.table, moment(now)
    people = people_of(session, ids) if kind is SubjectKind.PERSON else {}
    rows = {
        row.subject_id: row
        for row in session.execute(
            sa.select(table.c.subject_id, table.c.state).where(table.c.subject_id.in_(ids))
        )
    }
    if kind is SubjectKind.OPPORTUNITY:
        subjects.read_ahead((), ids)
    else:
        subjects.read_ahead({one.id: one for one in people.values()}.values(), ())
    for key in ids:
        row = rows.get(key)
        kept = read(row.state, subjects.model.digest, uuid.UUID) if row and row.state else None
        if kind is SubjectKind.OPPORTUNITY:
            replayed, _ = subjects.folded(key, at)
        elif key in people and people[key].id == key:
            replayed = subjects.past(people[key], at).standing
        else:
            yield Difference(kind, key, "a standing of nobody", "kept", MISSING)
            continue
        if kept is None:
            yield Difference(kind, key, "standing", "none under these rules", "one")
            continue
        fold(subjects.model, (), at, standing=kept)
        for what, (one, other) in _apart(subjects, kept, replayed):
            yield Difference(kind, key, what, one, other)
    if kind is SubjectKind.OPPORTUNITY and isinstance(subjects, Subjects):
        yield from _told(session, subjects, ids)


def _apart(
    subjects: Following, kept: Standing, replayed: Standing
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yield what is not the same in two standings."""
    one, other = (_by_name(subjects.model, each) for each in (kept, replayed))
    for what in one:
        if one[what] != other[what]:
            yield what, (one[what], other[what])


def _by_name(model: Model, standing: Standing) -> dict[str, Any]:
    """Return a standing as it is kept, with names for what is counted there."""
    told: dict[str, Any] = json.loads(written(standing, model.digest))
    counted = (
        f"{number} ({each.event} of {each.about})" for number, each in enumerate(model.series)
    )
    return told | {
        "phase": model.names[told["phase"]],
        "epochs": dict(zip(model.names, told["epochs"], strict=True)),
        "rings": dict(zip(counted, told["rings"], strict=True)),
        "people": {who: [*roles, model.names[phase]] for who, roles, phase in told["people"]},
    }


def _told(session: Session, subjects: Subjects, ids: list[uuid.UUID]) -> Iterator[Difference]:
    """Yield opportunities that are not in the phase of their standing, nor in one said over it."""
    said = holding(session, ids)
    rows = session.execute(
        sa.select(Opportunity.id, Opportunity.phase, KeptStanding.phase)
        .join(KeptStanding, KeptStanding.subject_id == Opportunity.id)
        .where(Opportunity.id.in_(ids), KeptStanding.rules == subjects.model.digest)
    )
    for key, phase, kept in rows:
        holds = said[key].phase if key in said else kept
        if subjects.model.index(phase) != subjects.model.index(holds):
            yield Difference(SubjectKind.OPPORTUNITY, key, "phase", phase, holds)
