"""The Web API: what a call asks of records, done with the means of the rest of this package."""

import contextlib
import functools
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from regportal.sandbox.dynamics import batch
from regportal.sandbox.dynamics.addresses import Meant, Segment, meant, split, table_of
from regportal.sandbox.dynamics.batch import Answered, Asked
from regportal.sandbox.dynamics.defining import Defining
from regportal.sandbox.dynamics.payload import columns_of
from regportal.sandbox.dynamics.reading import Reading, Wishes, etag
from regportal.sandbox.dynamics.records import Records, Row
from regportal.sandbox.dynamics.refusals import (
    CHANGED,
    NO_SET,
    QUERY,
    THERE,
    RefusedError,
    bad_payload,
)
from regportal.sandbox.dynamics.schema import Table, new_id

JSON = "application/json; odata.metadata=minimal"
CAST = "Microsoft.Dynamics.CRM."
UNIT = "38e0dbe4-131b-e111-ba7e-78e7d1620f5e"
"""The one business unit."""
RIGHT = f"{CAST}RetrieveUserPrivilegeByPrivilegeName"
Json = dict[str, Any]


class Api:
    """The API of one environment, as one of its users, at one address."""

    def __init__(self, records: Records, user: str, origin: str, version: str) -> None:
        """Take what it works on, who asks, and where it is."""
        self._records, self._user = records, user
        self._root = f"/api/data/{version}/"
        self._base = f"{origin}{self._root.rstrip('/')}"
        self._reading = Reading(records, self._base)
        self._defining = Defining(records, self._base)
        self._actions: Mapping[str, Callable[[Json], Answered]] = {
            "Merge": self._merge,
            "BulkDelete": self._bulk_delete,
            **self._defining.actions,
        }

    def call(self, asked: Asked) -> Answered:
        """Return the answer to a call, and to a batch of them."""
        try:
            if asked.url.partition("?")[0].endswith("/$batch") and asked.method == "POST":
                items = batch.read(asked.headers.get("content-type", ""), asked.body)
                goes_on = "odata.continue-on-error" in asked.headers.get("prefer", "")
                return batch.worked_off(items, self._single, self._changes, goes_on=goes_on)
        except RefusedError as error:
            return refused(error)
        return self._single(asked)

    def _single(self, asked: Asked) -> Answered:
        """Return the answer to one call."""
        try:
            with self._records.transaction():
                return self._answer(asked)
        except RefusedError as error:
            return refused(error)

    def _changes(self, many: Sequence[Asked], call: Callable[[Asked], Answered]) -> list[Answered]:
        """Return the answers of a change set; one, where it was refused and nothing done."""
        answers: list[Answered] = []
        with contextlib.suppress(_FailedError), self._records.transaction():
            known: dict[str, str] = {}
            for one in many:
                answer = self._change(one, known, call)
                answers.append(answer)
                if not answer.is_fine:
                    raise _FailedError
        return answers if all(one.is_fine for one in answers) else answers[-1:]

    @staticmethod
    def _change(asked: Asked, known: dict[str, str], call: Callable[[Asked], Answered]) -> Answered:
        """Return the answer to one call of a change set; it may refer to those before."""
        if asked.method == "GET":
            return refused(RefusedError(400, QUERY, "A change set must not contain GET."))
        try:
            answer = call(batch.referring(asked, known))
        except RefusedError as error:
            return refused(error)
        if asked.content_id and "OData-EntityId" in answer.headers:
            known[asked.content_id] = answer.headers["OData-EntityId"]
        return answer

    def _answer(self, asked: Asked) -> Answered:
        """Return the answer to one call; raise RefusedError."""
        segments, query = split(asked.url, self._root)
        if not segments:
            sets = [{"name": one, "url": one} for one in self._sets()]
            return told({"@odata.context": f"{self._base}/$metadata", "value": sets})
        first, body = segments[0], _body(asked)
        if first.name == "WhoAmI" and asked.method == "GET":
            return told(self._who())
        if first.name in self._actions and asked.method == "POST":
            return self._actions[first.name](body)
        if first.name == "EntityDefinitions":
            return self._defining.answer(asked, segments, query, body)
        return self._of_records(asked, segments, query, body)

    def _of_records(
        self, asked: Asked, segments: Sequence[Segment], query: Mapping[str, str], body: Json
    ) -> Answered:
        """Return the answer to a call about the records of a table."""
        table = table_of(self._records, segments[0].name)
        wishes = Wishes.read(asked.headers.get("prefer", ""))
        inside, more = segments[0].inside, [one.name for one in segments[1:]]
        if inside is None:
            return self._of_table(asked.method, table, more, query, wishes, body)
        one = meant(self._records, table, inside)
        match asked.method, more:
            case "GET", []:
                row = one.there()
                if asked.headers.get("if-none-match") == etag(row) and "$expand" not in query:
                    return Answered(304)
                return told(self._reading.one(table, row, query, wishes), row)
            case "GET", [function] if function == RIGHT and table.name == "systemuser":
                return told(self._rights(str(one.there()[table.id]), segments[1].inside or ""))
            case "PATCH", []:
                return self._upsert(one, asked.headers, query, wishes, body)
            case "DELETE", []:
                _check(one, asked.headers)
                self._records.delete(table.name, one.there()[table.id], self._user)
                return Answered(204)
        raise _no_method(asked.method)

    def _of_table(
        self,
        method: str,
        table: Table,
        more: Sequence[str],
        query: Mapping[str, str],
        wishes: Wishes,
        body: Json,
    ) -> Answered:
        """Return the answer to a call about a table."""
        match method, more:
            case "GET", []:
                return told(self._reading.many(table, query, wishes))
            case "GET", ["$count"]:
                found = self._reading.many(table, {**query, "$count": "true"}, wishes)
                return Answered(
                    200, {"Content-Type": "text/plain"}, str(found["@odata.count"]).encode()
                )
            case "POST", []:
                row = self._create(table, body)
                return self._made(table, row, query, wishes, created=True)
            case "POST", [action] if action.startswith(CAST):
                return self._multiple(table, action.removeprefix(CAST), body)
        raise _no_method(method)

    # --- writing ---

    def _create(self, table: Table, body: Json, key: Mapping[str, Any] | None = None) -> Row:
        """Make a record of a body; with the values of a key that it does not speak of."""
        values = dict(key or {}) | columns_of(self._records, table, body, self._named)
        return self._records.create(table.name, values, self._user, body.get(table.id))

    def _upsert(
        self,
        one: Meant,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        wishes: Wishes,
        body: Json,
    ) -> Answered:
        """Change a record, or make it where it is not there, as the headers allow."""
        _check(one, headers)
        if one.row is None:
            more = {} if one.id is None else {one.table.id: one.id}
            row = self._create(one.table, {**body, **more}, one.key)
            return self._made(one.table, row, query, wishes, created=True)
        kept = {name: value for name, value in body.items() if name not in one.key}
        values = columns_of(self._records, one.table, kept, self._named)
        row = self._records.update(one.table.name, one.row[one.table.id], values, self._user)
        return self._made(one.table, row, query, wishes, created=False)

    def _made(
        self, table: Table, row: Row, query: Mapping[str, str], wishes: Wishes, *, created: bool
    ) -> Answered:
        """Return the answer to a writing."""
        if wishes.represents:
            shown = self._reading.one(table, row, query, wishes)
            answer = told(shown, row, status=201 if created else 200)
            return Answered(
                answer.status,
                {**answer.headers, "Preference-Applied": "return=representation"},
                answer.body,
            )
        url = f"{self._base}/{table.entity_set}({row[table.id]})"
        return Answered(204, {"OData-EntityId": url} | ({"Location": url} if created else {}))

    def _multiple(self, table: Table, action: str, body: Json) -> Answered:
        """Write many records in one transaction."""
        targets = body.get("Targets")
        if not isinstance(targets, list) or not targets:
            raise bad_payload(table.entity_set, "Targets is missing.")
        for one in targets:
            if one.get("@odata.type", "").lstrip("#") != f"{CAST}{table.name}":
                raise bad_payload(table.entity_set, "A target lacks its @odata.type.")
        if action == "CreateMultiple":
            return told({"Ids": [self._create(table, one)[table.id] for one in targets]})
        for one in targets:
            if action == "UpdateMultiple":
                found = meant(self._records, table, str(one.get(table.id)))
                found.there()
            elif action == "UpsertMultiple":
                inside = str(one.get("@odata.id", "")).partition("(")[2].removesuffix(")")
                found = meant(self._records, table, inside)
            else:
                raise RefusedError(404, NO_SET, f"Resource not found for the segment '{action}'.")
            self._upsert(found, {}, {}, Wishes(), one)
        return Answered(204)

    # --- actions and functions ---

    def _merge(self, body: Json) -> Answered:
        """Merge two records."""
        target, subordinate = body.get("Target", {}), body.get("Subordinate", {})
        name = str(target.get("@odata.type", "")).lstrip("#").removeprefix(CAST)
        if name not in {"account", "contact", "lead"}:
            raise bad_payload("Merge", f"Records of '{name}' cannot be merged.")
        table = self._records.tables[name]
        content = body.get("UpdateContent") or {}
        more = columns_of(self._records, table, content, self._named)
        ids = str(target.get(table.id)), str(subordinate.get(table.id))
        self._records.merge(name, *ids, more, self._user)
        return Answered(204)

    def _bulk_delete(self, body: Json) -> Answered:
        """Let records be deleted in the background."""
        for query in body.get("QuerySet", ()):
            name = str(query.get("EntityName"))
            for condition in query["Criteria"]["Conditions"]:
                ids = [str(one["Value"]) for one in condition["Values"]]
                self._records.jobs.append(functools.partial(self._deleted, name, ids))
        return told({"JobId": new_id()})

    def _deleted(self, table: str, ids: Sequence[str]) -> None:
        """Delete those records that are there."""
        for id in ids:
            if id.lower() in self._records.rows[table]:
                self._records.delete(table, id, self._user)

    def _who(self) -> Json:
        """Return who asks."""
        return {
            "@odata.context": f"{self._base}/$metadata#{CAST}WhoAmIResponse",
            "BusinessUnitId": UNIT,
            "UserId": self._user,
            "OrganizationId": "883278f5-07af-45eb-a0bc-3fea67caa544",
        }

    def _rights(self, user: str, inside: str) -> Json:
        """Return the privileges of a name that a user has: all but those that were taken away."""
        self._records.demand("Read", "systemuser", self._user)
        named = inside.removeprefix("PrivilegeName=").strip("'")
        held = {
            "Depth": "Global",
            "PrivilegeId": str(uuid.uuid5(uuid.NAMESPACE_OID, named)),
            "BusinessUnitId": UNIT,
            "PrivilegeName": named,
        }
        return {
            "@odata.context": f"{self._base}/$metadata#{RIGHT}Response",
            "RolePrivileges": [] if (named, user) in self._records.lacking else [held],
        }

    def _sets(self) -> list[str]:
        """Return the names of all entity sets."""
        return sorted(table.entity_set for table in self._records.tables.values())

    def _named(self, path: str) -> tuple[str, str]:
        """Return the table and the id of what a path leads to."""
        segments, _ = split(path, self._root)
        if len(segments) != 1 or segments[0].inside is None:
            raise RefusedError(400, QUERY, f"'{path}' is no record.")
        table = table_of(self._records, segments[0].name)
        found = meant(self._records, table, segments[0].inside)
        return table.name, str(found.there()[table.id])


