"""Doing many things in one call, and finding those that cannot be done."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.odoo.answers import MissingError
from regportal.connectors.rules import Outcome

One = TypeVar("One")


def done(things: Sequence[One], do: Callable[[Sequence[One]], Sequence[Any]]) -> list[Written]:
    """
    Do things together; where Odoo refuses, each half by itself, down to the one that it means.

    A call is one transaction: what is refused has written nothing. ``do`` returns the ids.
    What stops everything (no answer, not let in) is raised.

    >>> def double(numbers):
    ...     if 3 in numbers:
    ...         raise NotTakenError(Outcome.REJECTED, "no threes")
    ...     return [2 * one for one in numbers]
    >>> [one.id or one.says for one in done([1, 2, 3, 4, 5], double)]
    ['2', '4', 'no threes', '8', '10']
    """
    if not things:
        return []
    try:
        return [Written(str(id)) for id in do(things)]
    except NotTakenError as error:
        is_of_one = error.outcome is Outcome.REJECTED or isinstance(error, MissingError)
        if not is_of_one:
            raise
        if len(things) == 1:
            return [Written.refused(error)]
    half = len(things) // 2
    return done(things[:half], do) + done(things[half:], do)
