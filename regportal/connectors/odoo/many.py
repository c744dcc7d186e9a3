"""Doing many things in one call of Odoo, and finding those that cannot be done."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.halving import all_or_halves, is_of_one
from regportal.connectors.odoo.answers import MissingError

One = TypeVar("One")


def done(things: Sequence[One], do: Callable[[Sequence[One]], Sequence[Any]]) -> list[Written]:
    """
    Do things together; where Odoo refuses, each half by itself, down to the one that it means.

    ``do`` returns the ids. What stops everything (no answer, not let in) is raised.
    """
    return all_or_halves(
        things, lambda some: [Written(str(id)) for id in do(some)], means_one=_means_one
    )


def _means_one(error: NotTakenError) -> bool:
    """Return whether Odoo means one record: also where that is not there any more."""
    return is_of_one(error) or isinstance(error, MissingError)
