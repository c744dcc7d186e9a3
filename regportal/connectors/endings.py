"""How what we made of people in a CRM ends: whoever is erased, and the leads of claims."""

from collections.abc import Iterator, Sequence

from regportal.connectors.base import Link, Result
from regportal.connectors.desk import Desk, Erased, worst
from regportal.connectors.orders import Forget, Unclaimed
from regportal.connectors.rules import Outcome
from regportal.connectors.tasks import Task


def forgotten(desk: Desk, tasks: Sequence[Task[Forget]]) -> Iterator[Result]:
    """
    Let nothing of ours be left of people: of the contact that each is, and of all with his key.

    One may have been made without our ever being told so: its answer was lost. Raises what the
    desk raises.
    """
    keyed = desk.keyed("contact", [task.order.key for task in tasks])
    people = []
    for task in tasks:
        known = [task.link.ref] if task.link.ref else []
        ids = dict.fromkeys([*known, *keyed.get(task.order.key, ())])
        people.append(Erased(task.order.key, tuple(ids)))
    for task, written in zip(tasks, desk.forget(people), strict=True):
        yield task.written(written, Link(None))


def unclaimed(desk: Desk, tasks: Sequence[Task[Unclaimed]]) -> Iterator[Result]:
    """
    Let leads of claims be over: those that we know, else those with the claim's key.

    Raises what the desk raises.
    """
    lost = [task.order.claim for task in tasks if not task.link.ref]
    keyed = desk.keyed("lead", lost) if lost else {}
    ids = [
        [task.link.ref] if task.link.ref else [*keyed.get(task.order.claim, ())] for task in tasks
    ]
    leads = [*dict.fromkeys(id for some in ids for id in some)]
    ended = dict(zip(leads, desk.unlead(leads), strict=True)) if leads else {}
    for task, some in zip(tasks, ids, strict=True):
        if some:
            yield task.written(worst([ended[id] for id in some]), Link(None))
        else:
            yield task.result(Outcome.NOOP)
