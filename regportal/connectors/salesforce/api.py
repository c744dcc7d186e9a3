"""Calling one Salesforce org: questions, collections of records, and composites of calls."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from regportal.connectors.base import Finding
from regportal.connectors.calls import Calls, clock_of, pages
from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.egress import Answer, Egress
from regportal.connectors.rules import Outcome
from regportal.connectors.salesforce import judging
from regportal.connectors.salesforce.soql import among, select, some
from regportal.connectors.schema import Connector as Document
from regportal.connectors.shapes import Row, cited
from regportal.connectors.tokens import Token

TOKEN = "/services/oauth2/token"  # noqa: S105 - where they are given out
DATA = "/services/data"
TESTED = "68.0"
"""The version that is spoken where a document names none."""
MOST, MOST_CALLS, MOST_QUERIES = 200, 25, 5
"""Records of a collection, calls of a composite, and questions among them."""
KEPT = 300.0
"""Seconds for which a description is believed where a new one would change little."""
HOST = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?")
USED = re.compile(r"api-usage=([0-9]{1,12})/([0-9]{1,12})")
NOT_MODIFIED, ERRORS = 304, 300


@dataclass(frozen=True, slots=True)
class Inner:
    """A call within a composite."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Inside:
    """What one call within a composite was answered, and all that was said of it."""

    status: int
    body: Any
    whole: Row

    @property
    def since(self) -> str | None:
        """Return since when what was answered is so, where that is said."""
        headers = self.whole.get("httpHeaders")
        since = headers.get("Last-Modified") if isinstance(headers, dict) else None
        return since if isinstance(since, str) else None

    def taken(self) -> Any:
        """Return the body; raise NotTakenError where it is a refusal."""
        if self.status < ERRORS or self.status == NOT_MODIFIED:
            return self.body
        answer = Answer(self.status, {}, b"")
        raise judging.refusal(self.status, self.body) or judging.judged(answer)


@dataclass(frozen=True, slots=True)
class Described:
    """What Salesforce said of a kind of record: since when that is so, and when it was asked."""

    told: Row
    since: str | None
    at: float


