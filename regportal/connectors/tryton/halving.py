"""Calls of which all is done, or nothing: who is refused is found by halving."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.rules import Outcome

One = TypeVar("One")


def all_or_halves(
    many: Sequence[One],
    call: Callable[[Sequence[One]], list[Written]],
    alone: Callable[[One, Written], Written] = lambda _, refused: refused,
) -> list[Written]:
    """
    Do all in one call; where that is refused do either half, so that who is refused is so alone.

    ``alone`` says what becomes of one that is refused. Raises what the call raises besides.
    """
    try:
        return call(many)
    except NotTakenError as error:
        if error.outcome is not Outcome.REJECTED:
            raise
        if len(many) == 1:
            return [alone(many[0], Written.refused(error))]
    middle = len(many) // 2
    return all_or_halves(many[:middle], call, alone) + all_or_halves(many[middle:], call, alone)
