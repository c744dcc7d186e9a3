"""A change, what it asks of a CRM, and what became of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from regportal.connectors.base import Change, Kind, Link, Record, Result
from regportal.connectors.desk import Desk, Written
from regportal.connectors.orders import Order, order_of
from regportal.connectors.rules import TAKEN, Outcome

Asked_co = TypeVar("Asked_co", bound=Order, covariant=True)
NOTHING = Link()


@dataclass(frozen=True, slots=True)
class Task(Generic[Asked_co]):
    """A change, and what it asks for."""

    change: Change
    order: Asked_co
    now: datetime
    has_made: bool = False
    """Whether its contact was made just now, and that is not what it tells."""

    @property
    def link(self) -> Link:
        """Return what is known of its subject over there."""
        return self.change.link or NOTHING

    def result(self, outcome: Outcome, says: str = "", **more: Any) -> Result:
        """Return what became of it."""
        return Result(self.change.id, outcome, says, **{"created": self.has_made or None} | more)

    def written(
        self, written: Written, link: Link | None, *, created: bool | None = None
    ) -> Result:
        """
        Return what became of it where something was written; ``link`` is known then.

        ``created`` is of the record it is about; a note that was made beside it is none.
        """
        return self.result(
            written.outcome,
            written.says,
            retry_at=written.retry_at,
            created=self.has_made or created,
            candidates=written.candidates,
            link=link if written.outcome in TAKEN else None,
        )


def task_of(change: Change, now: datetime) -> Task[Order]:
    """Return what a change asks for; raise ValueError for a topic no CRM is told."""
    return Task(change, order_of(change), now)


Changed = tuple[Task[Any], Record, Mapping[str, Any], Link]
"""A record whose fields are to be set for a task, and what is known of it then."""


def updated(desk: Desk, kind: Kind, changes: Sequence[Changed]) -> Iterator[Result]:
    """Set fields of records; raise what the desk raises."""
    pairs = [(record, values) for _, record, values, _ in changes]
    done = desk.update(kind, pairs) if pairs else ()
    for (task, _, _, link), written in zip(changes, done, strict=True):
        yield task.written(written, link)
