"""Tasks that are refused: what is the fault of a field harms no more than it must."""

import logging
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from regportal.connectors.base import Kind, Link, Result
from regportal.connectors.desk import Desk, NotTakenError
from regportal.connectors.orders import Allows, Claimed, Day, Did, Known, Scored
from regportal.connectors.rules import TAKEN, Outcome
from regportal.connectors.tasks import Task
from regportal.connectors.wanted import KEYS
from regportal.errors import UnreachableError

log = logging.getLogger(__name__)

Tasks = Sequence[Task[Any]]
Told = Mapping[uuid.UUID, Mapping[str, Any]]
"""What is told of the fields of contacts, by change."""
KEYED: Mapping[type, Sequence[Kind]] = {
    **dict.fromkeys((Known, Scored, Allows), ("contact",)),
    **dict.fromkeys((Did, Day), ("contact", "activity")),
    Claimed: ("contact", "lead"),
}
"""By our key of which kinds of records it is found what a task is about, or made but once."""


def tried(tasks: Tasks, do: Callable[[Tasks], Iterable[Result]]) -> list[Result]:
    """Do tasks; where all of it is refused, or nothing is known of it, that is said of each."""
    try:
        return [*do(tasks)]
    except NotTakenError as error:
        return [task.result(error.outcome, str(error), retry_at=error.retry_at) for task in tasks]
    except UnreachableError as error:
        return [task.result(Outcome.RETRY, str(error)) for task in tasks]


def sent(
    tasks: Tasks, known: Mapping[uuid.UUID, Link], do: Callable[[Tasks], Iterable[Result]]
) -> Iterator[Result]:
    """
    Do tasks as ``tried`` does them.

    Of what nobody answered for it is ``known``, by change, that it was sent: it may be there.
    """
    for one in tried(tasks, do):
        yield replace(one, link=known.get(one.id)) if one.outcome is Outcome.RETRY else one


def keyed(desk: Desk, tasks: Tasks, do: Callable[[Tasks], Iterable[Result]]) -> list[Result]:
    """
    Do tasks of one kind, as ``tried`` does them.

    Where some are refused, and the CRM does not have the field with our key, none of them is at
    fault, and the next would be refused, too: the connector is to wait until the field is there.
    Where the CRM cannot be asked for its fields, what is refused is refused.
    """
    done = tried(tasks, do)
    if all(one.outcome is not Outcome.REJECTED for one in done):
        return done
    kinds = [one for one in KEYED.get(type(tasks[0].order), ()) if one in desk.capabilities.keyed]
    keys = {kind: desk.spell(KEYS[kind]) for kind in kinds}
    try:
        lacks = [f"{kind}.{name}" for kind, name in keys.items() if _lacking(desk, kind, {name})]
    except (NotTakenError, UnreachableError):
        return done
    if not lacks:
        return done
    says = (
        f"the CRM has no field {' nor '.join(lacks)}, and without our key in it a record is not "
        "known again: make it (`regportal sync provision`), then `regportal outbox resume`"
    )
    return [
        replace(one, outcome=Outcome.GONE, says=says) if one.outcome is Outcome.REJECTED else one
        for one in done
    ]


def spared(
    desk: Desk, tasks: Tasks, told: Told, do: Callable[[Tasks, Told], Iterable[Result]]
) -> Iterable[Result]:
    """
    Do tasks that tell fields of contacts; raise what the desk raises where it is asked for them.

    Where some are refused, and among what they tell are fields that the CRM does not have, they
    are done again without those: a field too much harms neither the others nor other contacts.
    """
    done = {one.id: one for one in tried(tasks, lambda some: do(some, told))}
    refused = [task for task in tasks if done[task.change.id].outcome is Outcome.REJECTED]
    lacks = _lacking(desk, "contact", {name for task in refused for name in told[task.change.id]})
    if not lacks:
        return done.values()
    log.warning("left out, for the CRM has no field %s", ", ".join(sorted(lacks)))
    left = {
        task.change.id: {
            name: value for name, value in told[task.change.id].items() if name not in lacks
        }
        for task in refused
    }
    for one in tried(refused, lambda some: do(some, left)):
        without = ", ".join(sorted(told[one.id].keys() - left[one.id].keys()))
        is_said = without and (one.outcome in TAKEN or not left[one.id])
        done[one.id] = replace(one, says=f"the CRM has no field {without}") if is_said else one
    return done.values()


def _lacking(desk: Desk, kind: Kind, names: Collection[str]) -> frozenset[str]:
    """Return which of these fields such records do not have; none where the CRM does not say."""
    there = desk.fields(kind) if names else {}
    return frozenset() if there is Outcome.UNSUPPORTED else frozenset(names) - there.keys()
