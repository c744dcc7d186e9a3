"""The list of people: who was here last, who is how far, who is worth how much."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

import sqlalchemy as sa
from pydantic import model_validator
from sqlalchemy.orm import Session

from regportal.buying.lists.models import ListedPerson
from regportal.buying.scores.models import ScoreState
from regportal.buying.scores.reading import scoring_called, worth
from regportal.buying.scores.schema import Score
from regportal.buying.scores.scoring import Scoring
from regportal.errors import BadRequestError, NotHereError
from regportal.identity.addresses import Address
from regportal.identity.models import Assurance, Claim, ClaimState, Contact
from regportal.insight.filters import Filters, Owners, Word
from regportal.insight.paging import Page, Query, Run, page_of, prefixed
from regportal.insight.scope import seen_by
from regportal.store.documents import Published


class People(Filters):
    """Which people are listed, and in which order."""

    q: Word | None = None
    """How the address begins; then they are in the order of their addresses."""
    phase: Word | None = None
    account: Word | None = None
    assurance: Assurance | None = None
    score: Word | None = None
    """Which score is shown; without one the first that is published."""
    level: Word | None = None
    """The threshold which that score reaches now."""
    order: Literal["last", "score"] = "last"
    """By what they did last; or by the level of the score, and in it by what they did lately."""

    @model_validator(mode="after")
    def _one_order(self) -> Self:
        """Refuse two orders at once."""
        if self.q is not None and self.order == "score":
            raise ValueError("a search is in the order of addresses")
        return self


class Claims(Filters):
    """Which claims that nobody has confirmed are listed."""

    q: Word | None = None
    """How the address begins."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person in a list."""

    key: uuid.UUID
    email: str
    assurance: str
    first_seen: datetime
    last_at: datetime
    account: str | None
    phase: str | None
    score: float | None
    level: str | None


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """Somebody who says that an address is his, and has not shown it."""

    id: uuid.UUID
    email: str
    gate: str
    opened_at: datetime
    own_staff: bool
    known: uuid.UUID | None
    """The contact who has the address, if we know one."""


def page(
    session: Session,
    published: Published,
    filters: People,
    at: str | None = None,
    size: int = 50,
    *,
    owners: Owners = None,
    now: datetime,
) -> Page[PersonRow]:
    """
    Return a page of people, those who did something last first.

    ``owners`` are the sellers who look: they see whoever has a part in what they look after.
    Raises BadRequestError for a score or a level that there is not, and for a mark of another list.
    """
    scoring = _scoring(published, filters)
    found = page_of(session, _runs(filters, scoring, owners), at, size)
    return found.of(lambda rows: _rows(session, scoring, rows, now))


def unconfirmed(
    session: Session,
    filters: Claims,
    at: str | None = None,
    size: int = 50,
    *,
    owners: Owners = None,
) -> Page[ClaimRow]:
    """Return a page of claims that wait for an answer, the newest first; nobody's yet."""
    query: Query = (
        sa.select(
            *(Claim.id, Claim.email, Claim.match_key, Claim.gate, Claim.opened_at),
            *(Claim.own_staff, Contact.id.label("known")),
        )
        .outerjoin(Contact, Contact.match_key == Claim.match_key)
        .where(Claim.state == ClaimState.OPEN)
    )
    if filters.q is not None:
        query = query.where(Claim.match_key.startswith(filters.q.lower(), autoescape=True))
    query = seen_by(query, Contact.person_id, owners)
    return page_of(session, [Run(query, (Claim.id,))], at, size).of(
        lambda rows: [
            ClaimRow(
                *(row.id, Address(row.email, row.email, row.match_key).shown),
                *(row.gate, row.opened_at, row.own_staff, row.known),
            )
            for row in rows
        ]
    )


