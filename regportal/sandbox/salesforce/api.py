"""The REST API of a Salesforce org: one call in, one answer out, also for calls within calls."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from regportal.sandbox.salesforce import many, tooling
from regportal.sandbox.salesforce.calls import Call, Said
from regportal.sandbox.salesforce.headers import http_date, is_old, known, moment
from regportal.sandbox.salesforce.objects import SObject
from regportal.sandbox.salesforce.org import Org, Row
from regportal.sandbox.salesforce.querying import Answering
from regportal.sandbox.salesforce.refusals import RefusedError, no_such_column, not_found
from regportal.sandbox.salesforce.values import shown

VERSIONS = range(31, 69)
PAGE, SMALLEST_PAGE = 2000, 200
RELEASES = {66: "Spring '26", 67: "Summer '26", 68: "Winter '27"}
VERSION = re.compile(r"v(\d\d)\.0")


Handler = Callable[["Api", Call, Sequence[str]], Said]


class Api:
    """The calls of one org, by somebody who is let in."""

    def __init__(self, org: Org) -> None:
        """Take the org."""
        self.org = org
        self._pages: dict[str, tuple[int, list[Row], str]] = {}

    def ask(self, method: str, url: str, told: Any, headers: Mapping[str, str]) -> Said:
        """Answer a call; ``url`` is its path and query."""
        parts = urlsplit(url)
        found = re.fullmatch(r"/services/data/([^/]+)(/.*)?", parts.path)
        try:
            if found is None or not _is_version(found[1]):
                raise not_found()
            path = (found[2] or "/").rstrip("/") or "/"
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            named = {name.casefold(): value for name, value in headers.items()}
            return self._route(Call(method, path, found[1], query, told, named))
        except RefusedError as error:
            return Said(error.status, error.body())

    def _route(self, call: Call) -> Said:
        """Find who answers."""
        for method, pattern, handler in ROUTES:
            match = pattern.fullmatch(call.path)
            if match and method == call.method:
                said: Said = handler(self, call, [unquote(one) for one in match.groups()])
                return said
        if any(pattern.fullmatch(call.path) for _, pattern, _ in ROUTES):
            message = f"HTTP Method '{call.method}' not allowed. Allowed are HEAD,GET,PATCH,DELETE"
            raise RefusedError("METHOD_NOT_ALLOWED", message, 405)
        raise not_found()

    # --- what there is ---

    def root(self, call: Call, _: Sequence[str]) -> Said:
        """Say what there is."""
        names = ("sobjects", "query", "queryAll", "composite", "limits", "tooling")
        return Said(told={name: f"{call.base}/{name}" for name in names})

    def objects(self, call: Call, _: Sequence[str]) -> Said:
        """Say which objects there are."""
        newest = max(self.org.objects.values(), key=lambda one: one.changed)
        if is_old(call, newest.changed):
            return Said(304, None, known(newest))
        told = [one.short(call.base) for one in self.org.objects.values()]
        body = {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": told}
        return Said(200, body, known(newest))

    def about(self, call: Call, names: Sequence[str]) -> Said:
        """Say in short what an object is."""
        sobject = self.org.entity(names[0])
        return Said(told={"objectDescribe": sobject.short(call.base), "recentItems": []})

    def describe(self, call: Call, names: Sequence[str]) -> Said:
        """Say all of an object."""
        sobject = self.org.entity(names[0])
        is_same = call.headers.get("if-none-match") == sobject.etag()
        if is_same or is_old(call, sobject.changed):
            return Said(304, None, known(sobject))
        return Said(200, sobject.describe(call.base), known(sobject))

    def limits(self, call: Call, _: Sequence[str]) -> Said:
        """Say how much may be asked."""
        del call
        left = self.org.allowed - self.org.used
        return Said(told={"DailyApiRequests": {"Max": self.org.allowed, "Remaining": left}})

    def counts(self, call: Call, _: Sequence[str]) -> Said:
        """Say about how many records there are."""
        told = []
        for name in call.query.get("sObjects", "").split(","):
            rows = [row for row in self.org.rows(name) if not row.get("IsDeleted")]
            told += [{"count": len(rows), "name": name}] if rows else []
        return Said(told={"sObjects": told})

    # --- queries ---

    def query(self, call: Call, names: Sequence[str]) -> Said:
        """Answer a sentence of SOQL."""
        if "q" not in call.query:
            raise RefusedError("MALFORMED_QUERY", "A query string has to be specified")
        everything = names[0].casefold() == "queryall"
        total, rows = Answering(self.org, all_rows=everything).ask(call.query["q"])
        options = call.headers.get("sforce-query-options", "")
        asked = re.search(r"batchSize=(\d+)", options)
        size = min(max(int(asked[1]), SMALLEST_PAGE), PAGE) if asked else PAGE
        locator = f"01gRp{len(self._pages):010}"
        return self._page(call, locator, (total, _dated(rows, call), str(size)), 0)

    def more(self, call: Call, names: Sequence[str]) -> Said:
        """Go on with an answer that was too long."""
        locator, _, first = names[0].rpartition("-")
        if locator not in self._pages or not first.isdecimal():
            raise RefusedError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(call, locator, self._pages[locator], int(first))

    def _page(self, call: Call, locator: str, found: tuple[int, list[Row], str], at: int) -> Said:
        """Return a page of an answer."""
        total, rows, size = found
        told: Row = {"totalSize": total, "done": True, "records": rows[at : at + int(size)]}
        after = at + int(size)
        if after < len(rows):
            self._pages[locator] = found
            told |= {"done": False, "nextRecordsUrl": f"{call.base}/query/{locator}-{after}"}
        return Said(told=told)

    # --- one record ---

    def create(self, call: Call, names: Sequence[str]) -> Said:
        """Make a record."""
        sobject = self.org.entity(names[0])
        id = self.org.insert(sobject.name, _record(call.told))
        return Said(201, {"id": id, "success": True, "errors": []})

    def get(self, call: Call, names: Sequence[str]) -> Said:
        """Return a record."""
        sobject = self.org.entity(names[0])
        return self._got(call, sobject, self.org.existing(sobject.name, names[1]))

    def get_by(self, call: Call, names: Sequence[str]) -> Said:
        """Return the record that a key means."""
        sobject, rows = self._keyed(names)
        if len(rows) > 1:
            return Said(300, self._urls(call, sobject, rows))
        if not rows:
            raise not_found()
        return self._got(call, sobject, rows[0])

    def _got(self, call: Call, sobject: SObject, row: Row) -> Said:
        """Return a record, with the fields that are asked for."""
        asked = [one for one in call.query.get("fields", "").split(",") if one]
        found = [(one, sobject.find(one)) for one in asked]
        for name, field in found:
            if field is None:
                raise no_such_column(name, sobject.name)
        fields = [field for _, field in found if field] or sobject.visible()
        url = f"{call.base}/sobjects/{sobject.name}/{row['Id']}"
        told: Row = {"attributes": {"type": sobject.name, "url": url}}
        told |= {one.name: shown(row.get(one.name)) for one in fields}
        return Said(200, told, {"Last-Modified": http_date(row["LastModifiedDate"])})

    def update(self, call: Call, names: Sequence[str]) -> Said:
        """Set fields of a record, perhaps only if nobody has changed it since."""
        sobject = self.org.entity(names[0])
        row = self.org.existing(sobject.name, names[1])
        since = call.headers.get("if-unmodified-since")
        if since is not None and row["LastModifiedDate"] > moment(since):
            message = (
                "The record has been modified since the time in the If-Unmodified-Since header"
            )
            raise RefusedError("PRECONDITION_FAILED", message, 412)
        self.org.update(sobject.name, names[1], _record(call.told))
        return Said(204)

    def upsert(self, call: Call, names: Sequence[str]) -> Said:
        """Set fields of the record that a key means, or make it."""
        sobject, rows = self._keyed(names)
        told = _record(call.told)
        if len(rows) > 1:
            return Said(300, self._urls(call, sobject, rows))
        if rows:
            self.org.update(sobject.name, rows[0]["Id"], told)
            made = {"id": rows[0]["Id"], "success": True, "errors": [], "created": False}
            return Said(200, made)
        if call.query.get("updateOnly") == "true":
            raise not_found()
        id = self.org.insert(sobject.name, {**told, names[1]: names[2]})
        return Said(201, {"id": id, "success": True, "errors": [], "created": True})

    def delete(self, call: Call, names: Sequence[str]) -> Said:
        """Delete a record."""
        del call
        sobject = self.org.entity(names[0])
        self.org.delete(self.org.existing(sobject.name, names[1])["Id"])
        return Said(204)

    def _keyed(self, names: Sequence[str]) -> tuple[SObject, list[Row]]:
        """Return an object, and the records that a key means."""
        sobject = self.org.entity(names[0])
        field = sobject.find(names[1])
        if field is None or not field.is_key:
            message = "Provided external ID field does not exist or is not accessible: "
            raise not_found(f"{message}{names[1]}")
        return sobject, self.org.by_key(sobject, field, names[2])

    @staticmethod
    def _urls(call: Call, sobject: SObject, rows: Sequence[Row]) -> list[str]:
        """Return where records are."""
        return [f"{call.base}/sobjects/{sobject.name}/{row['Id']}" for row in rows]

    # --- what happened ---

    def updated(self, call: Call, names: Sequence[str]) -> Said:
        """Say which records were written."""
        rows, end = self._between(call, names)
        ids = [row["Id"] for row in rows if not row.get("IsDeleted")]
        return Said(told={"ids": ids, "latestDateCovered": shown(end)})

    def deleted(self, call: Call, names: Sequence[str]) -> Said:
        """Say which records were deleted."""
        rows, end = self._between(call, names)
        gone = [
            {"id": row["Id"], "deletedDate": shown(row["SystemModstamp"])}
            for row in rows
            if row.get("IsDeleted")
        ]
        first = min((row["CreatedDate"] for row in self.org.rows("User")), default=end)
        told = {"deletedRecords": gone, "earliestDateAvailable": shown(first)}
        return Said(told={**told, "latestDateCovered": shown(end)})

    def _between(self, call: Call, names: Sequence[str]) -> tuple[list[Row], datetime]:
        """Return what was written from one moment to another."""
        sobject = self.org.entity(names[0])
        try:
            start, end = (
                datetime.fromisoformat(call.query[name]).astimezone(UTC)
                for name in ("start", "end")
            )
        except (KeyError, ValueError):
            raise RefusedError("INVALID_REPLICATION_DATE", "start and end are needed") from None
        if start >= end:
            raise RefusedError("INVALID_REPLICATION_DATE", "startDate must be before endDate")
        end = min(end, self.org.now())
        rows = [row for row in self.org.rows(sobject.name) if start <= row["SystemModstamp"] <= end]
        return rows, end


def _record(told: Any) -> Mapping[str, Any]:
    """Return the record that was sent."""
    if isinstance(told, dict):
        return told
    raise RefusedError("JSON_PARSER_ERROR", "The HTTP entity body is required, but none was sent")


def _dated(rows: list[Row], call: Call) -> list[Row]:
    """Return rows whose addresses are those of the version that was asked."""
    for row in rows:
        attributes = row.get("attributes", {})
        if "url" in attributes:
            attributes["url"] = attributes["url"].replace("{version}", call.version)
        inner = [one for one in row.values() if isinstance(one, dict) and one is not attributes]
        _dated([one for one in inner if "attributes" in one], call)
        for one in inner:
            _dated(one.get("records", []), call)
    return rows


def _is_version(text: str) -> bool:
    """Return whether there is such a version."""
    found = VERSION.fullmatch(text)
    return found is not None and int(found[1]) in VERSIONS


def _table() -> list[tuple[str, re.Pattern[str], Any]]:
    """Return who answers what; the first that fits does."""
    routes: Sequence[tuple[str, str, Any]] = (
        ("GET", "/", Api.root),
        ("GET", "/sobjects", Api.objects),
        ("GET", "/limits", Api.limits),
        ("GET", "/limits/recordCount", Api.counts),
        ("GET", "/(query|queryAll)", Api.query),
        ("GET", "/query/([^/]+)", Api.more),
        ("POST", "/composite", many.composite),
        ("POST", "/composite/sobjects", many.insert),
        ("PATCH", "/composite/sobjects", many.update),
        ("DELETE", "/composite/sobjects", many.delete),
        ("PATCH", "/composite/sobjects/([^/]+)/([^/]+)", many.upsert),
        ("POST", "/composite/sobjects/([^/]+)", many.retrieve),
        ("POST", "/tooling/sobjects/CustomField", tooling.create),
        ("GET", "/sobjects/([^/]+)", Api.about),
        ("POST", "/sobjects/([^/]+)", Api.create),
        ("GET", "/sobjects/([^/]+)/describe", Api.describe),
        ("GET", "/sobjects/([^/]+)/updated", Api.updated),
        ("GET", "/sobjects/([^/]+)/deleted", Api.deleted),
        ("GET", "/sobjects/([^/]+)/([^/]+)", Api.get),
        ("PATCH", "/sobjects/([^/]+)/([^/]+)", Api.update),
        ("DELETE", "/sobjects/([^/]+)/([^/]+)", Api.delete),
        ("GET", "/sobjects/([^/]+)/([^/]+)/([^/]+)", Api.get_by),
        ("PATCH", "/sobjects/([^/]+)/([^/]+)/([^/]+)", Api.upsert),
    )
    return [(method, re.compile(path), handler) for method, path, handler in routes]


ROUTES = _table()
