"""Calling a CRM: JSON there and back, and what a refusal means."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Answer, Egress
from regportal.connectors.pacing import Pace
from regportal.connectors.rules import Outcome, outcome_of, retry_at
from regportal.errors import JsonError
from regportal.store.compact import write_json
from regportal.store.strict_json import read_json

MOST = 8 * 1024 * 1024
"""Bytes of an answer that are read: hundreds of records fit, and no memory is filled."""
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
FINE, UNAUTHORIZED, NOT_FOUND = range(200, 300), 401, 404
MOST_PAGES = 2000
"""Of one list: hundreds of thousands of records. What goes on after that has no end."""
Judge = Callable[[Answer], NotTakenError]
"""Says what an answer means that is no success: by its body, where the CRM has words for it."""


def by_status(answer: Answer) -> NotTakenError:
    """Return what an answer means by its status alone."""
    asked = retry_at(answer.headers.get("Retry-After"), datetime.now(UTC))
    outcome, says = outcome_of(answer.status), f"the CRM answered {answer.status}"
    return NotTakenError(outcome, says, retry_at=asked)


def from_elsewhere(answer: Answer) -> NotTakenError:
    """
    Return what an answer means that is not in the CRM's words: something before it spoke.

    A gateway's 401 says nothing of our key, and its 404 nothing of a record. It passes.

    >>> from_elsewhere(Answer(401, {}, b"<h1>Proxy</h1>")).outcome
    <Outcome.RETRY: 'retry'>
    >>> print(from_elsewhere(Answer(404, {}, b"<h1>Not here</h1>")))
    something before the CRM answered 404: is the path of `url` right?
    >>> from_elsewhere(Answer(429, {"Retry-After": "2"}, b"")).outcome
    <Outcome.THROTTLED: 'throttled'>
    """
    meant = by_status(answer)
    if meant.outcome is Outcome.THROTTLED:
        return meant
    says = f"something before the CRM answered {answer.status}"
    if answer.status == NOT_FOUND:
        says += ": is the path of `url` right?"
    return NotTakenError(Outcome.RETRY, says, retry_at=meant.retry_at)


def said(answer: Answer) -> Any:
    """
    Return the JSON that stands in an answer; None where there is none.

    >>> said(Answer(500, {}, b'{"name": "x"}')), said(Answer(502, {}, b"<html>"))
    ({'name': 'x'}, None)
    """
    try:
        return read_json(answer.body, most=MOST) if answer.body.strip() else None
    except JsonError:
        return None


def clock_of(answer: Answer) -> datetime | None:
    """
    Return what time it was over there when it answered; None where an answer does not say.

    >>> clock_of(Answer(200, {"Date": "Wed, 04 Mar 2026 12:00:00 GMT"}, b"")).isoformat()
    '2026-03-04T12:00:00+00:00'
    >>> clock_of(Answer(200, {"Date": "noon"}, b"")) is clock_of(Answer(200, {}, b"")) is None
    True
    """
    try:
        return parsedate_to_datetime(answer.headers.get("Date") or "").astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def pages() -> Iterator[int]:
    """Count the pages of a list; raise NotTakenError where there is no last one."""
    yield from range(MOST_PAGES)
    raise NotTakenError(Outcome.RETRY, "the CRM answers page after page without end")


@dataclass(frozen=True, slots=True)
class Calls:
    """
    The calls of one connection: where to, as whom, and how its refusals are read.

    ``headers`` is asked before every call; ``renew`` is told that the CRM takes them no more.
    ``heed`` is given every answer, refusals too: what stands in its headers holds of each.
    """

    base: str
    egress: Egress
    headers: Callable[[], Mapping[str, str]]
    judge: Judge = by_status
    renew: Callable[[], None] | None = None
    heed: Callable[[Answer], None] | None = None

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        told: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """
        Return the JSON a CRM answers; None where it answers nothing.

        Raises UnreachableError where there is no answer, NotTakenError where it is a refusal, or
        is no JSON.
        """
        return self.read(self.answer(method, path, query=query, told=told, headers=headers))

    @staticmethod
    def read(answer: Answer) -> Any:
        """Return the JSON of an answer, or None; raise NotTakenError where it is no JSON."""
        if not answer.body.strip():
            return None
        try:
            return read_json(answer.body, most=MOST)
        except JsonError:
            raise NotTakenError(Outcome.RETRY, "the CRM answered no JSON") from None

    def answer(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        told: Any = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        pace: Pace | None = None,
    ) -> Answer:
        """
        Return the whole answer of a CRM; raise as :meth:`ask` does.

        A ``body`` that is no JSON needs its type among the headers. A call that is answered 401 is
        made once more, where there is something to renew: it was not done. ``pace`` is that of
        calls of this kind, where the CRM takes only so many of them.
        """
        url = f"{self.base}{path}" + (f"?{urlencode(query)}" if query else "")
        body = body if told is None else write_json(told).encode()
        with_body = JSON if told is not None else {"Accept": JSON["Accept"]}

        def asked() -> Answer:
            if pace is not None:
                pace.wait()
            sent = {**with_body, **self.headers(), **(headers or {})}
            answer = self.egress.ask(method, url, body=body, headers=sent, most=MOST)
            if self.heed is not None:
                self.heed(answer)
            return answer

        answer = asked()
        if answer.status == UNAUTHORIZED and self.renew is not None:
            self.renew()
            answer = asked()
        if answer.status not in FINE:
            raise self.judge(answer)
        return answer