class Salesforce:
    """The API of one org, as its client. Everything raises what :class:`Calls` raises."""

    def __init__(self, document: Document, egress: Egress, secret: str) -> None:
        """Keep where it is and who we are; calls nobody yet."""
        self._egress = egress
        grant = {"client_id": document.client or "", "client_secret": secret}
        self._token = Token(f"{document.url.rstrip('/')}{TOKEN}", egress, grant)
        self.version = version_of(document.version)
        self._ahead: timedelta | None = None
        """By how much the clock over there is ahead of ours."""
        self._described: dict[str, Described] = {}

    @property
    def base(self) -> str:
        """Return where the org is, as it said when it gave us a token."""
        host = str(self._token.told().get("instance_url", "")).rstrip("/")
        if not HOST.fullmatch(host):
            raise NotTakenError(Outcome.RETRY, "Salesforce does not say where our org is")
        return host

    @property
    def data(self) -> str:
        """Return the path of this version."""
        return f"{DATA}/v{self.version}"

    def ask(self, method: str, path: str, told: Any = None, **query: Any) -> Any:
        """Return what is answered below this version."""
        return self._asked(method, f"{self.data}{path}", told, query)

    @property
    def clock(self) -> datetime | None:
        """Return what time it is over there; None: that was never told."""
        return None if self._ahead is None else datetime.now(UTC) + self._ahead

    def user(self) -> str:
        """Return the id of the user as whom we are let in."""
        return str(self._token.told().get("id", "")).rpartition("/")[2]

    def check(self) -> Iterator[Finding]:
        """Look whether we are let in, which versions are spoken, and how many calls are left."""
        told = self._asked("GET", DATA)
        versions = told if isinstance(told, list) else []
        listed = [one.get("version") for one in versions if isinstance(one, dict)]
        is_spoken = self.version in listed
        says = f"{self.version} is spoken" if is_spoken else f"{self.version} is not spoken there"
        yield Finding("version", fine=is_spoken, says=says)
        if not is_spoken:
            return
        told = self.ask("GET", "/limits")
        calls = told.get("DailyApiRequests") if isinstance(told, dict) else None
        known = calls if isinstance(calls, dict) else {}
        left, most = known.get("Remaining"), known.get("Max")
        says = f"{cited(left)} of {cited(most)} calls of a day are left"
        yield Finding("calls", fine=left != 0, says=says)

    def composite(self, calls: Sequence[Inner]) -> list[Inside]:
        """Make calls in one, each for itself; return what each was answered."""
        answers = []
        for first in range(0, len(calls), MOST_CALLS):
            answers += self._composite(calls[first : first + MOST_CALLS])
        return answers

    def _composite(self, calls: Sequence[Inner]) -> list[Inside]:
        """Make at most as many calls as one composite may hold."""
        told = []
        for number, one in enumerate(calls):
            call: dict[str, Any] = {"method": one.method, "url": f"{self.data}{one.path}"}
            call |= {"referenceId": f"r{number}"}
            call |= {"body": one.body} if one.body is not None else {}
            call |= {"httpHeaders": one.headers} if one.headers else {}
            told.append(call)
        said = self.ask("POST", "/composite", {"allOrNone": False, "compositeRequest": told})
        listed = said.get("compositeResponse") if isinstance(said, dict) else None
        found = {
            one.get("referenceId"): Inside(one["httpStatusCode"], one.get("body"), one)
            for one in (listed if isinstance(listed, list) else ())
            if isinstance(one, dict)
            and isinstance(one.get("referenceId"), str)
            and isinstance(one.get("httpStatusCode"), int)
        }
        if any(f"r{number}" not in found for number in range(len(calls))):
            raise NotTakenError(Outcome.RETRY, "Salesforce answered something else than was asked")
        return [found[f"r{number}"] for number in range(len(calls))]

    # --- questions ---

    def query(self, *texts: str, deleted: bool = False) -> list[list[Row]]:
        """
        Return all rows of each question; ``deleted``: also of what is in the recycle bin.

        They are asked within composites: so no address of anybody stands in a URL.
        """
        path = "/queryAll" if deleted else "/query"
        calls = [Inner("GET", f"{path}?{urlencode({'q': text})}") for text in texts]
        answers = []
        for first in range(0, len(calls), MOST_QUERIES):
            answers += self.composite(calls[first : first + MOST_QUERIES])
        return [self._all(one.taken()) for one in answers]

    def _all(self, told: Any) -> list[Row]:
        """Return the rows of an answer, and those that it says are elsewhere."""
        rows, further = _rows(told)
        for _ in pages():
            if further is None:
                break
            if not further.startswith(f"{DATA}/"):
                raise NotTakenError(Outcome.RETRY, "Salesforce answered something else than rows")
            more, further = _rows(self._asked("GET", further))
            rows += more
        return rows

    def rows(
        self,
        what: Iterable[str],
        kind: str,
        among_: tuple[str, Iterable[str]],
        *where: str,
        order: str = "",
        deleted: bool = False,
    ) -> list[Row]:
        """Return records of which a field is one of some values: asked for part by part."""
        field, values = among_
        texts = [
            select(what, kind, among(field, part), *where, order=order) for part in some(values)
        ]
        return [row for rows in self.query(*texts, deleted=deleted) for row in rows]

    def describe(self, kind: str) -> Row:
        """Return what Salesforce says of a kind of record: anew, where it changed."""
        known = self._described.get(kind)
        headers = {"If-Modified-Since": known.since} if known and known.since else None
        (said,) = self.composite([Inner("GET", f"/sobjects/{kind}/describe", headers=headers)])
        told = said.taken()
        if known is not None and said.status == NOT_MODIFIED:
            told = known.told
        if not isinstance(told, dict) or not isinstance(told.get("fields"), list):
            raise NotTakenError(Outcome.RETRY, "Salesforce answered no description")
        since = said.since or (known.since if known else None)
        self._described[kind] = Described(told, since, time.monotonic())
        return told

    def described(self, kind: str) -> Row:
        """Return what Salesforce said of a kind of record some minutes ago, or says now."""
        known = self._described.get(kind)
        is_fresh = known is not None and time.monotonic() - known.at < KEPT
        return known.told if known is not None and is_fresh else self.describe(kind)

    # --- writing ---

    def upsert(self, kind: str, key: str, records: Sequence[Mapping[str, Any]]) -> list[Written]:
        """Let records be there by our key; return what became of each."""
        return self._many("PATCH", f"/composite/sobjects/{kind}/{key}", kind, records)

    def insert(self, kind: str, records: Sequence[Mapping[str, Any]]) -> list[Written]:
        """Make records; return what became of each."""
        return self._many("POST", "/composite/sobjects", kind, records, created=True)

    def update(self, kind: str, records: Sequence[Mapping[str, Any]]) -> list[Written]:
        """Set fields of records, each with its id; return what became of each."""
        return self._many("PATCH", "/composite/sobjects", kind, records)

    def delete(self, ids: Sequence[str]) -> list[Written]:
        """Delete records; one that is not there is."""
        done = []
        for first in range(0, len(ids), MOST):
            some_ = ids[first : first + MOST]
            query = {"ids": ",".join(some_), "allOrNone": "false"}
            told = self.ask("DELETE", "/composite/sobjects", **query)
            done += _each(told, some_, gone=some_)
        return done

    def _many(
        self,
        method: str,
        path: str,
        kind: str,
        records: Sequence[Mapping[str, Any]],
        *,
        created: bool | None = None,
    ) -> list[Written]:
        """Write records, as many at once as a collection may hold."""
        done: list[Written] = []
        for first in range(0, len(records), MOST):
            some = [{"attributes": {"type": kind}, **one} for one in records[first : first + MOST]]
            told = self.ask(method, path, {"allOrNone": False, "records": some})
            done += _each(told, some, created=created)
        return done

    # --- inside ---

    def _asked(
        self, method: str, path: str, told: Any = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        """Ask where our org is, as whom we are let in."""
        token = self._token
        calls = Calls(
            self.base, self._egress, token.headers, judging.judged, token.renew, self._heed
        )
        return calls.ask(method, path, query=query, told=told)

    def _heed(self, answer: Answer) -> None:
        """See how many calls are left, and what time it is over there."""
        used = USED.search(answer.headers.get("Sforce-Limit-Info") or "")
        if used is not None:
            self._egress.meter.says(int(used[1]), int(used[2]))
        there = clock_of(answer)
        self._ahead = self._ahead if there is None else there - datetime.now(UTC)

    def close(self) -> None:
        """Let go of connections."""
        self._egress.close()


def version_of(text: str | None) -> str:
    """
    Return a version as it stands in a path.

    >>> version_of(None), version_of("v67.0"), version_of("66")
    ('68.0', '67.0', '66.0')
    """
    if text is None:
        return TESTED
    number = text.removeprefix("v")
    return number if "." in number else f"{number}.0"


def _rows(told: Any) -> tuple[list[Row], str | None]:
    """Return the rows of an answer, and where there are more."""
    rows = told.get("records") if isinstance(told, dict) else None
    if not isinstance(rows, list) or not all(_is_row(one) for one in rows):
        raise NotTakenError(Outcome.RETRY, "Salesforce answered no rows")
    further = told.get("nextRecordsUrl")
    return rows, None if told.get("done") is not False else str(further)


def _is_row(told: Any) -> bool:
    """Return whether this is a record: every question asks for its id."""
    return isinstance(told, dict) and isinstance(told.get("Id"), str)


def _each(
    told: Any, some: Sequence[Any], *, created: bool | None = None, gone: Sequence[str] = ()
) -> list[Written]:
    """Return what became of each record; it must be said of all. ``gone``: ids to be deleted."""
    if not isinstance(told, list) or len(told) != len(some):
        raise NotTakenError(Outcome.RETRY, "Salesforce did not say what became of each record")
    done = [judging.written(one, created=created) for one in told]
    places = [place for place, one in enumerate(told) if gone and judging.is_gone(one)]
    return [Written(gone[at]) if at in places else one for at, one in enumerate(done)]
