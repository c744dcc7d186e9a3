"""Whether what is kept of scores is what the log says: state is replay."""

import math
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.people import people_of
from regportal.buying.scores.actions import scorings_of
from regportal.buying.scores.course import Course
from regportal.buying.scores.decay import EPSILON
from regportal.buying.scores.keeping import STATE, course_of
from regportal.buying.scores.people import facts_known, signs_known
from regportal.buying.scores.profile import points_of
from regportal.buying.scores.standing import Standing
from regportal.identity.models import Contact
from regportal.store.documents import Published

PAGE = 200


class Difference(NamedTuple):
    """Something that is kept otherwise than the log says."""

    contact: uuid.UUID
    score: str
    what: str
    kept: Any
    replayed: Any


def differences(session: Session, published: Published, *, now: datetime) -> Iterator[Difference]:
    """
    Yield where the scores that are kept are not those that all signs give; writes nothing.

    Somebody without a state is one who stands at nothing.
    """
    last = uuid.UUID(int=0)
    while True:
        ids = session.scalars(
            sa.select(Contact.id)
            .where(Contact.id > last, Contact.id == Contact.person_id)
            .order_by(Contact.id)
            .limit(PAGE)
        ).all()
        if not ids:
            return
        last = ids[-1]
        yield from _of_some(session, published, ids, now)


def _of_some(
    session: Session, published: Published, ids: Any, now: datetime
) -> Iterator[Difference]:
    """Yield the differences of some people."""
    people = {person.id: person for person in people_of(session, ids).values()}
    facts = facts_known(session, published, people.values())
    signs = signs_known(session, people.values(), now)
    rows = session.execute(sa.select(*STATE.columns).where(STATE.c.contact_id.in_(people)))
    states = {(row.contact_id, row.score): row for row in rows}
    for scoring in scorings_of(published):
        for person in people:
            fixed = points_of(scoring.score.profile, facts[person])
            course = Course.anew(scoring, fixed, signs.get(person, ()))
            course.level = course.standing.level(scoring, now.timestamp())
            course.settled = now.timestamp()
            state = states.get((person, scoring.key))
            if state is not None and state.version != scoring.version:
                yield Difference(person, scoring.key, "version", state.version, scoring.version)
                continue
            kept = Course(scoring, Standing()) if state is None else course_of(state, scoring)
            kept.until(now.timestamp())
            found = _told(kept)
            for what, replayed in _told(course).items():
                if not same(found[what], replayed):
                    yield Difference(person, scoring.key, what, found[what], replayed)


def _told(course: Course) -> dict[str, Any]:
    """Return what must be the same of what is kept and what is replayed."""
    wake = course.wake_at()
    exact = wake is not None and not course.standing.lost
    return {
        "fixed": course.standing.fixed,
        "sums": course.standing.kept(),
        "level": course.scoring.level_name(course.level),
        "wakes at": int(wake.timestamp()) if wake and exact else None,
    }


def same(one: Any, other: Any) -> bool:
    """
    Return whether two values are the same, but for the last bits of fractions.

    >>> same({"a": [0.1 + 0.2, None]}, {"a": (0.3, None)}), same([1], [1, 2]), same(1, 1.1)
    (True, False, False)
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=EPSILON, abs_tol=EPSILON)
    return bool(one == other)
