"""Newsletters in a CRM: what a person allows is written there, never against a newer "no"."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from regportal.connectors.base import Link, Record, Result
from regportal.connectors.contacts import Contacts
from regportal.connectors.desk import Allowing, Desk
from regportal.connectors.judging import (
    EVERY,
    Guard,
    Subscription,
    consent_guard,
    is_our_no,
    noted,
    sent_no,
)
from regportal.connectors.orders import Allows
from regportal.connectors.rules import TAKEN, Outcome
from regportal.connectors.schema import Connector as Document
from regportal.connectors.sparing import sent
from regportal.connectors.tasks import Task

UNKNOWN = Subscription(None)
Lists = Mapping[str, Subscription]


def allowed(document: Document, desk: Desk, tasks: Sequence[Task[Allows]]) -> Iterator[Result]:
    """
    Let newsletters be allowed, or no longer; a "no" for every contact that somebody may be.

    Raises what the desk raises.
    """
    contacts = Contacts(desk, tasks)
    yield from contacts.results
    yield from _one_each(_written(document, desk, contacts.there))


def _written(
    document: Document, desk: Desk, known: Sequence[tuple[Task[Allows], Record]]
) -> Iterator[Result]:
    """Let contacts be on lists, or off them; one result each."""
    whose = {record.id: task.order.whose.email for task, record in known}
    there = desk.lists_of(whose) if whose else {}
    wanted = []
    for task, record in known:
        order = task.order
        name = document.newsletters.get(order.newsletter, order.newsletter)
        guard = _guard(task, there.get(record.id, {}), name)
        link = Link(record.id, noted(order.newsletter, task.now, is_allowed=order.is_allowed))
        if guard is Guard.WRITE:
            wanted.append((task, _allowing(order, record.id, name), link))
        elif guard is Guard.LEAVE:
            yield task.result(Outcome.NOOP, link=link)
        else:
            says = f'the CRM has a newer "no" to the list {name!r}'
            yield task.result(Outcome.CONFLICT, says, current="no", link=Link(record.id))
    if wanted:
        noes = {
            task.change.id: Link(link.ref, sent_no(task.order.newsletter, task.now))
            for task, one, link in wanted
            if not one.is_allowed
        }
        yield from sent([task for task, *_ in wanted], noes, lambda _: _put(desk, wanted))


def _put(desk: Desk, wanted: Sequence[tuple[Task[Allows], Allowing, Link]]) -> Iterator[Result]:
    """Write what is wanted; each comes with what is known of it then."""
    done = desk.allow([one for _, one, _ in wanted])
    for (task, _, link), written in zip(wanted, done, strict=True):
        yield task.written(written, link)


def _guard(task: Task[Allows], lists: Lists, name: str) -> Guard:
    """Return whether it is to be written; a "no" to more than this list is never ours."""
    order, stands = task.order, lists.get(name, UNKNOWN)
    wider = (lists.get(EVERY) or stands.wider) if order.is_allowed else None
    is_ours = wider is None and is_our_no(task.link.wrote, order.newsletter, stands.since)
    return consent_guard(wider or stands, is_ours=is_ours, is_allowed=order.is_allowed, at=order.at)


def _allowing(order: Allows, contact: str, name: str) -> Allowing:
    """Return what is to be so for a contact and a list."""
    who, because = order.whose, order.wording
    return Allowing(who.key, contact, who.email, name, order.is_allowed, order.at, because)


def _one_each(results: Iterable[Result]) -> Iterator[Result]:
    """
    Yield one result a change; of several contacts what was not taken counts, then what was done.

    Which of them somebody is stays for a person to say: none is known for his.
    """
    found: dict[uuid.UUID, list[Result]] = {}
    for one in results:
        found.setdefault(one.id, []).append(one)
    for same in found.values():
        if len(same) == 1:
            yield same[0]
        else:
            same.sort(key=lambda one: (one.outcome in TAKEN, one.outcome is Outcome.NOOP))
            yield replace(same[0], link=None)
