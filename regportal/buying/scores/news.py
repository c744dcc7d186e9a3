"""What CRMs are told of scores."""

import math
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from regportal.buying.scores.decay import EPSILON
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.standing import Parts
from regportal.connectors.schema import Connector
from regportal.identity.actions import told
from regportal.identity.models import Contact
from regportal.outbox.actions import News, owe_all
from regportal.outbox.rules import REST
from regportal.store.documents import Published


def tell(session: Session, published: Published, news: Iterable[News], *, now: datetime) -> None:
    """Owe the news of scores to every CRM that is told of such."""
    connectors = published.all(Connector)
    owe_all(session, [(each, one) for one in news for each in connectors], now=now)


def score_news(
    contact: Contact, scoring: Scoring, fact: uuid.UUID, parts: Parts, level: int, at: float
) -> News:
    """Return what a CRM is told of one score of somebody (design.md 7)."""
    return News(
        topic="score.changed",
        subject=f"contact:{contact.key}",
        payload={
            "id": str(fact),
            "contact": told(contact),
            "score": scoring.key,
            "value": tenths(parts.total),
            "parts": {name: tenths(value) for name, value in parts._asdict().items()},
            "level": scoring.level_name(level),
        },
        occurred_at=datetime.fromtimestamp(at, UTC),
        merges=f"score:{scoring.key}",
        lane=REST,
    )


def tenths(value: float) -> float:
    """
    Return a value as it is shown: never more than it is, or a threshold would seem reached.

    >>> tenths(59.99), tenths(60.0 - 1e-12), tenths(-5)
    (59.9, 60.0, -5.0)
    """
    return math.floor((value + EPSILON) * 10) / 10
