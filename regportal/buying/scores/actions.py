"""
What the log means for scores: states, passed thresholds, and the news of them.

The weigher calls :func:`score` once for each batch of lines, in its own transaction.
The worker calls :func:`cool` when the earliest :func:`next_wake` has come, and looks for whom
:func:`unscored` names when it starts and after a publication that changed a score.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.facts import Sign
from regportal.buying.people import Person, everybody_joined, people_of
from regportal.buying.scores.course import Course
from regportal.buying.scores.heard import Heard
from regportal.buying.scores.keeping import (
    STATE,
    Key,
    Outcome,
    State,
    courses_of,
    forget,
    keep,
    let_sleep,
    states_of,
)
from regportal.buying.scores.models import ScoreState
from regportal.buying.scores.people import facts_known, signs_known
from regportal.buying.scores.profile import Facts, points_of
from regportal.buying.scores.schema import Score
from regportal.buying.scores.scoring import Scoring
from regportal.identity.models import Contact
from regportal.store.documents import Published

PAGE = 200
"""People scored anew in one transaction."""
AT_ONCE = 500
"""States that cool down in one transaction."""


def scorings_of(published: Published) -> list[Scoring]:
    """Return the scores that hold, ready to be asked."""
    return [Scoring(score, published.version(Score, score.key)) for score in published.all(Score)]


def score(session: Session, published: Published, heard: Heard, *, now: datetime) -> Outcome:
    """
    Keep what a batch of lines means for scores; return what was passed, and the news to owe.

    It asks the database a handful of questions, however many lines there are. Whoever has no
    state yet under a score as it is written now gets one from all he ever did.
    """
    scorings, contacts = scorings_of(published), heard.contacts()
    if not scorings or not contacts:
        return Outcome()
    by_contact = people_of(session, everybody_joined(session, heard.anew) | contacts)
    people = {person.id: person for person in by_contact.values()}
    facts = facts_known(session, published, people.values())
    states = states_of(session, people)
    crowd = _Crowd(scorings, people, facts, states, courses_of(states, scorings))
    before = {key: course.whole(now) for key, course in crowd.courses.items()}

    anew = {by_contact[one].id for one in heard.anew if one in by_contact}
    new = {one for one in people if crowd.is_new(one)} - anew
    deeds = dict(signs_known(session, [people[one] for one in anew | new], now))
    crowd.begin(
        new, {one: heard.without(deeds.get(one, ())) for one in new}, heard, heard.first(now)
    )
    crowd.learn(people.keys() - anew, heard.first(now))
    late = set[uuid.UUID]()
    for sign, at in heard.signs:
        whose = by_contact[sign.contact].id
        if whose not in anew | late and not crowd.hear(whose, sign, at.timestamp()):
            late.add(whose)
    deeds |= signs_known(session, [people[one] for one in late], now)
    crowd.begin(anew | late, deeds, heard, heard.last(now))
    forget(session, [people[one] for one in anew | new | late], scorings)
    return keep(session, people, crowd.courses, before, now=now)


def cool(session: Session, published: Published, *, now: datetime) -> Outcome:
    """
    Let the scores whose time has come fade below a threshold, or recover; at most so many.

    Each does so at its own moment, however late this is called.
    """
    due = session.execute(
        sa.select(*STATE.columns)
        .where(STATE.c.wake_at <= now)
        .order_by(STATE.c.wake_at)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    states = {(state.contact_id, state.score): state for state in due}
    courses = courses_of(states, scorings_of(published))
    for course in courses.values():
        course.until(now.timestamp())
    let_sleep(session, states.keys() - courses.keys())
    people = people_of(session, {whose for whose, _ in courses})
    return keep(session, people, courses, {}, now=now)


def next_wake(session: Session) -> datetime | None:
    """Return when the next score passes a threshold by itself; None: none does."""
    found: datetime | None = session.scalar(sa.select(sa.func.min(ScoreState.wake_at)))
    return found


def forget_gone(session: Session, published: Published) -> None:
    """Remove what is kept under scores that are not published any more."""
    kept = [score.key for score in published.all(Score)]
    session.execute(sa.delete(STATE).where(STATE.c.score.not_in(kept)))


def unscored(session: Session, published: Published) -> Sequence[uuid.UUID]:
    """
    Return some who do not stand under every score as it is written now, whatever they did.

    It looks at everybody: for when scores became others, not for each line of the log.
    """
    for scoring in scorings_of(published):
        there = sa.exists().where(
            STATE.c.contact_id == Contact.id,
            STATE.c.score == scoring.key,
            STATE.c.version == scoring.version,
        )
        some = (
            sa.select(Contact.id)
            .where(Contact.id == Contact.person_id, ~there)
            .order_by(Contact.id)
            .limit(PAGE)
        )
        found = session.scalars(some).all()
        if found:
            return found
    return ()


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Some people under every score, while what was heard of them is taken in."""

    scorings: Sequence[Scoring]
    people: Mapping[uuid.UUID, Person]
    facts: Mapping[uuid.UUID, Facts]
    states: Mapping[Key, State]
    courses: dict[Key, Course]

    def is_new(self, whose: uuid.UUID) -> bool:
        """Return whether somebody does not stand under every score as it is written now."""
        return any((whose, scoring.key) not in self.courses for scoring in self.scorings)

    def begin(
        self,
        whom: Collection[uuid.UUID],
        deeds: Mapping[uuid.UUID, Sequence[Sign]],
        heard: Heard,
        at: float,
    ) -> None:
        """Let people begin anew with all they did; they go on from the levels they had."""
        for whose in whom:
            cause = heard.cause(self.people[whose].contacts)
            for scoring in self.scorings:
                key = (whose, scoring.key)
                course = Course.anew(scoring, self._fixed(whose, scoring), deeds.get(whose, ()))
                if key in self.courses:
                    course.go_on_from(self.courses[key])
                elif key in self.states:  # under another version of the score
                    course.level = scoring.level_called(self.states[key].level)
                course.settle(at, cause)
                self.courses[key] = course

    def learn(self, whom: Collection[uuid.UUID], at: float) -> None:
        """Let what people told us count from a moment on."""
        for (whose, _), course in self.courses.items():
            if whose in whom:
                course.learn(self._fixed(whose, course.scoring), at)

    def hear(self, whose: uuid.UUID, sign: Sign, at: float) -> bool:
        """Take in what somebody did; return False where that came too late for some limit."""
        theirs = (self.courses[whose, scoring.key] for scoring in self.scorings)
        return all(course.hear(sign, at) for course in theirs)

    def _fixed(self, whose: uuid.UUID, scoring: Scoring) -> int:
        """Return what somebody's profile gives under a score."""
        return points_of(scoring.score.profile, self.facts[whose])
