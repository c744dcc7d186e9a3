"""What contacts did, page by page, newest first: the time series as other systems read it."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from regportal.connectors.rules import in_full
from regportal.identity.api import Moment
from regportal.store import marks
from regportal.tracking.actions import Seen, columns_of
from regportal.tracking.later import JUDGED, VERDICT, judged_now, overruled
from regportal.tracking.models import Attributed, Attribution, Interaction, Judged

Mark = tuple[datetime, uuid.UUID]
"""A place between two interactions: everything after it is older."""


class InteractionTold(BaseModel):
    """What somebody did, as every program is told of it."""

    id: uuid.UUID
    type: str
    object: str
    category: str | None
    properties: dict[str, Any]
    occurred_at: Moment
    received_at: Moment
    attribution: Attributed
    judged: Judged


class InteractionRead(InteractionTold):
    """What somebody did, as the time series tells of it."""

    judged_because: Annotated[str | None, Field(description="Why it is a machine's, or is not.")]
    judged_by: Annotated[
        str | None, Field(description="The version of the rules; `person`: somebody, by hand.")
    ]
    visit: uuid.UUID | None
    contact: Annotated[uuid.UUID | None, Field(description="Whose it is: the contact's key.")]


PROVEN, PERSON = Attributed.VERIFIED.value, Judged.PERSON.value
"""As what somebody's own is told."""
MANY = frozenset({"contacts", "types", "visits"})
"""What may be asked for by several values."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which interactions are asked for."""

    contacts: Collection[uuid.UUID] | None = None
    """None: everybody, also whom nobody knows."""
    types: Collection[str] = ()
    """Empty: all."""
    judged: Judged | None = None
    """Whose: only people's, or only machines'; None: both."""
    since: datetime | None = None
    until: datetime | None = None
    """Before it; ``since`` belongs to what is asked for."""
    visits: Collection[uuid.UUID] | None = None
    """Only what was done in these; None: in any, and in none."""


def page_of(
    session: Session, wanted: Wanted, after: Mark | None, limit: int, *, back: bool = False
) -> tuple[list[Seen], Mark | None]:
    """
    Return up to ``limit`` interactions and the mark after the last; None where it is the last.

    The newest first; ``back`` the oldest first, of what is newer than the mark. Only what counts as
    these contacts' now: first-hand, or attributed later. However much one or others did, it reads
    no more than this page from the index of his own.
    """
    at, id = after or (None, None)
    values = _said(wanted) | {"at": at, "id": id}
    given = {name: value for name, value in values.items() if value is not None}
    query = _page(frozenset(given), wanted.judged, back=back)
    rows = session.execute(query, given | {"most": limit + 1})
    seen = [Seen(*row) for row in rows]
    page = seen[:limit]
    return page, (page[-1].occurred_at, page[-1].id) if len(seen) > limit else None


def _said(wanted: Wanted) -> dict[str, Any]:
    """Return what is asked for by name, as far as a query takes it as a parameter."""
    return {
        "contacts": wanted.contacts,
        "types": wanted.types or None,
        "since": wanted.since,
        "until": wanted.until,
        "visits": wanted.visits,
    }


@lru_cache(256)
def _page(given: frozenset[str], judged: Judged | None, *, back: bool) -> sa.Select[Any]:
    """Return the query of a page that is asked for in these words; to make one takes longer."""
    words: dict[str, Any] = {
        name: sa.bindparam(name, expanding=name in MANY) for name in given - {"at", "id"}
    }
    after: Any = (sa.bindparam("at"), sa.bindparam("id")) if "at" in given else None
    wanted = Wanted(judged=judged, **words)
    most = sa.bindparam("most", type_=sa.Integer())
    parts = [
        part.order_by(*_order(Interaction, back=back)).limit(most)
        for part in (_first_hand(wanted, after, back=back), _later(wanted, after, back=back))
    ]
    both = sa.union_all(*(sa.select(part.subquery()) for part in parts)).subquery()
    return sa.select(both).order_by(*_order(both.c, back=back)).limit(most)


