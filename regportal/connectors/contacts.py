"""The contacts that some tasks are about: found in the CRM, or made there."""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from regportal.connectors.base import Link, Record, Result
from regportal.connectors.desk import Desk
from regportal.connectors.orders import Allows, Day, Did, Known, Scored
from regportal.connectors.rules import TAKEN, Outcome
from regportal.connectors.sparing import tried
from regportal.connectors.tasks import Changed, Task, updated
from regportal.connectors.wanted import KEY

OfContact = Task[Known] | Task[Did] | Task[Day] | Task[Allows] | Task[Scored]
FILLED = (Known, Scored)
"""Orders that set fields of a contact: our key is one more of them."""


class Contacts:
    """
    The records of the contacts of one batch.

    A contact is the record we know it by; else the one with our key; else the only one with its
    address. Where several have the address, a person must say which; only the end of a permission
    is for all of them. Where none has, it is made. Of two contacts of ours that are one record, the
    second is told after the first.

    Whoever that is gets our key, where the record has none: what happens to him over there is
    asked for by it. Of several none does.
    """

    def __init__(
        self,
        desk: Desk,
        tasks: Sequence[OfContact],
        fields: Collection[str] = (),
        told: Mapping[uuid.UUID, Mapping[str, Any]] | None = None,
    ) -> None:
        """
        Find the contacts of tasks, with these fields of each, and make those that are nowhere.

        A new one begins with what is ``told`` of it, by change. Raises what the desk raises where
        they are looked for or made.
        """
        self._desk, self._key = desk, desk.spell(KEY)
        self.known: list[tuple[Any, Record]] = []
        """Those that were there before."""
        self.made: list[tuple[Any, Record]] = []
        self.results: list[Result] = []
        """Of tasks whose contact is not there, or has no key, and ``Known`` that made one."""
        new = self._find(tasks, [self._key, *fields])
        self._wait_for_each_other()
        self._give_keys()
        people = [(task.order.whose, (told or {}).get(task.change.id, {})) for task in new]
        made = desk.create(people) if people else ()
        for task, written in zip(new, made, strict=True):
            if written.id is not None and not isinstance(task.order, Known):
                values = {self._key: task.order.whose.key}
                self.made.append(
                    (replace(task, has_made=bool(written.created)), Record(written.id, values))
                )
            else:
                self.results.append(
                    task.written(written, Link(written.id), created=written.created)
                )

    @property
    def there(self) -> Sequence[tuple[Any, Record]]:
        """Return all that are there now."""
        return [*self.known, *self.made]

    def update(self, wanted: Iterable[Changed]) -> Iterator[Result]:
        """Set fields of contacts, and our key with them; where all is so already, do nothing."""
        changes = []
        for task, record, values, link in wanted:
            more = {**values, **self._key_of(task, record)}
            if more:
                changes.append((task, record, more, link))
            else:
                yield task.result(Outcome.NOOP, link=link)
        yield from updated(self._desk, "contact", changes)

    def _key_of(self, task: OfContact, record: Record) -> dict[str, Any]:
        """Return our key as a field, where a record has none: one with another key keeps it."""
        return {} if record.values.get(self._key) else {self._key: task.order.whose.key}

    def _wait_for_each_other(self) -> None:
        """Let each record be one task's: what is written for it may change what others may do."""
        first: dict[str, Any] = {}
        waits = {
            task.change.id: task
            for task, record in self.known
            if first.setdefault(record.id, task) is not task
        }
        self.known = [one for one in self.known if one[0].change.id not in waits]
        says = "another of our contacts is the same one over there, and is told first"
        self.results += [
            task.result(Outcome.LATER, says, retry_at=task.now) for task in waits.values()
        ]

    def _give_keys(self) -> None:
        """
        Let contacts have our key of which no field is to be set.

        Who cannot get it is told nothing but a "no", which is written all the same.
        """
        each = Counter(task.change.id for task, _ in self.known)
        changes = {
            record.id: (task, record, key, Link(record.id))
            for task, record in self.known
            if each[task.change.id] == 1 and not isinstance(task.order, FILLED)
            if (key := self._key_of(task, record))
        }
        tasks = [task for task, *_ in changes.values()]
        done = tried(tasks, lambda _: updated(self._desk, "contact", [*changes.values()]))
        refused = [one for one in done if one.outcome not in TAKEN]
        self.results += [replace(one, says=f"our key was not taken: {one.says}") for one in refused]
        without = {one.id for one in refused}
        self.known = [
            (task, record)
            for task, record in self.known
            if task.change.id not in without or is_no(task.order)
        ]

    def _find(self, tasks: Sequence[OfContact], fields: Sequence[str]) -> list[Any]:
        """Find whom we can, and return the tasks whose contact is nowhere."""
        refs = [task.link.ref for task in tasks if task.link.ref]
        there = self._desk.read("contact", refs, fields) if refs else {}
        lost = []
        for task in tasks:
            record = there.get(task.link.ref or "")
            if record is None:
                lost.append(task)
            else:
                self.known.append((task, record))
        return [*self._searched(lost, fields)] if lost else []

    def _searched(self, tasks: Sequence[OfContact], fields: Sequence[str]) -> Iterator[Any]:
        """Search for contacts by key and address; yield the tasks whose contact is nowhere."""
        found = self._desk.find([task.order.whose for task in tasks], fields)
        addresses: set[str] = set()
        for task, fit in zip(tasks, found, strict=True):
            address = task.order.whose.email.casefold()
            if len(fit) > 1 and is_no(task.order):
                self.known += [(task, one) for one in fit]
            elif len(fit) > 1:
                says = f"{len(fit)} contacts of the CRM have this address"
                ids = tuple(one.id for one in fit)
                self.results.append(task.result(Outcome.AMBIGUOUS, says, candidates=ids))
            elif fit:
                self.known.append((task, fit[0]))
            elif address in addresses:  # the first of them is made now, and found the next time
                says = "another contact with this address is being made"
                self.results.append(task.result(Outcome.LATER, says, retry_at=task.now))
            else:
                addresses.add(address)
                yield task


def is_no(order: Any) -> bool:
    """Return whether an order ends a permission."""
    return isinstance(order, Allows) and not order.is_allowed
