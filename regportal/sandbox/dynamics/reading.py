"""What is answered of records: the columns asked for, in order, page by page, or what changed."""

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from regportal.sandbox.dynamics.filters import holds
from regportal.sandbox.dynamics.records import Gone, Records, Row
from regportal.sandbox.dynamics.refusals import (
    EXPIRED,
    QUERY,
    RefusedError,
    unknown_property,
)
from regportal.sandbox.dynamics.schema import CHOICES, LOOKUPS, Column, Table

PAGE = 5000
REMEMBERED = timedelta(days=7)
"""How long deletions are remembered for whoever asks what changed."""
FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOGICAL, NAVIGATED = (
    "Microsoft.Dynamics.CRM.lookuplogicalname",
    "Microsoft.Dynamics.CRM.associatednavigationproperty",
)
NOT_TRACKED = ("$filter", "$orderby", "$expand", "$top")
TRACKED = re.compile(r'kind="(\d)" after="(\d+)" until="(\d+)"')
EXPANDED = re.compile(r"([A-Za-z_]\w*)(?:\(([^()]*)\))?")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the header ``Prefer`` asks for."""

    page: int = PAGE
    tracks: bool = False
    annotates: bool = False
    represents: bool = False

    @classmethod
    def read(cls, prefer: str) -> "Wishes":
        """
        Return what a header asks for.

        >>> Wishes.read("odata.maxpagesize=2, odata.track-changes")
        Wishes(page=2, tracks=True, annotates=False, represents=False)
        """
        size = re.search(r"odata\.maxpagesize=(\d+)", prefer)
        return cls(
            page=min(max(int(size[1]), 1), PAGE) if size else PAGE,
            tracks="odata.track-changes" in prefer,
            annotates="odata.include-annotations" in prefer,
            represents="return=representation" in prefer,
        )


class Reading:
    """The answers of one environment."""

    def __init__(self, records: Records, base: str) -> None:
        """Take the records, and where the API is."""
        self._records, self._base = records, base

    def one(
        self, table: Table, row: Row, query: Mapping[str, str], wishes: Wishes = Wishes()
    ) -> dict[str, Any]:
        """Return a record as it is answered by itself."""
        self._known(query, {"$select", "$expand"})
        context = f"{self._base}/$metadata#{table.entity_set}/$entity"
        return {"@odata.context": context} | self._shown(table, row, query, wishes)

    def many(self, table: Table, query: Mapping[str, str], wishes: Wishes) -> dict[str, Any]:
        """Return a page of records, and where the next one is; or what changed since a token."""
        if wishes.tracks or "$deltatoken" in query:
            return self._changed(table, query, wishes)
        known = {"$select", "$filter", "$orderby", "$top", "$expand", "$count", "$skiptoken"}
        self._known(query, known)
        rows: Iterable[Row] = self._records.rows[table.name].values()
        if "$filter" in query:
            rows = filter(holds(query["$filter"], self._getter(table)), rows)
        ordered = self._ordered(table, query.get("$orderby", ""), [*rows])
        if "$top" in query:
            ordered = ordered[: _whole("$top", query["$top"])]
        first = _place(query.get("$skiptoken"))
        page = ordered[first : first + wishes.page]
        answer: dict[str, Any] = {"@odata.context": self._context(table, query)}
        if query.get("$count") == "true":
            answer["@odata.count"] = min(len(ordered), PAGE)
        answer["value"] = [self._shown(table, row, query, wishes) for row in page]
        if first + wishes.page < len(ordered):
            answer["@odata.nextLink"] = self._next(table, query, first + wishes.page)
        return answer

    def _changed(self, table: Table, query: Mapping[str, str], wishes: Wishes) -> dict[str, Any]:
        """Return what changed since a token, oldest first, then what was deleted."""
        for name in NOT_TRACKED:
            if name in query:
                says = f'The "{name}" query parameter isn\'t supported when Change Tracking is on.'
                raise RefusedError(400, QUERY, says)
        if not table.is_tracked:
            says = f"Entity: {table.name} isn't enabled for change tracking."
            raise RefusedError(400, "0x80072538", says)
        since, is_delta = self._since(query.get("$deltatoken"))
        place = TRACKED.search(query.get("$skiptoken", ""))
        until = int(place[3]) if place else self._records.version
        after = (int(place[1]), int(place[2])) if place else (0, 0)
        found = [
            ((0, int(row["versionnumber"])), self._shown(table, row, query, wishes))
            for row in self._records.rows[table.name].values()
        ]
        found += [
            ((1, gone.version), self._ended(table, gone))
            for gone in self._records.gone
            if gone.table == table.name and is_delta
        ]
        told = sorted(
            (one for one in found if since < one[0][1] <= until and one[0] > after),
            key=lambda one: one[0],
        )
        page = told[: wishes.page]
        answer: dict[str, Any] = {
            "@odata.context": self._context(table, query) + ("/$delta" if is_delta else ""),
            "value": [one for _, one in page],
        }
        if len(page) < len(told):
            (kind, version), _ = page[-1]
            cookie = f'<cookie kind="{kind}" after="{version}" until="{until}" />'
            answer["@odata.nextLink"] = self._link(table, query, {"$skiptoken": cookie})
        else:
            token = f"{until}!{self._records.clock():%m/%d/%Y %H:%M:%S}"
            answer["@odata.deltaLink"] = self._link(table, query, {"$deltatoken": token})
        return answer

    def _since(self, token: str | None) -> tuple[int, bool]:
        """Return after which version a token asks, and whether it asks for deletions."""
        if token is None:
            return 0, False
        version, _, at = token.partition("!")
        if not version.isdecimal():
            raise RefusedError(400, QUERY, "The delta token is not valid.")
        try:
            asked = datetime.strptime(at, "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC)
        except ValueError:
            raise RefusedError(400, QUERY, "The delta token is not valid.") from None
        if self._records.clock() - asked > REMEMBERED:
            says = "Version stamp associated with the client has expired. Please perform a full "
            raise RefusedError(400, EXPIRED, f"{says}sync.")
        return int(version), True

    def _ended(self, table: Table, gone: Gone) -> dict[str, Any]:
        """Return how a deletion is told."""
        context = f"{self._base}/$metadata#{table.entity_set}/$deletedEntity"
        return {"@odata.context": context, "id": gone.id, "reason": "deleted"}

    # --- one record ---

    def _shown(
        self, table: Table, row: Row, query: Mapping[str, str], wishes: Wishes
    ) -> dict[str, Any]:
        """Return the columns of a record that are asked for, and its id."""
        shown: dict[str, Any] = {"@odata.etag": etag(row)}
        columns = self._selected(table, query.get("$select"))
        for column in columns:
            value = row[column.name]
            shown[column.property] = value[1] if column.type in LOOKUPS and value else value
            if wishes.annotates and value is not None:
                shown |= self._annotated(column, value)
        shown[table.id] = row[table.id]
        for name, more in _expansions(query.get("$expand", "")):
            found = table.navigation(name)
            if found is None:
                raise unknown_property(table.name, name)
            shown[name] = self._led(found, row, more)
        return shown

    def _led(self, found: tuple[Column, str], row: Row, more: Mapping[str, str]) -> Any:
        """Return the record that a lookup leads to, as far as it is asked for."""
        column, target = found
        there = row[column.name]
        if there is None or there[0] != target:
            return None
        return self._shown(self._records.tables[target], self._records.row(*there), more, Wishes())

    def _annotated(self, column: Column, value: Any) -> dict[str, Any]:
        """Return what people read of a value."""
        if column.type in LOOKUPS:
            table = self._records.tables[value[0]]
            row = self._records.rows[table.name].get(value[1], {})
            navigation = next(
                (name for name, target in column.navigations.items() if target == table.name), ""
            )
            name = column.property
            return {
                f"{name}@{FORMATTED}": row.get(table.title),
                f"{name}@{LOGICAL}": table.name,
                f"{name}@{NAVIGATED}": navigation,
            }
        if column.type in CHOICES:
            labels = {option.value: option.label for option in column.options}
            return {f"{column.name}@{FORMATTED}": labels.get(int(value), str(value))}
        if isinstance(value, (int, float)):
            return {f"{column.name}@{FORMATTED}": f"{value:,}"}
        return {}

    def _selected(self, table: Table, select: str | None) -> Sequence[Column]:
        """Return the columns that are asked for; all where none is named."""
        if not select:
            return [*table.columns.values()]
        found = []
        for name in select.split(","):
            column = table.by_property(name.strip())
            if column is None:
                raise unknown_property(table.name, name.strip())
            found.append(column)
        return found

    def _getter(self, table: Table) -> Callable[[str], Callable[[Row], Any]]:
        """Return how a filter reads properties, also those of a record that a lookup leads to."""

        def get(name: str) -> Callable[[Row], Any]:
            navigation, _, more = name.partition("/")
            if more:
                found = table.navigation(navigation)
                if found is None:
                    raise unknown_property(table.name, navigation)
                return self._through(found, more)
            column = table.by_property(name)
            if column is None:
                raise unknown_property(table.name, name)
            if column.type in LOOKUPS:
                return lambda row: row[column.name] and row[column.name][1]
            return lambda row: row[column.name]

        return get

    def _through(self, found: tuple[Column, str], more: str) -> Callable[[Row], Any]:
        """Return how a property is read of the record that a lookup leads to."""
        column, target = found
        inner = self._getter(self._records.tables[target])(more)

        def get(row: Row) -> Any:
            there = row[column.name]
            led = there is not None and there[0] == target
            return inner(self._records.row(*there)) if led else None

        return get

    def _ordered(self, table: Table, orderby: str, rows: list[Row]) -> list[Row]:
        """Return records in the order that is asked for; else in that of their making."""
        for part in reversed([one for one in orderby.split(",") if one.strip()]):
            name, _, direction = part.strip().partition(" ")
            if direction.strip() not in {"", "asc", "desc"}:
                raise RefusedError(400, QUERY, f"Syntax error in $orderby: '{part}'.")
            place = functools.partial(_sortable, self._getter(table)(name))
            rows.sort(key=place, reverse=direction.strip() == "desc")
        return rows

    # --- links ---

    def _context(self, table: Table, query: Mapping[str, str]) -> str:
        """Return what an answer is about."""
        select = query.get("$select")
        return f"{self._base}/$metadata#{table.entity_set}" + (f"({select})" if select else "")

    def _next(self, table: Table, query: Mapping[str, str], first: int) -> str:
        """Return where the next page is: with a cookie, as Dataverse makes it."""
        cookie = f'<cookie pagenumber="{first}" istracking="False" />'
        return self._link(table, query, {"$skiptoken": cookie})

    def _link(self, table: Table, query: Mapping[str, str], more: Mapping[str, str]) -> str:
        """Return a link to this table with the same query, and more."""
        kept = {name: value for name, value in query.items() if name != "$skiptoken"}
        told = urlencode({**kept, **more}, quote_via=quote, safe="$,'()")
        return f"{self._base}/{table.entity_set}?{told}"

    @staticmethod
    def _known(query: Mapping[str, str], known: set[str]) -> None:
        """Refuse options that are not known."""
        for name in query:
            if name.startswith("$") and name not in known:
                raise RefusedError(400, QUERY, f"The query parameter {name} is not supported")


def etag(row: Row) -> str:
    """Return which version of a record this is."""
    return f'W/"{row["versionnumber"]}"'


def _expansions(text: str) -> list[tuple[str, dict[str, str]]]:
    """
    Return what is to be expanded, each with its own options.

    >>> _expansions("ownerid($select=fullname,isdisabled),parentcontactid")
    [('ownerid', {'$select': 'fullname,isdisabled'}), ('parentcontactid', {})]
    """
    found = []
    for match in EXPANDED.finditer(text):
        options = dict(one.split("=", 1) for one in (match[2] or "").split(";") if "=" in one)
        found.append((match[1], options))
    return found


def _place(cookie: str | None) -> int:
    """Return where a page begins."""
    found = re.search(r'pagenumber="(\d+)"', cookie or "")
    return int(found[1]) if found else 0


def _whole(name: str, text: str) -> int:
    """Return a whole number that an option says."""
    if not text.isdecimal() or int(text) < 1:
        raise RefusedError(400, QUERY, f"Invalid value '{text}' for {name} query option found.")
    return int(text)


def _sortable(get: Callable[[Row], Any], row: Row) -> tuple[bool, Any]:
    """Return by what a record is sorted: nothing first."""
    value = get(row)
    folded = value.casefold() if isinstance(value, str) else value
    return (value is not None, folded if value is not None else 0)
