"""Who has how much, now or at any later moment: asked of an index, and worked out exactly."""

import heapq
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.scores.decay import EPSILON, rank_needed
from regportal.buying.scores.models import ScoreState
from regportal.buying.scores.rollup import thirds
from regportal.buying.scores.schema import Score
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.social import social_of
from regportal.buying.scores.standing import Parts, Standing
from regportal.errors import NotHereError
from regportal.store.documents import Published

PAGE = 500
SLACK = 1e-6
"""So much a kept rank may be off, by the last bits of a fraction."""
LATELY = 90 * 86_400.0
STEPS = (90, 80, 70, 60, 50, 40, 30, 20, 10, 1)
"""How far down one looks for the best, step by step."""


class Ranked(NamedTuple):
    """Somebody, and what he is worth."""

    contact: uuid.UUID
    parts: Parts

    @property
    def value(self) -> float:
        """Return the score."""
        return self.parts.total


def scoring_called(published: Published, name: str) -> Scoring:
    """Return the score of this name; raise NotHereError where there is none."""
    score = published.find(Score, name)
    if score is None:
        names = ", ".join(each.key for each in published.all(Score)) or "none yet"
        raise NotHereError(f"there is no score called {name!r}; there are: {names}")
    return Scoring(score, published.version(Score, name))


def at_least(
    session: Session, published: Published, name: str, value: float, *, at: datetime
) -> Iterator[Ranked]:
    """
    Yield everybody with at least so much at a moment, the present or a later one.

    Only those are read who may have it: a rank is static, and says what is needed when.
    """
    scoring = scoring_called(published, name)
    query = _who_may_have(scoring, value, at.timestamp()).execution_options(yield_per=PAGE)
    for page in session.execute(query).partitions():
        for one in worth(session, scoring, page, at):
            if one.value >= value - EPSILON:
                yield one


def best(
    session: Session, published: Published, name: str, count: int, *, at: datetime
) -> list[Ranked]:
    """
    Return those with the highest scores at a moment, the highest first.

    Who has less than one point is not ranked: nothing is known that would put one before another.
    """
    found: list[Ranked] = []
    for value in STEPS:
        found = heapq.nsmallest(
            count,
            at_least(session, published, name, value, at=at),
            key=lambda one: (-one.value, one.contact),
        )
        if len(found) == count:
            break
    return found


def compared_with(
    session: Session, scoring: Scoring, *, at: datetime
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """
    Return where the thirds end, of profiles and of behaviour, among whom was here in 90 days.

    It looks at everybody: for one who asks, not for a list.
    """
    moment = at.timestamp()
    fits, engaged = [], []
    query = (
        sa.select(ScoreState.fixed, ScoreState.sums)
        .where(ScoreState.score == scoring.key, ScoreState.version == scoring.version)
        .execution_options(yield_per=PAGE)
    )
    for fixed, sums in session.execute(query):
        standing = Standing.of(fixed, sums)
        if standing.as_of > moment - LATELY:
            parts = standing.parts(scoring, moment)
            fits.append(parts.profile)
            engaged.append(parts.behaviour)
    return thirds(fits), thirds(engaged)


def _who_may_have(scoring: Scoring, value: float, at: float) -> sa.Select[Any]:
    """
    Return the question who may have so much: by profile alone, or with what is left of deeds.

    What a rank must be depends on what the profile gives, a whole number: for each of them one
    part of the index is read, and no more of it than is needed.
    """
    social = scoring.score.social
    needed = value - (social.at_most if social else 0) - EPSILON
    chosen = sa.select(ScoreState.contact_id, ScoreState.fixed, ScoreState.sums).where(
        ScoreState.score == scoring.key, ScoreState.version == scoring.version
    )
    if needed <= 0:
        return chosen
    low, high = _profiles(scoring)
    ranks = [
        (fixed, rank - SLACK)
        for fixed in range(low, high + 1)
        if fixed < needed and (rank := rank_needed(needed - fixed, at, scoring.slowest)) is not None
    ]
    if not ranks:
        return chosen.where(ScoreState.fixed >= needed)
    need = (
        sa.values(sa.column("fixed", sa.Integer), sa.column("rank", sa.Double), name="need")
        .data(ranks)
        .cte("need")
    )
    with_deeds = chosen.join(
        need, sa.and_(ScoreState.fixed == need.c.fixed, ScoreState.rank >= need.c.rank)
    )
    return sa.select(
        *sa.union_all(chosen.where(ScoreState.fixed >= needed), with_deeds).subquery().columns
    )


def _profiles(scoring: Scoring) -> tuple[int, int]:
    """Return the least and the most that a profile can give."""
    profile = scoring.score.profile
    if profile is None:
        return 0, 0
    points = [trait.points for trait in profile.points]
    most = min(profile.at_most, sum(one for one in points if one > 0))
    least = max(profile.at_least, sum(one for one in points if one < 0))
    return min(least, profile.at_most), max(most, profile.at_least)


def worth(session: Session, scoring: Scoring, rows: Any, at: datetime) -> Iterator[Ranked]:
    """Yield what people are worth at a moment, exactly."""
    moment = at.timestamp()
    every = {
        contact: Standing.of(fixed, sums).parts(scoring, moment) for contact, fixed, sums in rows
    }
    ties = social_of(session, scoring, every.keys(), at=at)
    for contact, parts in every.items():
        yield Ranked(contact, parts._replace(social=ties.get(contact, 0.0)))
