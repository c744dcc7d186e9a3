"""Contacts, their accounts, and the leads of claims."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from regportal.connectors.base import Kind, Record
from regportal.connectors.desk import Written
from regportal.connectors.orders import Whose
from regportal.connectors.rules import Outcome
from regportal.connectors.salesforce.api import Salesforce
from regportal.connectors.salesforce.soql import value_at, wholes
from regportal.connectors.shapes import Row
from regportal.connectors.wording import UNNAMED, last_name

KEY = "Regportal_Id__c"
COMPANY, ACCOUNT = "Account.Name", "AccountId"
"""Led to the account of a contact; Salesforce itself writes no field of another record."""
LONGEST_NAME = 80
MERGES = 5
"""Contacts that went into one another, followed to the one that is left."""
APART = ";"
"""What stands between the options of a choice of several."""
MAILING = "Mailing"
"""Before the names of the address of a contact, which a lead has without it."""
KINDS: Mapping[Kind, str] = {"contact": "Contact", "lead": "Lead"}
GONE = Written(None, Outcome.NOOP)


def written(value: Any) -> Any:
    """
    Return a value as Salesforce writes it.

    >>> written(datetime(2026, 3, 4, 12, tzinfo=UTC)), written(["a", "b"]), written(7.5)
    ('2026-03-04T12:00:00Z', 'a;b', 7.5)
    """
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return APART.join(map(str, value)) if isinstance(value, (list, tuple)) else value


def named(email: str) -> str:
    """Return what somebody is called of whom only the address is known, as long as a name is."""
    return last_name(email)[:LONGEST_NAME]


class People:
    """The contacts, accounts and leads of one org."""

    def __init__(self, salesforce: Salesforce) -> None:
        """Take whom to ask."""
        self._salesforce = salesforce

    # --- contacts ---

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> list[list[Record]]:
        """Return the contacts that each is: by our key, and only where none has it by address."""
        keyed = self._by("Contact", KEY, (who.key for who in whose), fields)
        lost = [who.email for who in whose if who.key.casefold() not in keyed]
        found_by = self._by("Contact", "Email", lost, fields)
        found = []
        for who in whose:
            rows = keyed.get(who.key.casefold()) or found_by.get(who.email.casefold()) or []
            found.append([_record(row, fields) for row in rows])
        return found

    def keyed(self, kind: Kind, keys: Sequence[str]) -> dict[str, list[str]]:
        """Return the contacts, or leads, with keys of ours: key → ids."""
        found = self._by(KINDS[kind], KEY, keys, ())
        return {key: [str(row["Id"]) for row in found.get(key.casefold(), ())] for key in keys}

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """
        Return contacts by id; one that is not there any more is left out.

        Of one that was merged into another, that other one.
        """
        wanted = wholes(ids)
        found = self._by("Contact", "Id", wanted.values(), fields)
        for _ in range(MERGES):
            lost = [id for id in wanted.values() if id.casefold() not in found]
            into = self.masters(lost)
            if not into:
                break
            wanted = {id: into.get(full, full) for id, full in wanted.items()}
            found |= self._by("Contact", "Id", into.values(), fields)
        rows = {id: found.get(full.casefold(), []) for id, full in wanted.items()}
        return {id: _record(row, fields) for id, some_ in rows.items() for row in some_}

    def masters(self, ids: Iterable[str]) -> dict[str, str]:
        """Return into which contact each of these was merged."""
        rows = self._salesforce.rows(
            ["MasterRecordId"],
            "Contact",
            ("Id", ids),
            "IsDeleted = true",
            "MasterRecordId != null",
            deleted=True,
        )
        return {row["Id"]: row["MasterRecordId"] for row in rows}

    def create(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> list[Written]:
        """Make contacts, by our key: one that is told again is the one that is there."""
        told = self._told([values for _, values in people])
        new = [
            {KEY: who.key, "Email": who.email, "LastName": named(who.email), **values}
            for (who, _), values in zip(people, told, strict=True)
        ]
        return self._salesforce.upsert("Contact", KEY, new)

    def update(self, changes: Sequence[tuple[Record, Mapping[str, Any]]]) -> list[Written]:
        """Set fields of contacts."""
        told = self._told([values for _, values in changes])
        records = [
            {"Id": record.id, **values} for (record, _), values in zip(changes, told, strict=True)
        ]
        return self._salesforce.update("Contact", records)

    # --- accounts ---

    def _told(self, many: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return values as they are written: of a company the id of its account."""
        accounts = self._accounts([str(values[COMPANY]) for values in many if values.get(COMPANY)])
        told = []
        for values in many:
            one = {name: written(value) for name, value in values.items() if name != COMPANY}
            account = accounts.get(str(values.get(COMPANY)).casefold())
            told.append(one | ({ACCOUNT: account} if account else {}))
        return told

    def _accounts(self, names: Sequence[str]) -> dict[str, str]:
        """Return accounts by their names; the eldest of each, and new ones where there is none."""
        there = self._by("Account", "Name", names, ())
        new = {name.casefold(): name for name in names if name.casefold() not in there}
        made = self._salesforce.insert("Account", [{"Name": name} for name in new.values()])
        found = {name: str(rows[0]["Id"]) for name, rows in there.items()}
        return found | {
            name: one.id for name, one in zip(new, made, strict=True) if one.id is not None
        }

    # --- leads ---

    def lead(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> list[Written]:
        """Make leads of claims; none where a lead of somebody else's has the address."""
        keyed = self._by("Lead", KEY, (who.key for who, _ in people), ())
        there_by = self._by("Lead", "Email", (who.email for who, _ in people), ())
        there: dict[str, Written] = {}
        new = []
        names = self._lead_fields() if any(values for _, values in people) else {}
        for who, values in people:
            ours = keyed.get(who.key.casefold())
            if ours:
                there[who.key] = Written(str(ours[0]["Id"]), created=False)
            elif who.email.casefold() in there_by:
                there[who.key] = GONE
            else:
                mine = {names[name]: written(one) for name, one in values.items() if name in names}
                begun = {"LastName": named(who.email), "Company": UNNAMED, **mine}
                new.append({KEY: who.key, "Email": who.email, **begun})
        made = self._salesforce.upsert("Lead", KEY, new)
        there |= {str(one[KEY]): what for one, what in zip(new, made, strict=True)}
        return [there[who.key] for who, _ in people]

    def _lead_fields(self) -> dict[str, str]:
        """Return how a lead calls the fields of a contact."""
        there = {
            str(one.get("name"))
            for one in self._salesforce.described("Lead")["fields"]
            if one.get("createable")
        }
        return (
            {name: name for name in there}
            | {f"{MAILING}{name}": name for name in there}
            | {COMPANY: "Company"}
        )

    def unlead(self, ids: Sequence[str]) -> list[Written]:
        """Delete leads of claims that nobody but us has written to."""
        fields = ("IsConverted", "CreatedById", "LastModifiedById", "LastActivityDate", KEY)
        wanted = wholes(ids)
        rows = self._by("Lead", "Id", wanted.values(), fields)
        ours = [full for full in wanted.values() if _is_untouched(rows.get(full.casefold(), []))]
        ended = dict(zip(ours, self._salesforce.delete(ours), strict=True))
        return [ended.get(wanted.get(id, ""), GONE) for id in ids]

    # --- inside ---

    def _by(
        self, kind: str, field: str, values: Iterable[str], fields: Sequence[str]
    ) -> dict[str, list[Row]]:
        """Return records by what a field of theirs says, in small letters; the eldest first."""
        found: dict[str, list[Row]] = {}
        asked = (field, *fields)
        order = "CreatedDate, Id"
        for row in self._salesforce.rows(asked, kind, (field, values), order=order):
            found.setdefault(str(row.get(field)).casefold(), []).append(row)
        return found


def _record(row: Row, fields: Sequence[str]) -> Record:
    """Return a contact."""
    return Record(str(row["Id"]), {KEY: row.get(KEY)} | {one: value_at(row, one) for one in fields})


def _is_untouched(rows: Sequence[Row]) -> bool:
    """Return whether a lead is as we made it."""
    return any(
        row.get(KEY)
        and not row.get("IsConverted")
        and row.get("LastActivityDate") is None
        and row.get("LastModifiedById") == row.get("CreatedById")
        for row in rows
    )
