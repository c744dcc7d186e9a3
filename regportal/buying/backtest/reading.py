"""What is known of every opportunity of this installation, page by page."""

import uuid
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.backtest.course import Lives
from regportal.buying.compiled import Model
from regportal.buying.facts import moment
from regportal.buying.folding import Deal, Known
from regportal.buying.models import Opportunity, Snapshot
from regportal.buying.past import asks, deals_of, lives_of
from regportal.buying.signs import least_of
from regportal.store.documents import Published
from regportal.store.sessions import Store

PAGE = 100
"""Opportunities that are in memory at a time, with all that is known of who has a part."""


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of one opportunity."""

    connector: str
    begun: int
    is_won: bool
    """How it ended, where it is closed."""
    deal: Deal
    lives: Sequence[Lives]
    """By model what everybody did who ever had a part, as far as it hears of it."""


def how_many(session: Session) -> int:
    """Return how many opportunities there are."""
    return session.scalar(sa.select(sa.func.count()).select_from(Opportunity)) or 0


def stories(
    store: Store, published: Published, models: Sequence[Model]
) -> Iterator[Sequence[Story]]:
    """
    Yield all opportunities, a page at a time, each page read in a transaction of its own.

    Nothing is written, and nobody who writes has to wait.
    """
    last = uuid.UUID(int=0)
    while True:
        with store.read() as session:
            rows = session.execute(_page(last)).all()
            found = [*_read(session, published, models, rows)]
        if not rows:
            return
        yield found
        last = rows[-1].id


def _page(last: uuid.UUID) -> sa.Select[uuid.UUID, str, bool, datetime]:
    """Say to the database which opportunities come next, and since when each is known."""
    first = sa.select(sa.func.min(Snapshot.received_at))
    return (
        sa.select(
            Opportunity.id,
            Opportunity.connector,
            Opportunity.is_won,
            first.where(Snapshot.opportunity_id == Opportunity.id)
            .scalar_subquery()
            .label("known_since"),
        )
        .where(Opportunity.id > last)
        .order_by(Opportunity.id)
        .limit(PAGE)
    )


def _read(
    session: Session,
    published: Published,
    models: Sequence[Model],
    rows: Sequence[sa.Row[uuid.UUID, str, bool, datetime]],
) -> Iterator[Story]:
    """Yield the opportunities of one page."""
    groups = deals_of(session, [row.id for row in rows])
    people = {one.id: one for _, some in groups.values() for one in some.values()}
    read: dict[Hashable, Mapping[uuid.UUID, Sequence[Known]]] = {}
    lives = []
    for model in models:
        wanted = asks(model.buying), least_of(model.buying)
        if wanted not in read:
            read[wanted] = lives_of(session, published, model.buying, people.values())
        lives.append(read[wanted])
    for row in rows:
        deal, theirs = groups[row.id]
        yield Story(
            connector=row.connector,
            begun=moment(row.known_since),
            is_won=row.is_won,
            deal=deal,
            lives=[{one.id: every[one.id] for one in theirs.values()} for every in lives],
        )
