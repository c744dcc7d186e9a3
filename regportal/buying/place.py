"""Where the weigher is in the log: a place in each of its shards."""

from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import LogPlace
from regportal.store.facts import insert_in, table_of
from regportal.tracking.actions import LogLine, Place, comes_after
from regportal.tracking.models import LogEntry
from regportal.tracking.shards import shards_in

PLACE, LINE = table_of(LogPlace), table_of(LogEntry)
OWN = (
    sa.select(PLACE.c.transaction, PLACE.c.number, PLACE.c.at)
    .where(PLACE.c.shard == sa.bindparam("mine"))
    .with_for_update(skip_locked=True)
)


class Mark(NamedTuple):
    """To where a shard of the log was weighed, and the latest moment that was read there."""

    place: Place
    at: datetime | None


def open_places(session: Session) -> None:
    """Begin every shard of the log that was not begun yet; the second time changes nothing."""
    shards = [
        {"shard": shard, "transaction": 0, "number": 0} for shard in range(shards_in(session))
    ]
    begun = insert_in(session.get_bind().dialect.name)(PLACE).on_conflict_do_nothing()
    session.execute(begun, shards)


def next_lines(session: Session) -> dict[int, datetime | None]:
    """
    Return of each shard that was begun when the next line to be weighed was written, if one waits.

    The shard with the oldest comes first.
    """
    lines = _next_lines(session.get_bind().dialect.name)
    return {row.shard: row.at for row in session.execute(lines)}


@cache
def _next_lines(dialect: str) -> sa.Select[Any]:
    """Return the statement that finds the next line of every shard."""
    following = (
        sa.select(LINE.c.number)
        .where(LINE.c.shard == PLACE.c.shard, is_unread(dialect))
        .order_by(LINE.c.transaction, LINE.c.number)
        .limit(1)
        .correlate(PLACE)
    )
    written = following.with_only_columns(LINE.c.at).scalar_subquery().label("at")
    return sa.select(PLACE.c.shard, written).order_by(following.scalar_subquery())


def unread(session: Session) -> int:
    """Return how many lines of the log are not weighed yet."""
    after = is_unread(session.get_bind().dialect.name)
    lines = sa.select(sa.func.count()).select_from(LINE)
    lines = lines.outerjoin(PLACE, PLACE.c.shard == LINE.c.shard)
    return session.scalar(lines.where(sa.or_(PLACE.c.shard.is_(None), after))) or 0


def is_unread(dialect: str) -> sa.ColumnElement[bool]:
    """Return the condition for lines of a shard that was begun that are not weighed yet."""
    return comes_after(dialect, PLACE.c.transaction, PLACE.c.number)


def own_place(session: Session, shard: int) -> Mark | None:
    """Return the place in a shard, ours until the transaction ends; None: another worker has it."""
    found = session.execute(OWN, {"mine": shard}).first()
    return None if found is None else Mark(Place(found.transaction, found.number), found.at)


def move_on(session: Session, shard: int, last: LogLine, at: datetime) -> None:
    """Keep that a shard was weighed up to a line, and the time of that line."""
    place = {"transaction": last.transaction, "number": last.number, "at": at}
    session.execute(sa.update(PLACE).where(PLACE.c.shard == shard).values(place))


def own_every_place(session: Session) -> datetime | None:
    """Let nobody weigh until the transaction ends; return the latest moment that was read."""
    open_places(session)
    every = sa.select(PLACE.c.at).order_by(PLACE.c.shard).with_for_update()
    return max((at for at in session.scalars(every) if at is not None), default=None)
