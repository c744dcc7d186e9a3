"""Tasks that are refused: what of that concerns one field only is spared the others."""

import logging
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from regportal.connectors.base import Result
from regportal.connectors.desk import Desk, NotTakenError
from regportal.connectors.rules import TAKEN, Outcome
from regportal.connectors.tasks import Task
from regportal.errors import UnreachableError

log = logging.getLogger(__name__)

Tasks = Sequence[Task[Any]]
Told = Mapping[uuid.UUID, Mapping[str, Any]]
"""What is told of the fields of contacts, by change."""


def tried(tasks: Tasks, do: Callable[[Tasks], Iterable[Result]]) -> list[Result]:
    """Do tasks; where all of it is refused, or nothing is known of it, that is said of each."""
    try:
        return [*do(tasks)]
    except NotTakenError as error:
        return [task.result(error.outcome, str(error), retry_at=error.retry_at) for task in tasks]
    except UnreachableError as error:
        return [task.result(Outcome.RETRY, str(error)) for task in tasks]


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
    lacks = _lacking(desk, {name for task in refused for name in told[task.change.id]})
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


def _lacking(desk: Desk, names: Collection[str]) -> frozenset[str]:
    """Return which of these fields contacts do not have; none where the CRM does not say."""
    there = desk.fields("contact") if names else {}
    return frozenset() if there is Outcome.UNSUPPORTED else frozenset(names) - there.keys()
