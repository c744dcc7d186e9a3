"""Calls of which all is done, or nothing: who is refused is found by halving."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.rules import Outcome

One = TypeVar("One")
Became = TypeVar("Became")


def is_of_one(error: NotTakenError) -> bool:
    """Return whether a refusal means one record, and not the call or the connection."""
    return error.outcome is Outcome.REJECTED


def halved(
    many: Sequence[One],
    call: Callable[[Sequence[One]], list[Became]],
    alone: Callable[[One, NotTakenError], Became],
    means_one: Callable[[NotTakenError], bool] = is_of_one,
) -> list[Became]:
    """
    Do all in one call; where that is refused do either half, so that who is refused is so alone.

    ``alone`` says what becomes of one that is refused. A call is one transaction over there: what
    is refused has written nothing, or writing it again changes nothing. Raises what the call
    raises besides.
    """
    if not many:
        return []
    try:
        return call(many)
    except NotTakenError as error:
        if not means_one(error):
            raise
        if len(many) == 1:
            return [alone(many[0], error)]
    middle = len(many) // 2
    halves = many[:middle], many[middle:]
    return [one for half in halves for one in halved(half, call, alone, means_one)]


def all_or_halves(
    many: Sequence[One],
    call: Callable[[Sequence[One]], list[Written]],
    alone: Callable[[One, Written], Written] = lambda _, refused: refused,
    means_one: Callable[[NotTakenError], bool] = is_of_one,
) -> list[Written]:
    """
    Do all in one call, or in halves, where each is written or refused.

    >>> def double(numbers):
    ...     if 3 in numbers:
    ...         raise NotTakenError(Outcome.REJECTED, "no threes")
    ...     return [Written(str(2 * number)) for number in numbers]
    >>> [one.id or one.says for one in all_or_halves([1, 2, 3, 4, 5], double)]
    ['2', '4', 'no threes', '8', '10']
    """
    return halved(many, call, lambda one, error: alone(one, Written.refused(error)), means_one)
