"""Asking HubSpot: records by the hundred, and what became of each."""

import itertools
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any, TypeVar

from regportal.connectors.calls import Calls, clock_of
from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.egress import Answer, Egress
from regportal.connectors.halving import all_or_halves, halved
from regportal.connectors.hubspot.judging import judged, meaning
from regportal.connectors.hubspot.reading import errors_of, id_of, properties, rows_of
from regportal.connectors.hubspot.values import read, written
from regportal.connectors.meter import Meter
from regportal.connectors.pacing import Pace, Rate, pace_of
from regportal.connectors.rules import TAKEN, Outcome
from regportal.connectors.shapes import Row, among, texts, under
from regportal.connectors.wanted import KEY

NEWEST = "2026-09"
VERSIONS = ("2026-09", "2026-03")
"""Those whose shapes we know, newest first."""
BATCH = 100
WITH_HISTORY = 50
"""Records of one call: fewer where their history is asked for."""
SEARCHES = Rate(4)
"""One less than the five a second that HubSpot takes from an account: they travel unevenly."""
KEPT = 60.0
"""Seconds for which we believe what HubSpot says of its fields, stages and subscriptions."""
TRACE = "objectWriteTraceId"
LEFT, MOST = "X-HubSpot-RateLimit-Daily-Remaining", "X-HubSpot-RateLimit-Daily"
"""Headers that say how many of a day's calls are left, and how many there are."""
SILENT = NotTakenError(Outcome.REJECTED, "HubSpot says nothing of what became of it")
Input = Mapping[str, Any]
Became = Row | NotTakenError
"""A record as it is now, or why it is not."""
Thing = TypeVar("Thing")


