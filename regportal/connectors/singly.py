"""Calls of which each does one thing: what became of each, and when to stop."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.rules import Outcome
from regportal.errors import UnreachableError

Thing = TypeVar("Thing")
FOR_ALL = frozenset({Outcome.AUTH, Outcome.THROTTLED, Outcome.GONE})
"""What is said of one call, and holds for those after it."""


def one_by_one(things: Iterable[Thing], write: Callable[[Thing], Written]) -> list[Written]:
    """
    Write things, each by itself, and return what became of each.

    Where nobody answers, or we are not let in, those that come after are not tried.
    """
    done: list[Written] = []
    over: Written | None = None
    for thing in things:
        if over is None:
            try:
                one = write(thing)
            except NotTakenError as error:
                one = Written.refused(error)
                over = one if error.outcome in FOR_ALL else None
            except UnreachableError as error:
                one = over = Written(None, Outcome.RETRY, str(error))
        else:
            one = over
        done.append(one)
    return done