class _FailedError(Exception):
    """A call of a change set was refused: nothing of it is done."""


def told(body: Json, row: Row | None = None, *, status: int = 200) -> Answered:
    """Return an answer with JSON."""
    headers = {"Content-Type": JSON} | ({"ETag": etag(row)} if row else {})
    return Answered(status, headers, json.dumps(body).encode())


def refused(error: RefusedError) -> Answered:
    """Return a refusal as an answer."""
    return Answered(error.status, {"Content-Type": JSON}, json.dumps(error.body).encode())


def _body(asked: Asked) -> Json:
    """Return the JSON of a call; raise RefusedError where it is none."""
    if not asked.body.strip():
        return {}
    try:
        body = json.loads(asked.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise RefusedError(400, QUERY, "The payload is not valid JSON.")
    return body


def _check(one: Meant, headers: Mapping[str, str]) -> None:
    """Raise RefusedError where a record is not as the headers say it must be."""
    match, none = headers.get("if-match"), headers.get("if-none-match")
    if none == "*" and one.row is not None:
        raise RefusedError(412, THERE, "A record with matching key values already exists.")
    if match is not None:
        row = one.there()
        if match not in {"*", etag(row)}:
            says = "The version of the existing record doesn't match the RowVersion property"
            raise RefusedError(412, CHANGED, f"{says} provided.")


def _no_method(method: str) -> RefusedError:
    """Return that a resource knows no such method."""
    says = f"The requested resource does not support http method '{method}'."
    return RefusedError(405, "0x80060888", says)