def _scoring(published: Published, filters: People) -> Scoring | None:
    """Return the score that is shown; None: there is none at all."""
    named = filters.score or next((one.key for one in published.all(Score)), None)
    if named is None:
        if filters.level or filters.order == "score":
            raise BadRequestError("score: there is none yet.", "score")
        return None
    try:
        scoring = scoring_called(published, named)
    except NotHereError as error:
        raise BadRequestError(f"score: {error}.", "score") from error
    levels = [name for name, _ in scoring.score.levels]
    if filters.level is not None and filters.level not in levels:
        raise BadRequestError(f"level: is none of {', '.join(levels) or 'this score'}.", "level")
    return scoring


def _runs(filters: People, scoring: Scoring | None, owners: Owners) -> list[Run]:
    """Return the parts of the list, in their order."""
    listed = ListedPerson
    query = seen_by(_narrowed(filters), listed.contact_id, owners)
    if filters.q is not None:
        search = query.where(prefixed(listed.address, filters.q.strip().lower()))
        if filters.level is not None and scoring is not None:
            search = _scored(search, scoring, filters.level)
        return [Run(search, (listed.address,), falls=False)]
    if scoring is None or not (filters.level or filters.order == "score"):
        return [Run(query, (listed.last_at, listed.contact_id))]
    names = [name for name, _ in scoring.score.levels]
    levels = [filters.level] if filters.level else [*reversed(names), None]
    runs = []
    for level in levels:
        there = _scored(query, scoring, level)
        if filters.order == "last":
            return [Run(there, (listed.last_at, listed.contact_id))]
        score = ScoreState
        none = () if level else (score.level,)
        ranked = there.where(score.rank.is_not(None))
        others = there.where(score.rank.is_(None))
        runs += [
            Run(ranked, (score.rank, score.contact_id), empty=none),
            Run(others, (score.contact_id,), empty=(*none, score.rank)),
        ]
    return runs


def _narrowed(filters: People) -> Query:
    """Select what lists show of people, as far as it is asked for."""
    asked = {
        ListedPerson.phase: filters.phase,
        ListedPerson.account: filters.account,
        ListedPerson.assurance: filters.assurance,
    }
    return (
        sa.select(
            *(ListedPerson.contact_id, ListedPerson.assurance, ListedPerson.last_at),
            *(ListedPerson.account, ListedPerson.phase, ListedPerson.address),
            *(Contact.email, Contact.first_seen),
        )
        .join(Contact, Contact.id == ListedPerson.contact_id)
        .where(*(column == value for column, value in asked.items() if value is not None))
    )


def _scored(query: Query, scoring: Scoring, level: str | None) -> Query:
    """Narrow a list to those who reach a level of a score; None: none of them."""
    return query.join(ScoreState, ScoreState.contact_id == ListedPerson.contact_id).where(
        ScoreState.score == scoring.key,
        ScoreState.version == scoring.version,
        ScoreState.level.is_(None) if level is None else ScoreState.level == level,
    )


def _rows(
    session: Session, scoring: Scoring | None, rows: Sequence[Any], now: datetime
) -> list[PersonRow]:
    """Return people as they are shown, with what they are worth now."""
    scores = _scores(session, scoring, [row.contact_id for row in rows], now)
    return [
        PersonRow(
            *(row.contact_id, Address(row.email, row.email, row.address).shown),
            *(row.assurance.value, row.first_seen, row.last_at, row.account, row.phase),
            *scores.get(row.contact_id, (None, None)),
        )
        for row in rows
    ]


def _scores(
    session: Session, scoring: Scoring | None, people: Collection[uuid.UUID], now: datetime
) -> Mapping[uuid.UUID, tuple[float, str | None]]:
    """Return what people are worth under a score, and which level that reaches."""
    if scoring is None or not people:
        return {}
    kept = sa.select(ScoreState.contact_id, ScoreState.fixed, ScoreState.sums).where(
        ScoreState.contact_id.in_(people),
        ScoreState.score == scoring.key,
        ScoreState.version == scoring.version,
    )
    return {
        one.contact: (one.value, scoring.level_name(scoring.level(one.value)))
        for one in worth(session, scoring, session.execute(kept), now)
    }
