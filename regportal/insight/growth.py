"""How much is known of people by the time of their nth visit."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.forms.models import Answer
from regportal.identity.models import Assurance, Claim, Visitor
from regportal.tracking.models import Visit

VISITS = 6
"""How many visits are looked at."""


@dataclass(frozen=True, slots=True)
class Nth:
    """What is known by the end of a visit, of those who came so often."""

    visit: int
    people: int
    median: float


def growth(session: Session, since: datetime) -> Sequence[Nth]:
    """
    Return how many questions half of the people had answered by the end of their nth visit.

    Of contacts who were here first since then; a question counts once, answered with the address
    proven, and not when it was declined.
    """
    visits = (
        sa.select(
            Claim.contact_id,
            Visit.last_at,
            sa.func.row_number()
            .over(partition_by=Claim.contact_id, order_by=(Visit.started_at, Visit.id))
            .label("nth"),
            sa.func.min(Visit.started_at).over(partition_by=Claim.contact_id).label("first_at"),
        )
        .join(Visitor, Visitor.id == Visit.visitor_id)
        .join(Claim, Claim.id == Visitor.claim_id)
        .where(Claim.contact_id.is_not(None))
        .subquery()
    )
    known = (
        sa.select(sa.func.count(sa.distinct(Answer.question)))
        .where(
            *(Answer.contact_id == visits.c.contact_id, Answer.answered_at <= visits.c.last_at),
            *(Answer.assurance != Assurance.CLAIMED, sa.not_(Answer.declined)),
        )
        .correlate(visits)
        .scalar_subquery()
    )
    each = (
        sa.select(visits.c.nth, known.label("known"))
        .where(visits.c.nth <= VISITS, visits.c.first_at >= since)
        .subquery()
    )
    rows = session.execute(
        sa.select(each.c.nth, each.c.known, sa.func.count()).group_by(each.c.nth, each.c.known)
    )
    counted: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for nth, fields, people in rows:
        counted[nth][fields] = people
    return [Nth(nth, sum(counted[nth].values()), median(counted[nth])) for nth in sorted(counted)]


def median(counted: dict[int, int]) -> float:
    """
    Return the median of values, each so often.

    >>> median({1: 2, 4: 1}), median({1: 1, 2: 1}), median({0: 5})
    (1.0, 1.5, 0.0)
    """
    many, middles = sum(counted.values()), []
    for place in ((many - 1) // 2, many // 2):
        seen = 0
        for value in sorted(counted):
            seen += counted[value]
            if seen > place:
                middles.append(value)
                break
    return sum(middles) / 2