@dataclass(slots=True)
class Hub:
    """The API of one account. Everything raises what :class:`Calls` raises."""

    calls: Calls
    version: str
    searches: Pace
    _kept: dict[str, tuple[float, Sequence[Row]]] = field(default_factory=dict)

    @classmethod
    def at(cls, url: str, version: str, egress: Egress, key: str, zone: tzinfo = UTC) -> "Hub":
        """Return the API at a URL, for whoever has this key; its days are those of a zone."""
        headers = {"Authorization": f"Bearer {key}"}
        judge = partial(judged, zone=zone)
        heed = partial(_heed, egress.meter)
        calls = Calls(url.rstrip("/"), egress, lambda: headers, judge, heed=heed)
        return cls(calls, version, pace_of((calls.base, key), SEARCHES))

    def path(self, area: str, rest: str) -> str:
        """
        Return the path of a call: the version stands in the middle of it.

        >>> Hub.at("https://api.hubapi.com", "2026-09", Egress(), "").path("crm/objects", "deals")
        '/crm/objects/2026-09/deals'
        """
        return f"/{area}/{self.version}/{rest}".rstrip("/")

    def answer(
        self, method: str, path: str, told: Any = None, *, pace: Pace | None = None, **query: Any
    ) -> Answer:
        """Return an answer."""
        return self.calls.answer(method, path, told=told, query=query, pace=pace)

    def post(self, area: str, rest: str, told: Any, **query: Any) -> Mapping[str, Any]:
        """Return the object that is answered."""
        answer = self.answer("POST", self.path(area, rest), told, **query)
        return _object(self.calls.read(answer))

    def kept(self, area: str, rest: str) -> Sequence[Row]:
        """Return a list that rarely changes, as it was a minute ago at most."""
        path, now = self.path(area, rest), time.monotonic()
        since, known = self._kept.get(path, (None, ()))
        if since is None or now - since >= KEPT:
            known = rows_of(_object(self.calls.read(self.answer("GET", path))))
            self._kept[path] = now, known
        return known

    def forget_kept(self) -> None:
        """Ask anew for everything that rarely changes."""
        self._kept.clear()

    def types(self, kind: str) -> Mapping[str, str]:
        """Return the types of the properties of a kind of records."""
        return {
            str(one.get("name")): str(one.get("type")) for one in self.kept("crm/properties", kind)
        }

    # --- records ---

    def read(
        self,
        kind: str,
        ids: Iterable[str],
        names: Sequence[str],
        *,
        by: str | None = None,
        history: Sequence[str] = (),
    ) -> list[Row]:
        """
        Return records by id, or by another property; those that are not there are left out.

        So are those for which HubSpot refuses to look by what somebody typed.
        """
        told: dict[str, Any] = {"properties": [*names], "propertiesWithHistory": [*history]}
        told |= {"idProperty": by} if by else {}
        found: list[Row] = []
        for part in some(ids, WITH_HISTORY if history else BATCH):
            if by is None:
                found += self._asked(kind, told, part)
            else:
                found += itertools.chain(
                    *halved(part, lambda few: [self._asked(kind, told, few)], _nobody)
                )
        return found

    def _asked(self, kind: str, told: Mapping[str, Any], ids: Sequence[str]) -> list[Row]:
        """Read records in one call; where none can be asked for by our key, nothing goes on."""
        inputs = {"inputs": [{"id": one} for one in ids]}
        try:
            answer = self.post("crm/objects", f"{kind}/batch/read", {**told, **inputs})
        except NotTakenError as error:
            by = told.get("idProperty")
            if error.outcome is not Outcome.REJECTED or by != KEY:
                raise
            says = f"HubSpot cannot be asked for {kind} by {by}: is it there, and unique?"
            raise NotTakenError(Outcome.GONE, says) from error
        for one in errors_of(answer):
            if one.get("category") != "OBJECT_NOT_FOUND":
                raise meaning(one)
        return rows_of(answer)

    def values(self, kind: str, row: Row) -> dict[str, Any]:
        """Return the values of a record, each by its type."""
        types = self.types(kind)
        told = properties(row)
        return {name: read(value, types.get(name)) for name, value in told.items()}

    def batch(self, kind: str, verb: str, inputs: Sequence[Input]) -> list[Became]:
        """
        Write records, and return what became of each, in their order.

        A call that is refused as a whole because of one is asked again in halves.
        """
        return [
            became
            for part in chunks(inputs, BATCH)
            for became in halved(part, lambda some: self._written(kind, verb, some), _itself)
        ]

    def _written(self, kind: str, verb: str, inputs: Sequence[Input]) -> list[Became]:
        """Write records in one call."""
        call = uuid.uuid4().hex[:12]
        traces = [f"{call}-{place}" for place in range(len(inputs))]
        told = [
            {
                **one,
                TRACE: trace,
                "properties": {name: written(value) for name, value in one["properties"].items()},
            }
            for one, trace in zip(inputs, traces, strict=True)
        ]
        answer = self.post("crm/objects", f"{kind}/batch/{verb}", {"inputs": told})
        became: dict[str, Became] = {}
        unnamed: list[Became] = []
        for row in rows_of(answer):
            trace = row.get(TRACE) or _trace_of(id_of(row), inputs, traces)
            became |= {str(trace): row} if trace else {}
            unnamed += [] if trace else [row]
        for error in errors_of(answer):
            about = under(error, "context")
            named = texts(about, TRACE) or [
                trace for id in texts(about, "ids") if (trace := _trace_of(id, inputs, traces))
            ]
            became |= {trace: meaning(error) for trace in named}
            unnamed += [] if named else [meaning(error)]
        if unnamed and len(inputs) > 1:  # asked again each alone, it is known whose it is
            raise NotTakenError(Outcome.REJECTED, "HubSpot does not say of which record it speaks")
        rest = unnamed[0] if unnamed else SILENT
        return [became.get(trace, rest) for trace in traces]

    def archive(self, kind: str, ids: Iterable[str]) -> dict[str, Written]:
        """
        Delete records; those that are gone already are no trouble.

        Return why some could not be deleted, by id.
        """
        path = self.path("crm/objects", f"{kind}/batch/archive")

        def delete(part: Sequence[str]) -> list[Written]:
            self.answer("POST", path, {"inputs": [{"id": one} for one in part]})
            return [Written(one) for one in part]

        done = {
            one: became
            for part in some(ids)
            for one, became in zip(part, all_or_halves(part, delete), strict=True)
        }
        return {id: one for id, one in done.items() if one.outcome not in TAKEN}

    # --- what stands beside what ---

    def beside(self, kind: str, ids: Iterable[str], to: str) -> dict[str, dict[str, str | None]]:
        """Return the ids of the records of another kind beside some, each with its label."""
        found: dict[str, dict[str, str | None]] = {id: {} for id in ids}
        asked: list[dict[str, str]] = [{"id": id} for id in found]
        while asked:
            further: list[dict[str, str]] = []
            for part in chunks(asked, BATCH):
                answer = self.post("crm/associations", f"{kind}/{to}/batch/read", {"inputs": part})
                for row in rows_of(answer):
                    id = id_of(under(row, "from"))
                    labels = {id_of(one, "toObjectId"): _label(one) for one in among(row, "to")}
                    is_more = not labels.keys() <= found.setdefault(id, {}).keys()
                    found[id].update(labels)
                    after = under(under(row, "paging"), "next").get("after")
                    further += [{"id": id, "after": str(after)}] if after and is_more else []
            asked = further
        return found

    def put_beside(
        self, kind: str, to: str, pairs: Sequence[tuple[str, str]]
    ) -> set[tuple[str, str]]:
        """Put records beside others; return the pairs of which one end is not there."""
        lost: set[tuple[str, str]] = set()
        for part in chunks(pairs, BATCH):
            told = [{"from": {"id": here}, "to": {"id": there}} for here, there in part]
            rest = f"{kind}/{to}/batch/associate/default"
            answer = self.post("crm/associations", rest, {"inputs": told})
            made = {(id_of(under(row, "from")), id_of(under(row, "to"))) for row in rows_of(answer)}
            lost |= {*part} - made
        return lost

    # --- news ---

    def search(self, kind: str, told: Mapping[str, Any]) -> tuple[list[Row], datetime]:
        """Return what a search finds, and what time it was there, or else here."""
        path = self.path("crm/objects", f"{kind}/search")
        answer = self.answer("POST", path, told, pace=self.searches)
        return rows_of(_object(self.calls.read(answer))), clock_of(answer) or datetime.now(UTC)