def _order(rows: Any, *, back: bool) -> tuple[Any, ...]:
    """Return how interactions are put in order: the newest first, or back."""
    keys = rows.occurred_at, rows.id
    return tuple(key.asc() if back else key.desc() for key in keys)


def done_by(wanted: Wanted) -> sa.CompoundSelect[Any]:
    """Select whatever is asked for, in no order; its columns are those of :class:`Seen`."""
    return sa.union_all(_first_hand(wanted, None), _later(wanted, None))


def own_as_told(taken: Seen) -> dict[str, Any]:
    """
    Return an interaction that is somebody's own as every program is told of it (design.md 5).

    It is what :class:`InteractionTold` writes as JSON, without being read first.
    """
    return {
        "id": str(taken.id),
        "type": taken.type,
        "object": taken.object,
        "category": taken.category,
        "properties": taken.properties,
        "occurred_at": in_full(taken.occurred_at),
        "received_at": in_full(taken.received_at),
        "attribution": PROVEN,
        "judged": PERSON,
    }


def as_read(seen: Seen) -> InteractionRead:
    """Return an interaction as the time series tells of it: also what no CRM is told."""
    return InteractionRead(
        id=seen.id,
        type=seen.type,
        object=seen.object,
        category=seen.category,
        properties=dict(seen.properties),
        occurred_at=seen.occurred_at,
        received_at=seen.received_at,
        attribution=seen.attribution,
        judged=seen.judged,
        judged_because=seen.judged_because,
        judged_by=seen.judged_by,
        visit=seen.visit_id,
        contact=seen.contact_id,
    )


def written(mark: Mark) -> str:
    """
    Return a mark as it travels.

    >>> from datetime import UTC
    >>> mark = (datetime(2026, 3, 4, 12, tzinfo=UTC), uuid.UUID(int=7))
    >>> read_mark(written(mark)) == mark
    True
    """
    return marks.written(*mark)


def read_mark(text: str) -> Mark:
    """Return the mark that was written so; raise ValueError for anything else."""
    at, id = marks.read(text, [datetime, uuid.UUID])
    return at, id


def _first_hand(wanted: Wanted, after: Any, *, back: bool = False) -> sa.Select[Any]:
    """Select what was theirs when it was taken, and nobody has said otherwise since."""
    said = sa.exists().where(Attribution.interaction_id == Interaction.id)
    columns = columns_of(Interaction.attribution, Interaction.contact_id, VERDICT)
    query = _theirs(sa.select(*columns).where(~said), Interaction.contact_id, wanted)
    return _narrowed(query, wanted, after, back=back)


def _later(wanted: Wanted, after: Any, *, back: bool = False) -> sa.Select[Any]:
    """Select what became theirs afterwards, and still is."""
    query = (
        sa.select(*columns_of(Attribution.attribution, Attribution.contact_id, VERDICT))
        .join(Attribution, Attribution.interaction_id == Interaction.id)
        .where(~overruled(Attribution))
    )
    theirs = _theirs(query, Attribution.contact_id, wanted)
    return _narrowed(theirs, wanted, after, back=back)


def _theirs(query: sa.Select[Any], contact_id: Any, wanted: Wanted) -> sa.Select[Any]:
    """Narrow a query to whose deeds are asked for."""
    return query if wanted.contacts is None else query.where(contact_id.in_(wanted.contacts))


def _narrowed(query: sa.Select[Any], wanted: Wanted, after: Any, *, back: bool) -> sa.Select[Any]:
    """Return a query for what is asked for, beyond a mark."""
    query = judged_now(query)
    if wanted.judged is not None:
        query = query.where(JUDGED.in_([wanted.judged]))
    if wanted.visits is not None:
        query = query.where(Interaction.visit_id.in_(wanted.visits))
    types: Any = wanted.types
    if isinstance(types, sa.BindParameter) or types:
        query = query.where(Interaction.type.in_(types))
    if wanted.since is not None:
        query = query.where(Interaction.occurred_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(Interaction.occurred_at < wanted.until)
    if after is None:
        return query
    at, id = after
    done, key = Interaction.occurred_at, Interaction.id
    if back:
        return query.where(done >= at, sa.or_(done > at, key > id))
    return query.where(done <= at, sa.or_(done < at, key < id))
