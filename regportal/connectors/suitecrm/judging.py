"""
What SuiteCRM means by its refusals.

Whatever it does not do is a 400: a record that went away, a field that is not there, and also a
database that is. Which one it is stands in a sentence.
"""

import re
from collections.abc import Sequence

from regportal.connectors.calls import by_status, from_elsewhere, said
from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Answer
from regportal.connectors.rules import Outcome

BAD = range(400, 500)
NAMES = r"\w{1,80}(?:, ?\w{1,80})*"
FIELDS = re.compile(
    rf"Property (?P<names>{NAMES}) in \w+ module is invalid"
    rf"|The following fields? in \w+ module (?:is|are) not found: (?P<more>{NAMES})"
    r"|Filter field (?P<asked>\w{1,80}) in \w+ module is not found"
)
"""Sentences with the names of fields; nothing personal fits in one."""
MEANINGS: Sequence[tuple[str, Outcome, str]] = (
    ("module with id", Outcome.LATER, "the record went away"),
    ("is not related to", Outcome.NOOP, "the records are not linked"),
    ("Database failure", Outcome.RETRY, "SuiteCRM does not reach its database"),
    ("connect to the database", Outcome.RETRY, "SuiteCRM does not reach its database"),
)
"""What a sentence has in it, and what that means; the first that fits."""
NO_RIGHT = re.compile(r"\[(?:AccessDeniedException|Not Allowed)\]")


class ThereAlreadyError(NotTakenError):
    """What was to be made under an id of ours was made before; it may be deleted by now."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(Outcome.REJECTED, "SuiteCRM has such a record already")


class NoRightError(NotTakenError):
    """The role of our user does not allow it."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(Outcome.AUTH, "the role of our user in SuiteCRM does not allow it")


class HiddenError(NotTakenError):
    """The role of our user does not allow it with one record."""

    def __init__(self) -> None:
        """Say so."""
        says = "the role of our user in SuiteCRM leaves this record alone"
        super().__init__(Outcome.REJECTED, says)


def judged(answer: Answer) -> NotTakenError:
    """
    Return what an answer that is no success means for whatever was asked.

    >>> def says(detail):
    ...     body = '{"errors": {"status": 400, "detail": "%s"}}' % detail
    ...     found = judged(Answer(400, {}, body.encode()))
    ...     return found.outcome.value, str(found)
    >>> says("Contacts module with id 1 is not found")
    ('later', 'the record went away')
    >>> says("Property size_c in Contact module is invalid")
    ('rejected', 'SuiteCRM has no field size_c')
    >>> says("No Ann here")
    ('rejected', 'SuiteCRM refused the call')
    """
    told = said(answer)
    errors = told.get("errors") if isinstance(told, dict) else None
    detail = errors.get("detail") if isinstance(errors, dict) else None
    if answer.status not in BAD or not isinstance(detail, str):
        return by_status(answer) if isinstance(told, dict) else from_elsewhere(answer)
    if detail.endswith("is already exist"):
        return ThereAlreadyError()
    if NO_RIGHT.search(detail):
        return NoRightError()
    for part, outcome, says in MEANINGS:
        if part in detail:
            return NotTakenError(outcome, says)
    lacks = FIELDS.fullmatch(detail)
    if lacks is not None:
        names = next(name for name in lacks.group("names", "more", "asked") if name)
        return NotTakenError(Outcome.REJECTED, f"SuiteCRM has no field {names}")
    return NotTakenError(Outcome.REJECTED, "SuiteCRM refused the call")