def some(ids: Iterable[str], most: int = BATCH) -> Iterator[Sequence[str]]:
    """Yield ids, each once, so many at a time as one call may hold."""
    return chunks([*dict.fromkeys(ids)], most)


def chunks(many: Sequence[Thing], most: int) -> Iterator[Sequence[Thing]]:
    """Yield parts of a sequence, each of so many at most."""
    return (many[first : first + most] for first in range(0, len(many), most))


def settled(became: Became) -> Written:
    """Return what became of a record, in the words of a desk."""
    if isinstance(became, NotTakenError):
        return Written.refused(became.of_one())
    is_new = became.get("new")
    return Written(id_of(became), created=is_new if isinstance(is_new, bool) else None)


def by_address(rows: Iterable[Row], take: Callable[[Row], Iterable[str]]) -> dict[str, list[Row]]:
    """Return rows by what they may be called."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        for name in {*take(row)}:
            found.setdefault(name, []).append(row)
    return found


def _itself(one: Input, error: NotTakenError) -> Became:
    """Return what became of one that was refused alone."""
    del one
    return error


def _nobody(one: str, error: NotTakenError) -> list[Row]:
    """Return whom HubSpot finds by a text for which it refuses to look."""
    del one, error
    return []


def _trace_of(id: str, inputs: Sequence[Input], traces: Sequence[str]) -> str | None:
    """Return the trace of an input by its id, where an answer does not name it."""
    known = {str(one["id"]): trace for one, trace in zip(inputs, traces, strict=True)}
    return known.get(id)


def _heed(meter: Meter, answer: Answer) -> None:
    """Keep what an answer says of a day's calls."""
    left, most = (_number(answer.headers.get(name)) for name in (LEFT, MOST))
    if left is not None and most is not None:
        meter.says(most - left, most)


def _number(text: str | None) -> int | None:
    """Return the number that a header has."""
    return int(text) if text and text.isascii() and text.isdecimal() else None


def _label(one: Row) -> str | None:
    """Return what an association is called by its people."""
    labels = [type_.get("label") for type_ in among(one, "associationTypes")]
    return next((label for label in labels if label and isinstance(label, str)), None)


def _object(told: Any) -> Mapping[str, Any]:
    """Return an object; raise NotTakenError for anything else: that is no HubSpot."""
    if isinstance(told, dict):
        return told
    raise NotTakenError(Outcome.RETRY, "HubSpot answered no object")
