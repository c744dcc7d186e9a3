"""The records of an environment: made, changed, merged, deleted, each time with a version."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from regportal.sandbox.dynamics import refusals
from regportal.sandbox.dynamics.refusals import RefusedError
from regportal.sandbox.dynamics.schema import LOOKUPS, Key, Table, new_id

Row = dict[str, Any]
"""Column → value; of a lookup the table and the id it leads to, of a moment its text."""
Rule = Callable[[str, str, Mapping[str, Any]], str | None]
"""A plug-in: gets a table, an id and what is written, and returns why not."""
OWN = frozenset({"annotation", "connection", "task"})
"""What goes with the record it belongs to."""
FIRST_VERSION = 914_000


@dataclass(frozen=True, slots=True)
class Gone:
    """A record that was deleted."""

    table: str
    id: str
    version: int
    at: datetime


class Records:
    """All records. Whoever asks does so one after the other."""

    def __init__(self, tables: dict[str, Table], clock: Callable[[], datetime]) -> None:
        """Begin without any."""
        self.tables, self.clock = tables, clock
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in tables}
        self.gone: list[Gone] = []
        self.rules: list[Rule] = []
        self.forbidden: set[tuple[str, str, str]] = set()
        """Table and id of records that a user, by his id, may not write."""
        self.lacking: set[tuple[str, str]] = set()
        """Privileges that a user, by his id, has not."""
        self.jobs: list[Callable[[], None]] = []
        """What is done in the background: before the next call."""
        self._versions = itertools.count(FIRST_VERSION)
        self.version = next(self._versions)
        self._before: dict[tuple[str, str], Row | None] | None = None

    # --- looking ---

    def demand(self, verb: str, table: str, by: str) -> None:
        """Raise RefusedError where a user lacks a privilege."""
        if (refusals.right(verb, table), by) in self.lacking:
            raise refusals.denied(verb, table, by)

    def row(self, table: str, id: str) -> Row:
        """Return a record; raise RefusedError where it is not there."""
        found = self.rows[table].get(id.lower())
        if found is None:
            raise refusals.missing(table, id)
        return found

    def by_key(self, table: str, values: Mapping[str, Any]) -> Row | None:
        """Return the record with these values of an alternate key; raise where there is no key."""
        for key in self.tables[table].keys:
            if {*key.columns} == {*values} and key.status == "Active":
                return self._with(table, key, values)
        says = f"The key properties {', '.join(values)} are no alternate key of '{table}'."
        raise RefusedError(400, refusals.QUERY, says)

    def now(self) -> str:
        """Return the moment, as Dataverse writes it."""
        return self.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _with(self, table: str, key: Key, values: Mapping[str, Any]) -> Row | None:
        """Return the record that has certain values in the columns of a key."""
        wanted = [_alike(values.get(name)) for name in key.columns]
        if None in wanted:
            return None
        for row in self.rows[table].values():
            if [_alike(row.get(name)) for name in key.columns] == wanted:
                return row
        return None

    # --- changing ---

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Let all that is done be done, or nothing of it."""
        if self._before is not None:
            yield
            return
        before: dict[tuple[str, str], Row | None] = {}
        gone, self._before = len(self.gone), before
        try:
            yield
        except BaseException:
            for (table, id), row in before.items():
                if row is None:
                    self.rows[table].pop(id, None)
                else:
                    self.rows[table][id] = row
            del self.gone[gone:]
            raise
        finally:
            self._before = None

    def create(self, table: str, values: Mapping[str, Any], by: str, id: str | None = None) -> Row:
        """Make a record; raise RefusedError where it cannot be."""
        self.demand("Create", table, by)
        id = (id or new_id()).lower()
        if id in self.rows[table]:
            says = "A record with matching key values already exists."
            raise RefusedError(412, refusals.THERE, says)
        about = self.tables[table]
        row: Row = dict.fromkeys(about.columns)
        for column in about.columns.values():
            if column.type in {"State", "Status", "Boolean"}:
                row[column.name] = bool(0) if column.type == "Boolean" else column.options[0].value
        who = ("systemuser", by)
        row |= {about.id: id, "createdon": self.now(), "createdby": who, "ownerid": who}
        with self.transaction():
            self._write(about, row, values, by)
            if table == "connection" and values.get("relatedconnectionid") is None:
                self._mirror(row, by)
        return row

    def update(self, table: str, id: str, values: Mapping[str, Any], by: str) -> Row:
        """Change a record; raise RefusedError where it is not there, or may not be so."""
        row = dict(self.row(table, id))
        self.demand("Write", table, by)
        with self.transaction():
            self._write(self.tables[table], row, values, by)
        return row

    def delete(self, table: str, id: str, by: str) -> None:
        """Delete a record, what belongs to it, and every link to it."""
        self.row(table, id)
        self.demand("Delete", table, by)
        id = id.lower()
        if (table, id, by) in self.forbidden:
            raise refusals.not_yours(table, id, by)
        with self.transaction():
            self._touch(table, id)
            del self.rows[table][id]
            self.version = next(self._versions)
            self.gone.append(Gone(table, id, self.version, self.clock()))
            for other, there, column in [*self._leading_to(table, id)]:
                if there not in self.rows[other]:
                    continue
                if other in OWN:
                    self.delete(other, there, by)
                else:
                    self.update(other, there, {column: None}, by)

    def merge(
        self, table: str, target: str, subordinate: str, more: Mapping[str, Any], by: str
    ) -> None:
        """Let one record stand for another too, which is deactivated."""
        self.row(table, target)
        if self.row(table, subordinate)["merged"] or target == subordinate:
            raise RefusedError(400, refusals.ARGUMENT, "The record cannot be merged.")
        with self.transaction():
            for other, id, column in [*self._leading_to(table, subordinate.lower())]:
                self.update(other, id, {column: (table, target.lower())}, by)
            self.update(table, target, more, by)
            ended = {"merged": True, "masterid": (table, target.lower()), "statecode": 1}
            self.update(table, subordinate, ended | {"statuscode": 2}, by)

    def work(self) -> None:
        """Do what waits in the background."""
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            job()

    # --- inside ---

    def _write(self, about: Table, row: Row, values: Mapping[str, Any], by: str) -> None:
        """Let a record say what is written, unless a rule or a key is against it."""
        if (about.name, row[about.id], by) in self.forbidden:
            raise refusals.not_yours(about.name, row[about.id], by)
        for value in values.values():
            if isinstance(value, tuple):
                self.demand("AppendTo", value[0], by)
                if (*value, by) in self.forbidden:
                    raise refusals.denied("AppendTo", value[0], by)
        for rule in self.rules:
            says = rule(about.name, row[about.id], values)
            if says is not None:
                raise RefusedError(400, refusals.PLUGIN, says)
        row |= values
        _follow(about.name, row, values)
        for key in about.keys:
            there = self._with(about.name, key, row)
            if key.status == "Active" and there is not None and there[about.id] != row[about.id]:
                says = f"Entity Key {key.name} violated. A record with the same value for "
                says += f"{', '.join(key.columns)} already exists."
                raise RefusedError(412, refusals.KEY_THERE, says)
        self.version = next(self._versions)
        row |= {"modifiedon": self.now(), "modifiedby": ("systemuser", by)}
        row["versionnumber"] = self.version
        self._touch(about.name, row[about.id])
        self.rows[about.name][row[about.id]] = row

    def _touch(self, table: str, id: str) -> None:
        """Remember how a record was before this transaction."""
        if self._before is not None and (table, id) not in self._before:
            there = self.rows[table].get(id)
            self._before[table, id] = None if there is None else dict(there)

    def _leading_to(self, table: str, id: str) -> Iterator[tuple[str, str, str]]:
        """Yield the lookups that lead to a record: table, record and column."""
        for other, about in self.tables.items():
            lookups = [one.name for one in about.columns.values() if one.type in LOOKUPS]
            for there, row in self.rows[other].items():
                yield from ((other, there, name) for name in lookups if row[name] == (table, id))

    def _mirror(self, row: Row, by: str) -> None:
        """Make the other half of a connection: each side sees the other as the second one."""
        swapped = {
            f"record{here}{what}": row[f"record{there}{what}"]
            for here, there in ((1, 2), (2, 1))
            for what in ("id", "roleid")
        }
        related = {"relatedconnectionid": ("connection", row["connectionid"])}
        self.create("connection", swapped | related, by)
        self.rows["connection"][row["connectionid"]]["ismaster"] = True


def _alike(value: Any) -> Any:
    """Return by what Dataverse compares values of a key: letters of either case are the same."""
    return value.casefold() if isinstance(value, str) else value


def _follow(table: str, row: Row, values: Mapping[str, Any]) -> None:
    """Let columns follow others, as Dynamics has it."""
    if "firstname" in row:
        row["fullname"] = " ".join(row[one] for one in ("firstname", "lastname") if row[one])
    if table == "opportunity":
        customer = values.get("customerid")
        if customer is not None:
            row[f"parent{customer[0]}id"] = customer
        elif values.get("parentcontactid") and row["customerid"] is None:
            row["customerid"] = values["parentcontactid"]
    if table == "connection":
        codes = {"account": 1, "contact": 2, "opportunity": 3}
        for side in (1, 2):
            record = row[f"record{side}id"]
            row[f"record{side}objecttypecode"] = codes.get(record[0]) if record else None
