"""Newsletters in a CRM: what a person allows is written there, never against a newer "no"."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from regportal.connectors.base import Finding, Link, Record, Result, Vocabulary
from regportal.connectors.contacts import Contacts
from regportal.connectors.desk import Allowing, Desk, NotTakenError, worst
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
LEAVE = "leave consent out of sends"
NONE = f"the CRM has no newsletters: {LEAVE}"
Lists = Mapping[str, Subscription]
Wanted = tuple[Task[Allows], Allowing, Link]


def allowed(document: Document, desk: Desk, tasks: Sequence[Task[Allows]]) -> Iterator[Result]:
    """
    Let newsletters be allowed, or no longer; a "no" for every contact that somebody may be.

    A CRM that has none is asked nothing. Raises what the desk raises.
    """
    if desk.capabilities.newsletter is None:
        yield from (task.result(Outcome.UNSUPPORTED, NONE) for task in tasks)
        return
    contacts = Contacts(desk, tasks)
    yield from _one_each([*contacts.results, *_judged(document, desk, contacts.there)])


def looked_up(document: Document, desk: Desk, vocabulary: Vocabulary) -> list[Finding]:
    """
    Return of each newsletter whether the CRM has a list for it, and only one.

    Raises UnreachableError where the CRM cannot be asked.
    """
    names = {key: _name(document, key) for key in vocabulary.newsletters}
    if "consent" not in document.sends or not names:
        return []
    word, found = desk.capabilities.newsletter, []
    if word is None:
        return [Finding("newsletters", fine=False, says=NONE)]
    try:
        lists = desk.lists([*dict.fromkeys(names.values())])
    except NotTakenError as error:
        says = f"; {LEAVE}" if error.outcome is Outcome.UNSUPPORTED else ""
        return [Finding("newsletters", fine=False, says=f"{error}{says}")]
    for key, name in names.items():
        amiss = _amiss(word, name, lists.get(name))
        stands = "is there" if name in lists else "is made for the first who allows it"
        says = amiss or f"the {word} {name!r} {stands}"
        found.append(Finding(f"newsletter {key}", fine=amiss is None, says=says))
    return found


def _name(document: Document, newsletter: str) -> str:
    """Return how a newsletter is called over there: by its key, where the document says nothing."""
    return document.newsletters.get(newsletter, newsletter)


def _amiss(word: str | None, name: str, lists: Sequence[str] | None) -> str | None:
    """
    Return why nobody knows which list a name means; None: it is known, or it will be made.

    >>> _amiss("topic", "prices", ["71", "72"])
    "the CRM has 2 topics 'prices': nobody is put on one until it is clear which is meant"
    """
    if lists is None or len(lists) == 1:
        return None
    if not lists:
        return f"the CRM has no {word} {name!r}: make it there, or name another in `newsletters`"
    says = f"the CRM has {len(lists)} {word}s {name!r}"
    return f"{says}: nobody is put on one until it is clear which is meant"


def _judged(
    document: Document, desk: Desk, known: Sequence[tuple[Task[Allows], Record]]
) -> Iterator[Result]:
    """Let contacts be on lists, or off them, where that may be written; one result each."""
    whose = {record.id: task.order.whose.email for task, record in known}
    there = desk.lists_of(whose) if whose else {}
    wanted = []
    for task, record in known:
        order = task.order
        name = _name(document, order.newsletter)
        guard = _guard(task, there.get(record.id, {}), name)
        link = Link(record.id, noted(order.newsletter, task.now, is_allowed=order.is_allowed))
        if guard is Guard.WRITE:
            wanted.append((task, _allowing(order, record.id, name), link))
        elif guard is Guard.LEAVE:
            yield task.result(Outcome.NOOP, link=link)
        else:
            says = f'the CRM has a newer "no" to the list {name!r}'
            yield task.result(Outcome.CONFLICT, says, current="no", link=Link(record.id))
    yield from _written(desk, wanted)


def _written(desk: Desk, wanted: Sequence[Wanted]) -> Iterator[Result]:
    """
    Write a "no" to every list that its name means, and a "yes" where that is one; one result each.

    Each comes with what is known of its contact then.
    """
    lists = desk.lists([*dict.fromkeys(one.list for _, one, _ in wanted)]) if wanted else {}
    meant = []
    for task, one, link in wanted:
        ids = lists.get(one.list)
        amiss = _amiss(desk.capabilities.newsletter, one.list, ids)
        if amiss and (one.is_allowed or not ids):
            yield task.result(Outcome.REJECTED, amiss)
        else:
            each = [replace(one, list_id=id) for id in ids or (None,)]
            meant.append((task, each, link))
    noes = {
        task.change.id: Link(link.ref, sent_no(task.order.newsletter, task.now))
        for task, _, link in meant
        if not task.order.is_allowed
    }
    yield from sent([task for task, *_ in meant], noes, lambda _: _put(desk, meant))


def _put(
    desk: Desk, meant: Sequence[tuple[Task[Allows], Sequence[Allowing], Link]]
) -> Iterator[Result]:
    """Write what is meant; of several lists what was not taken counts."""
    many = [one for _, each, _ in meant for one in each]
    done = iter(desk.allow(many) if many else ())
    for task, each, link in meant:
        yield task.written(worst([next(done) for _ in each]), link)


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
