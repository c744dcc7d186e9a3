"""The calls about metadata: ``EntityDefinitions``, and the actions that change what is defined."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from regportal.sandbox.dynamics.addresses import Segment
from regportal.sandbox.dynamics.batch import Answered, Asked
from regportal.sandbox.dynamics.metadata import Metadata, shown_column, shown_table
from regportal.sandbox.dynamics.records import Records
from regportal.sandbox.dynamics.refusals import NO_SET, RefusedError
from regportal.sandbox.dynamics.schema import Table

JSON = "application/json; odata.metadata=minimal"
Json = dict[str, Any]
Query = Mapping[str, str]


class Defining:
    """What may be asked and changed of the definitions of one environment."""

    def __init__(self, records: Records, base: str) -> None:
        """Take the tables, and where the API is."""
        self._metadata, self._base = Metadata(records, base), base
        self.actions: Mapping[str, Callable[[Json], Answered]] = {
            "PublishXml": lambda _: Answered(204),
            "PublishAllXml": lambda _: Answered(204),
            "InsertOptionValue": self._add_option,
            "CreateEntities": lambda body: _told(self._metadata.make_tables(body)),
        }

    def answer(
        self, asked: Asked, segments: Sequence[Segment], query: Query, body: Json
    ) -> Answered:
        """Return the answer to a call; raise RefusedError."""
        if segments[0].inside is None:
            return _told(self._metadata.tables(query))
        table = self._metadata.table(segments[0].inside)
        match asked.method, [one.name for one in segments[1:]]:
            case "GET", []:
                return _told(_some(shown_table(table), query))
            case "DELETE", []:
                self._metadata.drop_table(table)
                return Answered(204)
            case method, ["Attributes", *more]:
                return self._of_columns(method, table, segments[1].inside, more, query, body)
            case method, ["Keys"]:
                return self._of_keys(method, table, segments[1].inside, body)
        raise RefusedError(404, NO_SET, f"Resource not found for '{asked.url}'.")

    def _of_columns(
        self,
        method: str,
        table: Table,
        inside: str | None,
        cast: Sequence[str],
        query: Query,
        body: Json,
    ) -> Answered:
        """Return the answer to a call about the columns of a table."""
        if inside is None:
            if method == "POST":
                return self._made(table, "Attributes", self._metadata.make_column(table, body))
            return _told(self._metadata.columns(table, cast[0] if cast else "", query))
        column = self._metadata.column(table, inside)
        if method == "PUT":
            self._metadata.change_column(column, body)
            return Answered(204)
        if method == "DELETE":
            self._metadata.drop_column(table, column)
            return Answered(204)
        return _told(_some(shown_column(column, is_whole=bool(cast)), query))

    def _of_keys(self, method: str, table: Table, inside: str | None, body: Json) -> Answered:
        """Return the answer to a call about the alternate keys of a table."""
        if method == "POST":
            return self._made(table, "Keys", self._metadata.make_key(table, body))
        if method == "DELETE" and inside is not None:
            self._metadata.drop_key(table, inside)
            return Answered(204)
        return _told(self._metadata.keys(table))

    def _made(self, table: Table, what: str, id: str) -> Answered:
        """Return the answer to a making."""
        url = f"{self._base}/EntityDefinitions({table.metadata_id})/{what}({id})"
        return Answered(204, {"OData-EntityId": url})

    def _add_option(self, body: Json) -> Answered:
        """Add an option to a choice."""
        return _told({"NewOptionValue": self._metadata.add_option(body)})


def _some(shown: Json, query: Query) -> Json:
    """Return of one definition what is asked for."""
    names = {one for one in query.get("$select", "").split(",") if one}
    kept = names | {"MetadataId", "@odata.type"}
    return {name: value for name, value in shown.items() if not names or name in kept}


def _told(body: Json) -> Answered:
    """Return an answer with JSON."""
    return Answered(200, {"Content-Type": JSON}, json.dumps(body).encode())
