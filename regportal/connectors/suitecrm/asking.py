"""Asking SuiteCRM: lists with conditions, single records and what they are linked with."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from regportal.connectors.calls import Calls, clock_of, pages
from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.egress import Egress
from regportal.connectors.judging import EMPTY
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import Row
from regportal.connectors.suitecrm.judging import (
    HiddenError,
    NoRightError,
    ThereAlreadyError,
    judged,
)
from regportal.connectors.suitecrm.values import read_text, read_value, written
from regportal.connectors.tokens import Token

PAGE = 100
"""Records in one answer: with the links that nobody asks for, a record is some kilobytes."""
LIVES = 20
"""How often something of one id of ours may have been deleted and made again."""
OURS = uuid.UUID("6f6c3ea6-6a7c-5b0e-9a55-5d7f6a1d3c21")
"""The namespace of the ids that we give to records."""
Got = TypeVar("Got")
Where = Mapping[str, Mapping[str, Any]]
"""Conditions that all hold: attribute → operator → value."""


def is_id(text: str) -> bool:
    """
    Return whether a text may be the id of a record: SuiteCRM refuses to look for any other.

    >>> is_id("6b0400a1-3b1e-4e5f-8c7d-0123456789ab"), is_id("0065g00000XyZ")
    (True, False)
    """
    if text.isascii() and text.isdecimal():
        return True
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def id_of(*about: str) -> str:
    """
    Return the id of a record that we make: of the same thing always the same.

    >>> id_of("note", "1", "2") == id_of("note", "1", "2") != id_of("note", "1", "3")
    True
    """
    return str(uuid.uuid5(OURS, ":".join(about)))


@dataclass(frozen=True, slots=True)
class Suite:
    """The API of one SuiteCRM. Everything raises what :class:`Calls` raises."""

    calls: Calls

    @classmethod
    def at(cls, url: str, egress: Egress, client: str, secret: str) -> "Suite":
        """Return the API beneath a URL, for an OAuth2 client with credentials of its own."""
        base = f"{url.rstrip('/')}/Api"
        asked = {"client_id": client, "client_secret": secret}
        token = Token(f"{base}/access_token", egress, asked)
        return cls(Calls(f"{base}/V8", egress, token.headers, judged, token.renew))

    # --- reading ---

    def fields(self, module: str) -> Mapping[str, Mapping[str, Any]]:
        """Return what SuiteCRM says of the fields of a module, by name."""
        data = _data(self.calls.ask("GET", f"/meta/fields/{module}"))
        fields = data.get("attributes") if isinstance(data, dict) else None
        if not isinstance(fields, dict):
            raise NotTakenError(Outcome.RETRY, "SuiteCRM answered no fields")
        return fields

    def types(self, module: str) -> Mapping[str, str]:
        """Return of which types the fields of a module are, by name."""
        return {name: str(about.get("type")) for name, about in self.fields(module).items()}

    def get(self, module: str, id: str, fields: Sequence[str]) -> Row | None:
        """Return a record; None where it is not there any more."""
        path, query = f"/module/{module}/{id}", _selected(module, fields)
        told = self._of_one(lambda: self._there(path, query)) if is_id(id) else None
        return None if told is None else _row(_data(told))

    def seen(self, module: str, ids: Iterable[str], fields: Sequence[str]) -> dict[str, Row]:
        """Return records by id; those that are gone, or that our user may not see, are left out."""
        found: dict[str, Row] = {}
        for id in dict.fromkeys(ids):
            try:
                row = self.get(module, id, fields)
            except HiddenError:
                continue
            found |= {} if row is None else {row["id"]: row}
        return found

    def page(
        self,
        module: str,
        where: Where,
        fields: Sequence[str] = ("date_modified",),
        *,
        sort: str = "date_entered",
        most: int = PAGE,
    ) -> tuple[list[Row], datetime]:
        """Return the first records of a list, and what time it was there, or else here."""
        query = {
            f"filter[{name}][{op}]": one for name, ops in where.items() for op, one in ops.items()
        }
        query |= _selected(module, fields) | {"sort": sort, "page[size]": most, "page[number]": 1}
        answer = self.calls.answer("GET", f"/module/{module}", query=query)
        return _rows(self.calls.read(answer)), clock_of(answer) or datetime.now(UTC)

    def all(
        self, module: str, where: Where, fields: Sequence[str] = ("date_modified",)
    ) -> Iterator[Row]:
        """Yield all records that fit, in the order of their ids."""
        after = ""
        for _ in pages():
            more = {"id": {"gt": after}} if after else {}
            rows, _ = self.page(module, {**where, **more}, fields, sort="id")
            yield from rows
            if len(rows) < PAGE:
                return
            after = rows[-1]["id"]

    def linked(self, module: str, id: str, link: str, page: int | None = None) -> list[Row]:
        """Return the records one is linked with, with all of their fields; or one page of them."""
        query = {} if page is None else {"page[size]": PAGE, "page[number]": page, "sort": "id"}
        path = f"/module/{module}/{id}/relationships/{link}"
        told = self._there(path, query) if is_id(id) else None
        return [] if told is None else _rows(told)

    def _there(self, path: str, query: Mapping[str, Any]) -> Any:
        """Return what there is at a path; None where the record went away."""
        try:
            return self.calls.ask("GET", path, query=query)
        except NotTakenError as error:
            if error.outcome is Outcome.LATER:
                return None
            raise

    @staticmethod
    def _of_one(do: Callable[[], Got]) -> Got:
        """Do something with one record; what our user may not do with it he may with others."""
        try:
            return do()
        except NoRightError:
            raise HiddenError from None

    # --- writing ---

    def create(self, module: str, id: str, told: Mapping[str, Any]) -> Row:
        """Make a record under an id; raise ThereAlreadyError where there was one."""
        data = {"type": module, "id": id, "attributes": told}
        return _row(_data(self.calls.ask("POST", "/module", told={"data": data})))

    def patch(self, module: str, id: str, told: Mapping[str, Any]) -> Row:
        """Set fields of a record."""
        whole = {"data": {"type": module, "id": id, "attributes": told}}
        return _row(_data(self._of_one(lambda: self.calls.ask("PATCH", "/module", told=whole))))

    def make(
        self, module: str, about: Sequence[str], told: Mapping[str, Any], check: Sequence[str] = ()
    ) -> Written:
        """
        Make a record of which the id is worked out: what is there already is not made again.

        The id of a record that somebody deleted is never free again: then it is the next one.
        """
        for life in range(LIVES):
            id = id_of(module, *about, str(life))
            try:
                return taken(told, self.create(module, id, told), check, created=True)
            except ThereAlreadyError:
                if self.get(module, id, ("date_modified",)) is not None:
                    return Written(id, created=False)
        return Written(None, Outcome.REJECTED, f"it was deleted in SuiteCRM {LIVES} times")

    def link(self, module: str, id: str, link: str, type_: str, other: str) -> None:
        """Link two records."""
        path = f"/module/{module}/{id}/relationships/{link}"
        whole = {"data": {"type": type_, "id": other}}
        self._of_one(lambda: self.calls.ask("POST", path, told=whole))

    def unlink(self, module: str, id: str, link: str, other: str) -> None:
        """Let two records be linked no longer."""
        path = f"/module/{module}/{id}/relationships/{link}/{other}"
        try:
            self._of_one(lambda: self.calls.ask("DELETE", path))
        except NotTakenError as error:
            if error.outcome is not Outcome.NOOP:
                raise

    def delete(self, module: str, id: str) -> None:
        """Delete a record; it stays in the database, where nobody sees it."""
        self._of_one(lambda: self.calls.ask("DELETE", f"/module/{module}/{id}"))


def typed(row: Row, types: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a record as ours."""
    return {name: read_value(types.get(name), value) for name, value in row.items()}


