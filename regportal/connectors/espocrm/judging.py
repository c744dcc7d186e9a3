"""What EspoCRM means by its refusals: its reason and its body say it, the status does not."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from regportal.connectors.calls import UNAUTHORIZED, by_status, from_elsewhere, said
from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Answer
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import under

NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,99}")
"""Of a field or a rule of EspoCRM: nothing personal fits, and no sentence does."""
OF_ONE = ("No edit access", "No delete access", "Assignment failure", "Max size")
"""Reasons of a 403 that speak of one record or one call; all others speak of our rights."""
BAD, FORBIDDEN, CONFLICT = 400, 403, 409
REFUSING = frozenset({UNAUTHORIZED, FORBIDDEN})
MEANINGS: Sequence[tuple[int, str | tuple[str, ...], Outcome, str]] = (
    (401, "", Outcome.AUTH, "EspoCRM does not know our key"),
    (403, OF_ONE, Outcome.REJECTED, "our role in EspoCRM leaves this one alone"),
    (403, "", Outcome.AUTH, "our role in EspoCRM does not allow it"),
    (404, "Record ", Outcome.LATER, "the record went away"),
    (404, "", Outcome.RETRY, "there is no EspoCRM at this address"),
)
"""Statuses, how their reason begins, and what both together mean; the first that fits."""


class DuplicateError(NotTakenError):
    """EspoCRM takes what was to be made for something it has: ``records``."""

    def __init__(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Keep what it has."""
        super().__init__(Outcome.AMBIGUOUS, "EspoCRM has records that look like this one")
        self.records = records


def judged(answer: Answer) -> NotTakenError:
    """
    Return what an answer that is no success means for whatever was asked.

    >>> judged(Answer(409, {"X-Status-Reason": "modified"}, b'{"versionNumber":5}')).outcome
    <Outcome.LATER: 'later'>
    >>> str(judged(Answer(401, {}, b"")))
    'EspoCRM does not know our key'

    It refuses us without a page; a page is a gateway's, and says nothing of our key:

    >>> judged(Answer(403, {}, b"<h1>403 Forbidden</h1>")).outcome
    <Outcome.RETRY: 'retry'>
    """
    reason = answer.headers.get("X-Status-Reason") or ""
    if answer.status in REFUSING and answer.body.strip() and said(answer) is None:
        return from_elsewhere(answer)
    if answer.status == BAD:
        return NotTakenError(Outcome.REJECTED, _amiss(said(answer)))
    if answer.status == CONFLICT:
        return _conflict(reason, said(answer))
    for status, begins, outcome, says in MEANINGS:
        if answer.status == status and reason.startswith(begins):
            return NotTakenError(outcome, says)
    return by_status(answer)


def _conflict(reason: str, told: Any) -> NotTakenError:
    """Tell the two meanings of 409 apart: it is there already, or it is not as it was."""
    if reason == "modified":
        return NotTakenError(Outcome.LATER, "the record changed meanwhile")
    if reason == "duplicate" and isinstance(told, list):
        return DuplicateError([one for one in told if isinstance(one, dict) and "id" in one])
    return NotTakenError(Outcome.REJECTED, "EspoCRM has such a one already")


def _amiss(told: Any) -> str:
    """Say which field was refused, and by which of its rules; never what it was to hold."""
    body = told if isinstance(told, dict) else {}
    data = under(under(body, "messageTranslation"), "data")
    field, rule = data.get("field"), data.get("type")
    if not (isinstance(field, str) and NAME.fullmatch(field)):
        return "EspoCRM refused the call"
    says = f"EspoCRM refuses what the field {field} was to hold"
    return f"{says} ({rule})" if isinstance(rule, str) and NAME.fullmatch(rule) else says
