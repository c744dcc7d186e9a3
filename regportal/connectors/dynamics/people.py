"""Contacts, found and written: also those that were merged into others, and their accounts."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from regportal.connectors.base import Record
from regportal.connectors.calls import FINE, said
from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.dynamics.batches import Op
from regportal.connectors.dynamics.dataverse import CREATE, Dataverse, any_of, guids, query, text
from regportal.connectors.dynamics.judging import KEY_THERE, RefusedError, judged
from regportal.connectors.dynamics.shape import COMPANY, KEY, Shape
from regportal.connectors.egress import Answer
from regportal.connectors.orders import Whose
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import Row
from regportal.connectors.wording import last_name

ADDRESSES = ("emailaddress1", "emailaddress2", "emailaddress3")
ALWAYS = ("contactid", "statecode", "merged", "_masterid_value", *ADDRESSES, KEY)
ACCOUNT = "parentcustomerid_account"
LONGEST_NAME = 50
"""Letters of a last name, of a contact as of a lead."""
FIRMS = uuid.UUID("6f0f3d0e-6b1c-5a53-9d5e-8a1b0c7a3f10")
"""Of accounts that we make: a firm's id follows from its name, so that it is made once."""
DEEPEST = 5
"""Merges that are followed one after the other."""
CREATED, HAS_IT = 201, 412
"""What is answered to whoever makes something: that it is made, and that it was there already."""
REPRESENT = {"Prefer": "return=representation"}


