"""How people stand under scores, as it is kept: read at once, and written at once."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.people import Person
from regportal.buying.scores.course import Course, Passed
from regportal.buying.scores.models import ScoreCrossing, ScoreState
from regportal.buying.scores.news import score_news
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.standing import Standing
from regportal.outbox.actions import News
from regportal.store.facts import insert_in, table_of
from regportal.store.ids import uuid7

STATE = table_of(ScoreState)
Key = tuple[uuid.UUID, str]
"""Of which person, under which score."""
State = Any
"""A row of what is kept; read past the session, which watches none of them."""


@dataclass(slots=True)
class Outcome:
    """What scores became: thresholds that were passed, and what is to be told of it."""

    crossings: list[ScoreCrossing] = field(default_factory=list)
    news: list[News] = field(default_factory=list)


def states_of(session: Session, people: Collection[uuid.UUID]) -> dict[Key, State]:
    """Return what is kept of these people, held until the transaction ends."""
    rows = session.execute(
        sa.select(*STATE.columns).where(STATE.c.contact_id.in_(people)).with_for_update()
    )
    return {(state.contact_id, state.score): state for state in rows}


def let_sleep(session: Session, keys: Iterable[Key]) -> None:
    """Wake nobody for a score that is not written so any more."""
    for whose, name in keys:
        session.execute(
            sa.update(STATE)
            .where(STATE.c.contact_id == whose, STATE.c.score == name)
            .values(wake_at=None)
        )


def courses_of(states: Mapping[Key, State], scorings: Sequence[Scoring]) -> dict[Key, Course]:
    """Return the courses that are kept under the scores as they are written now."""
    now_written = {scoring.key: scoring for scoring in scorings}
    found = {}
    for key, state in states.items():
        scoring = now_written.get(state.score)
        if scoring is not None and scoring.version == state.version:
            found[key] = course_of(state, scoring)
    return found


def course_of(state: State, scoring: Scoring) -> Course:
    """Return the course that was kept."""
    return Course(
        scoring,
        Standing.of(state.fixed, state.sums),
        level=scoring.level_called(state.level),
        wake=state.wake_at.timestamp() if state.wake_at else None,
    )


def forget(session: Session, people: Iterable[Person], scorings: Sequence[Scoring]) -> None:
    """Remove what is kept of addresses that stand for nobody any more, and of scores that went."""
    every = list(people)
    ids = {contact for person in every for contact in person.contacts}
    mains = {person.id for person in every}
    kept = [scoring.key for scoring in scorings]
    session.execute(
        sa.delete(STATE).where(
            STATE.c.contact_id.in_(ids),
            sa.or_(STATE.c.contact_id.not_in(mains), STATE.c.score.not_in(kept)),
        )
    )


def keep(
    session: Session,
    people: Mapping[uuid.UUID, Person],
    courses: Mapping[Key, Course],
    before: Mapping[Key, int],
    *,
    now: datetime,
) -> Outcome:
    """Write down what became of courses, and say what was passed."""
    outcome, rows = Outcome(), []
    for (whose, name), course in courses.items():
        if not course.touched:
            continue
        rows.append(_row(whose, name, course))
        crossings = [_crossing(whose, course, one) for one in course.passed]
        outcome.crossings += crossings
        contact, scoring = people[whose].contact, course.scoring
        if crossings:
            last = course.passed[-1]
            news = score_news(contact, scoring, crossings[-1].id, last.parts, last.after, last.at)
            outcome.news.append(news)
        elif scoring.score.tells == "changes" and before.get((whose, name), 0) != course.whole(now):
            at = now.timestamp()
            parts = course.standing.parts(scoring, at)
            outcome.news.append(score_news(contact, scoring, uuid7(), parts, course.level, at))
    _write(session, rows)
    session.add_all(outcome.crossings)
    session.flush()
    return outcome


def _row(whose: uuid.UUID, name: str, course: Course) -> dict[str, Any]:
    """Return a course as it is kept."""
    return {
        "contact_id": whose,
        "score": name,
        "version": course.scoring.version,
        "fixed": course.standing.fixed,
        "sums": course.standing.kept(),
        "rank": course.standing.rank(course.scoring),
        "level": course.scoring.level_name(course.level),
        "wake_at": course.wake_at(),
    }


def _write(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Write states, each over the one before it."""
    if not rows:
        return
    new = insert_in(session.get_bind().dialect.name)(STATE)
    keys = [column.name for column in STATE.primary_key]
    values = {name: new.excluded[name] for name in rows[0] if name not in keys}
    session.connection().execute(
        new.on_conflict_do_update(index_elements=keys, set_=values), [*rows]
    )


def _crossing(whose: uuid.UUID, course: Course, passed: Passed) -> ScoreCrossing:
    """Return a threshold that was passed, as it is kept."""
    scoring = course.scoring
    return ScoreCrossing(
        id=uuid7(),
        contact_id=whose,
        score=scoring.key,
        version=scoring.version,
        at=datetime.fromtimestamp(passed.at, UTC),
        value=passed.parts.total,
        from_level=scoring.level_name(passed.before),
        to_level=scoring.level_name(passed.after),
        cause=passed.cause,
    )
