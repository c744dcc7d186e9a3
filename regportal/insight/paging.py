"""
Lists page by page, forwards and back, by the keys of the rows and not by counting them.

A page costs the same wherever it is, and what comes or goes meanwhile moves nothing: no row is seen
twice or passed over that was there all the time and stayed in its place.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import BadRequestError
from regportal.store.marks import read, written

R = TypeVar("R")
Query = sa.Select[*tuple[Any, ...]]
"""What is read of a row, whatever it is."""

MOST = 200
"""Rows of one page."""
NOT_OURS = "at: is not the address of a page of this list."
ON, BACK = "n", "b"
"""Which way a mark leads."""


@dataclass(frozen=True, slots=True)
class Run:
    """
    Rows that come one after the other: what is read of each, and the keys that put them in order.

    The keys are never empty, all rise or all fall, and together they are of one row only. An index
    has them, behind what the query asks to be equal.
    """

    query: Query
    keys: tuple[Any, ...]
    falls: bool = True
    empty: tuple[Any, ...] = ()
    """Columns that are empty in all of them: PostgreSQL must be told that they change no order."""

    @property
    def kinds(self) -> list[type]:
        """Return what kind of value each key is."""
        return [key.type.python_type for key in self.keys]


class Mark(NamedTuple):
    """A place beside a row: which run it is in, its keys there, and which way it leads."""

    run: int
    keys: tuple[Any, ...]
    back: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some rows of a list, and how to come to those before and after them."""

    rows: Sequence[R]
    before: str | None
    """The mark of the page before; None: this is the first one."""
    after: str | None
    """The mark of the page after; None: this is the last one."""

    def of(self, make: Callable[[Sequence[R]], Sequence[Any]]) -> "Page[Any]":
        """Return the page with other rows made of these."""
        return Page(make(self.rows), self.before, self.after)


def page_of(session: Session, runs: Sequence[Run], at: str | None, size: int) -> Page[sa.Row[Any]]:
    """
    Return up to ``size`` rows at a mark, from the beginning where there is none.

    ``runs`` are the parts of the list, one after the other. Raises BadRequestError for a mark that
    is none of this list.
    """

    def some(mark: Mark, most: int) -> list[tuple[Mark, sa.Row[Any]]]:
        return _rows(session, runs, mark, most)

    return paged(some, [run.kinds for run in runs], at, size)


def paged(
    some: Callable[[Mark, int], list[tuple[Mark, R]]],
    kinds: Sequence[Sequence[type]],
    at: str | None,
    size: int,
) -> Page[R]:
    """
    Return a page of what ``some`` reads: so many rows from a mark on, the way it leads.

    It gives each with the mark after it. ``kinds`` are those of the keys of a mark, by its run.
    """
    size = max(1, min(size, MOST))
    mark = _read(kinds, at) if at is not None else Mark(0, ())
    found = some(mark, size + 1)
    more, found = len(found) > size, found[:size]
    if mark.back:
        found.reverse()
    if not found and mark.back:  # whatever stood before it is gone
        return paged(some, kinds, None, size)
    if not found:
        return Page([], None, None)
    is_first = not more if mark.back else at is None
    is_last = not mark.back and not more
    (first, _), (last, _) = found[0], found[-1]
    return Page(
        [row for _, row in found],
        None if is_first else _written(first._replace(back=True)),
        None if is_last else _written(last),
    )


def walk(page: Callable[[str | None], Page[R]]) -> Iterator[R]:
    """Yield every row of a list, page by page: for exports."""
    at: str | None = None
    while True:
        found = page(at)
        yield from found.rows
        at = found.after
        if at is None:
            return


def prefixed(column: Any, text: str) -> sa.ColumnElement[bool]:
    """Return that a column that is compared byte by byte begins with a text; an index finds it."""
    return sa.and_(column >= text, column < f"{text}\U0010ffff")


def _rows(
    session: Session, runs: Sequence[Run], mark: Mark, most: int
) -> list[tuple[Mark, sa.Row[Any]]]:
    """Return so many rows from a mark on, the way it leads, each with the mark after it."""
    found: list[tuple[Mark, sa.Row[Any]]] = []
    for number in range(mark.run, -1, -1) if mark.back else range(mark.run, len(runs)):
        run, left = runs[number], most - len(found)
        if not left:
            break
        query = _ordered(run, mark.keys if number == mark.run else (), back=mark.back)
        rows = session.execute(query.limit(left))
        found += [(Mark(number, tuple(row)[-len(run.keys) :]), row) for row in rows]
    return found


def _ordered(run: Run, keys: tuple[Any, ...], *, back: bool) -> Query:
    """Return a run in its order, or in the other, from beyond these keys on."""
    query = run.query.add_columns(*run.keys)
    falls = run.falls is not back
    if keys:
        here = [sa.literal(value, key.type) for key, value in zip(run.keys, keys, strict=True)]
        beyond = sa.tuple_(*run.keys) < sa.tuple_(*here)
        if not falls:
            beyond = sa.tuple_(*run.keys) > sa.tuple_(*here)
        query = query.where(beyond)
    every = (*run.empty, *run.keys)
    return query.order_by(*(key.desc() if falls else key.asc() for key in every))


def _written(mark: Mark) -> str:
    """Return a mark as it travels."""
    return written(BACK if mark.back else ON, mark.run, *mark.keys)


def _read(kinds: Sequence[Sequence[type]], text: str) -> Mark:
    """Return a mark of this list; raise BadRequestError for anything else."""
    with contextlib.suppress(ValueError, IndexError):
        way, number, _ = read(text, [str, int, str])
        _, _, *keys = read(text, [str, int, *kinds[max(0, number)]])
        mark = Mark(number, tuple(keys), back=way == BACK)
        if _written(mark) == text:  # no other way of writing it is ours
            return mark
    raise BadRequestError(NOT_OURS, "at")
