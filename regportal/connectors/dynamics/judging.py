"""What Dataverse means by its refusals: its code says it, the status does not."""

import re
from collections.abc import Callable, Mapping, Sequence

from regportal.connectors.calls import FINE, by_status, from_elsewhere, said
from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Answer
from regportal.connectors.rules import Outcome

THERE, KEY_THERE = "0x80040237", "0x80060892"
EXPIRED = "0x80044352"
"""A delta link is too old: all must be read again."""
NO_SET = "0x8006088a"
GONE, CHANGED = "0x80040217", "0x80060882"
NO_PRIVILEGE = "0x80040220"
"""A right is missing: to our role, or for this record alone."""
LACKS = re.compile(r"is missing (prv[A-Za-z0-9_]{1,100}) privilege")
"""How a refusal names the right."""
MEANINGS: Mapping[str, tuple[Outcome, str]] = {
    GONE: (Outcome.LATER, "the record went away"),
    "0x80060891": (Outcome.LATER, "the record went away"),
    CHANGED: (Outcome.LATER, "the record changed meanwhile"),
    "0x80048306": (Outcome.REJECTED, "our role in Dynamics leaves this record alone"),
    THERE: (Outcome.REJECTED, "Dynamics has such a record already"),
    KEY_THERE: (Outcome.REJECTED, "another record of Dynamics has our key"),
    NO_SET: (Outcome.REJECTED, "Dynamics has no such table"),
    EXPIRED: (Outcome.RETRY, "Dynamics no longer knows what changed since then"),
    "0x80040216": (Outcome.RETRY, "Dynamics could not do it just now"),
    "0x80044151": (Outcome.RETRY, "the database of Dynamics could not do it just now"),
    "0x80071151": (Outcome.RETRY, "Dynamics is being customized just now"),
}
"""Codes that mean the same under any status."""
TOO_MANY = frozenset({"0x80072321", "0x80072322", "0x80072326"})
"""Too much time, too many calls, too many at once."""
CODE = re.compile(r"0x[0-9a-f]{8}")
NAMES = (
    re.compile(r"(?:property|attribute) (?:named )?'([a-z][a-z0-9_]{0,99})'"),
    re.compile(r"The value -?\d+ of '([a-z][a-z0-9_]{0,99})'"),
    re.compile(r"the '([a-z][a-z0-9_]{0,99})' attribute"),
)
"""How a refusal names a column; nothing else of what it says is ever repeated."""
NOT_THERE = ("Could not find a property", "does not exist on type")
"""How a refusal says that there is no such column."""
ASKS = "WWW-Authenticate"
"""What a 401 of Dataverse has, and that of a gateway has not."""
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, PRECONDITION = 401, 403, 404, 412
TOO_MANY_STATUS, SERVER = 429, 500


class RefusedError(NotTakenError):
    """A refusal in the words of Dataverse; ``code`` is its own."""

    def __init__(self, code: str, outcome: Outcome, says: str) -> None:
        """Keep the code."""
        super().__init__(outcome, says)
        self.code = code


class LacksError(RefusedError):
    """A right is missing: ``right``, as Dataverse calls it; empty where it does not say."""

    def __init__(self, message: str) -> None:
        """Read which one."""
        super().__init__(NO_PRIVILEGE, Outcome.AUTH, "our role in Dynamics does not allow it")
        named = LACKS.search(message)
        self.right = named[1] if named else ""