class People:
    """The contacts and accounts of one environment."""

    def __init__(self, dataverse: Dataverse, shape: Shape) -> None:
        """Take where to ask."""
        self._dataverse, self._shape = dataverse, shape

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> list[Sequence[Record]]:
        """Return the contacts that each is: by our key, and only where none has it by address."""
        keyed = self._where(any_of([KEY], (text(who.key) for who in whose)), fields)
        by_key = {str(row.get(KEY)): row for row in keyed}
        lost = [who for who in whose if who.key not in by_key]
        named = self._where(any_of(ADDRESSES, (text(who.email) for who in lost)), fields)
        masters = self._masters([*by_key.values(), *named], fields)
        found: list[Sequence[Record]] = []
        for who in whose:
            row = by_key.get(who.key)
            rows = [row] if row else [one for one in named if _has(one, who.email)]
            now = {one["contactid"]: one for one in (masters.get(r["contactid"], r) for r in rows)}
            found.append([self._record(one, fields) for one in _active([*now.values()])])
        return found

    def keyed(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """Return the contacts with keys of ours: key → ids."""
        rows = self._where(any_of([KEY], (text(key) for key in keys)), ())
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(str(row.get(KEY)), []).append(row["contactid"])
        return found

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """Return contacts by id; of one that was merged, that into which it was."""
        rows = self._where(any_of(["contactid"], guids(ids)), fields)
        masters = self._masters(rows, fields)
        return {
            row["contactid"]: self._record(masters.get(row["contactid"], row), fields)
            for row in rows
        }

    def create(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> list[Written]:
        """Make contacts by their alternate key: one that is told again is that one."""
        ready = [
            (
                {"lastname": last_name(who.email)[:LONGEST_NAME], **values},
                {"emailaddress1": who.email},
                who.key,
            )
            for who, values in people
        ]
        told = self._told([values for values, _, _ in ready])
        ops = [
            Op("PATCH", f"contacts({KEY}={text(key)})?$select=contactid", one | more, REPRESENT)
            for one, (_, more, key) in zip(told, ready, strict=True)
            if not isinstance(one, Written)
        ]
        made = iter(self._dataverse.write(ops, lambda _, answer: _made(answer)))
        return [one if isinstance(one, Written) else next(made) for one in told]

    def update(self, changes: Sequence[tuple[Record, Mapping[str, Any]]]) -> list[Written]:
        """Set fields of contacts, as long as they are as they were read."""
        told = self._told([values for _, values in changes])
        pairs = [
            (record, one)
            for one, (record, _) in zip(told, changes, strict=True)
            if not isinstance(one, Written)
        ]
        errors = self._dataverse.errors([_patched(record, one) for record, one in pairs])
        done = iter(
            [self._updated(*pair, error) for pair, error in zip(pairs, errors, strict=True)]
        )
        return [one if isinstance(one, Written) else next(done) for one in told]

    def _updated(
        self, record: Record, told: Mapping[str, Any], error: NotTakenError | None
    ) -> Written:
        """Return what became of a contact; our key is taken off whoever was merged into it."""
        if error is None:
            return Written(record.id)
        is_key = isinstance(error, RefusedError) and error.code == KEY_THERE
        if is_key and self._freed(record, str(told.get(KEY))):
            return Written(None, Outcome.LATER, "a merged contact still had our key")
        return Written.refused(error)

    def _freed(self, record: Record, key: str) -> bool:
        """Take our key off a contact that was merged into this one; return whether there is."""
        rows = self._where(any_of([KEY], [text(key)]), ())
        ours = [one for one in rows if one.get("merged") and self._leads(one, record.id)]
        ops = [Op("PATCH", f"contacts({one['contactid']})", {KEY: None}) for one in ours]
        return bool(ops) and all(one.status in FINE for one in self._dataverse.all(ops))

    def _leads(self, row: Row, id: str) -> bool:
        """Return whether a contact was merged into that one."""
        masters = self._masters([row], ())
        return bool(masters.get(row["contactid"], {}).get("contactid") == id)

    # --- inside ---

    def _where(self, conditions: Iterator[str], fields: Sequence[str]) -> list[Row]:
        """Return the contacts for which one of some conditions holds."""
        expand = f"{ACCOUNT}($select=name)" if COMPANY in fields else ""
        select = [*ALWAYS, *(one for one in fields if one != COMPANY)]
        asked = [query("contacts", select, one, expand) for one in conditions]
        return [row for rows in self._dataverse.rows(asked) for row in rows]

    def _masters(self, rows: Sequence[Row], fields: Sequence[str]) -> dict[str, Row]:
        """Return into which contact each was merged; whoever was not is left out."""
        ends = {row["contactid"]: row for row in rows}
        for _ in range(DEEPEST):
            led = {id: _master(row) for id, row in ends.items()}
            there = {
                row["contactid"]: row
                for row in self._where(any_of(["contactid"], filter(None, led.values())), fields)
            }
            moved = {id: there[master] for id, master in led.items() if master in there}
            if not moved:
                break
            ends |= moved
        return {id: row for id, row in ends.items() if row["contactid"] != id}

    def _told(self, many: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | Written]:
        """Return what is written of each; accounts that nobody has are made."""
        firms = self._firms({str(one[COMPANY]).strip() for one in many if one.get(COMPANY)})
        told: list[dict[str, Any] | Written] = []
        for values in many:
            mine = {name: value for name, value in values.items() if name != COMPANY}
            firm = firms.get(str(values.get(COMPANY)).strip().casefold())
            led = {f"{ACCOUNT}@odata.bind": f"/accounts({firm})"} if firm else {}
            try:
                told.append(self._shape.written("contact", mine) | led)
            except NotTakenError as error:
                told.append(Written.refused(error))
        return told

    def _firms(self, names: set[str]) -> dict[str, str]:
        """Return the ids of accounts by name, without regard to case; make those that lack."""
        if not names:
            return {}
        holds = (f"{one} and statecode eq 0" for one in any_of(["name"], map(text, sorted(names))))
        asked = [query("accounts", ["accountid", "name"], one) for one in holds]
        rows = [row for some in self._dataverse.rows(asked) for row in some]
        known = {str(row["name"]).casefold(): str(row["accountid"]) for row in reversed(rows)}
        new = {
            one: str(uuid.uuid5(FIRMS, one.casefold()))
            for one in sorted(names)
            if one.casefold() not in known
        }
        ops = [Op("PATCH", f"accounts({id})", {"name": one}, CREATE) for one, id in new.items()]
        for answer in self._dataverse.all(ops) if ops else ():
            if answer.status not in FINE and answer.status != HAS_IT:
                raise judged(answer)
        return known | {one.casefold(): id for one, id in new.items()}

    def _record(self, row: Row, fields: Sequence[str]) -> Record:
        """Return a contact, with its company under our name, and choices by our keys."""
        values = {
            name: self._shape.read_value("contact", name, row.get(name))
            for name in (KEY, *fields)
            if name != COMPANY
        }
        values[COMPANY] = (row.get(ACCOUNT) or {}).get("name")
        return Record(str(row["contactid"]), values, etag=row.get("@odata.etag"))


def _patched(record: Record, told: Mapping[str, Any]) -> Op:
    """Return the call that sets fields of a contact."""
    return Op("PATCH", f"contacts({record.id})", told, {"If-Match": record.etag or "*"})


def _made(answer: Answer) -> Written:
    """Return what became of a contact that was to be made."""
    told = said(answer)
    id = told.get("contactid") if isinstance(told, dict) else None
    if not isinstance(id, str):
        return Written(None, Outcome.RETRY, "Dynamics answered no record")
    return Written(id, created=answer.status == CREATED)


def _master(row: Row) -> str | None:
    """Return into which contact one was merged."""
    return row.get("_masterid_value") if row.get("merged") else None


def _has(row: Row, email: str) -> bool:
    """Return whether a contact has an address."""
    return email.casefold() in {str(row.get(one)).casefold() for one in ADDRESSES}


def _active(rows: Sequence[Row]) -> Sequence[Row]:
    """Return those that are active; all where none is."""
    return [row for row in rows if row.get("statecode") == 0] or rows