def taken(
    told: Mapping[str, Any], echo: Row, check: Sequence[str] = (), *, created: bool | None = None
) -> Written:
    """
    Return what became of what was told, by what SuiteCRM says the record is now.

    It cuts out what it takes for HTML. Fields of ``check`` must say what was told.
    """
    lost = [
        name
        for name, value in told.items()
        if name in echo
        and value not in EMPTY
        and (echo[name] in EMPTY or (name in check and echo[name] != read_text(value)))
    ]
    if lost:
        says = f"SuiteCRM did not keep {', '.join(sorted(lost))}: it took the rest"
        return Written(None, Outcome.REJECTED, says)
    return Written(str(echo["id"]), created=created)


def all_written(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as SuiteCRM is told them."""
    return {name: written(value) for name, value in values.items()}


def _selected(module: str, fields: Sequence[str]) -> dict[str, str]:
    """Return how SuiteCRM is asked for some fields only."""
    return {f"fields[{module}]": ",".join(dict.fromkeys(fields))}


def _data(told: Any) -> Any:
    """Return what an answer is about; raise NotTakenError where that is no SuiteCRM's."""
    if isinstance(told, dict) and "data" in told:
        return told["data"]
    raise NotTakenError(Outcome.RETRY, "SuiteCRM answered no record")


def _rows(told: Any) -> list[Row]:
    """Return the records of a list."""
    data = told.get("data", []) if isinstance(told, dict) and told else None
    if not isinstance(data, list):
        raise NotTakenError(Outcome.RETRY, "SuiteCRM answered no list")
    return [_row(one) for one in data]


def _row(data: Any) -> Row:
    """Return one record."""
    attributes = data.get("attributes") if isinstance(data, dict) else None
    if not isinstance(attributes, dict) or not isinstance(data.get("id"), str):
        raise NotTakenError(Outcome.RETRY, "SuiteCRM answered no record")
    read = {n: read_text(one) if isinstance(one, str) else one for n, one in attributes.items()}
    return {"id": data["id"], **read}