def judged(answer: Answer) -> NotTakenError:
    r"""
    Return what an answer that is no success means.

    >>> body = b'{"error":{"code":"0x80060882","message":""}}'
    >>> judged(Answer(412, {}, body)).outcome
    <Outcome.LATER: 'later'>
    >>> body = b'{"error":{"code":"0x80044331","message":"The value 7 of \'age\' on record"}}'
    >>> str(judged(Answer(400, {}, body)))
    'Dynamics refuses what the column age was to hold (0x80044331)'

    What does not speak as Dataverse does is not Dataverse, and says nothing for ever:

    >>> judged(Answer(403, {}, b"<h1>403 Forbidden</h1>")).outcome
    <Outcome.RETRY: 'retry'>
    """
    told = said(answer)
    error = told.get("error") if isinstance(told, dict) else None
    if isinstance(error, dict):
        message = str(error.get("message"))
        code = str(error.get("code")).lower() or _unsaid(answer.status, message)
        return _meant(answer, code, message)
    if answer.status == UNAUTHORIZED and "Bearer" in answer.headers.get(ASKS, ""):
        return NotTakenError(Outcome.AUTH, "Dynamics does not take our token")
    return from_elsewhere(answer)


def refusals(answers: Sequence[Answer], may: Callable[[str], bool]) -> list[NotTakenError | None]:
    """
    Return why each call of a batch was refused; None: it was taken.

    The batch was let in: a right that is missing is missing for one record. Where it is missing
    for all, as of one alone it always is, ``may`` says whether our role has it in general. Raises
    what ``may`` raises: nothing was written then.

    >>> fine, no = Answer(204, {}, b""), b'{"error":{"code":"%s","message":"%s"}}'
    >>> lacks = (b"0x80040220", b"Principal user (Id=7) is missing prvWriteContact privilege on")
    >>> role, record = (Answer(403, {}, no % one) for one in (lacks, (b"0x80048306", b"")))
    >>> def meant(answers, may=False):
    ...     return [one and one.outcome.value for one in refusals(answers, lambda _: may)]
    >>> meant([role, fine, record])
    ['rejected', None, 'rejected']
    >>> meant([role, role]), meant([role], may=True)
    (['auth', 'auth'], ['rejected'])
    """
    errors = [None if one.status in FINE else judged(one) for one in answers]
    lacking = [one for one in errors if isinstance(one, LacksError)]
    if len(lacking) < len(errors):
        return [one and one.of_one() for one in errors]
    never = {right for right in {one.right for one in lacking} if not may(right)}
    return [one if one.right in never else one.of_one() for one in lacking]


def _meant(answer: Answer, code: str, message: str) -> NotTakenError:
    """Return what a code of Dataverse means."""
    if code in TOO_MANY or answer.status == TOO_MANY_STATUS:
        asked = by_status(Answer(TOO_MANY_STATUS, answer.headers, b""))
        says = "Dynamics is called too often"
        return NotTakenError(Outcome.THROTTLED, says, retry_at=asked.retry_at)
    if code == NO_PRIVILEGE:
        return LacksError(message)
    if code in MEANINGS:
        return RefusedError(code, *MEANINGS[code])
    if answer.status == FORBIDDEN:
        return RefusedError(code, Outcome.AUTH, "our role in Dynamics does not allow it")
    known = code if CODE.fullmatch(code) else str(answer.status)
    if answer.status >= SERVER:
        return RefusedError(code, Outcome.RETRY, f"Dynamics could not do it just now ({known})")
    return RefusedError(code, Outcome.REJECTED, _refused(message, known))


def _unsaid(status: int, message: str) -> str:
    """
    Return the code of a refusal that says none, as those of conditions may.

    >>> _unsaid(412, "A record with matching key values already exists.") == THERE
    True
    """
    if status == NOT_FOUND:
        return GONE
    if status == PRECONDITION:
        return THERE if "already exists" in message else CHANGED
    return ""


def _refused(message: str, code: str) -> str:
    """Say which column was refused, or is not there, and never what it was to hold."""
    for name in NAMES:
        found = name.search(message)
        if found is not None and any(one in message for one in NOT_THERE):
            return f"Dynamics has no column {found[1]} ({code})"
        if found is not None:
            return f"Dynamics refuses what the column {found[1]} was to hold ({code})"
    return f"Dynamics refused the call ({code})"
