"""Contacts, their accounts, and the leads of claims."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from regportal.connectors.base import Record
from regportal.connectors.desk import Written
from regportal.connectors.orders import Whose
from regportal.connectors.rules import Outcome, in_full
from regportal.connectors.shapes import Row
from regportal.connectors.suitecrm.asking import Suite, all_written, taken, typed
from regportal.connectors.suitecrm.values import spelled, text
from regportal.connectors.wording import last_name

KEY = spelled("regportal_id")
COMPANY = "company"
"""Led to the account of a contact; SuiteCRM itself has no field of this name."""
ACCOUNT = "account_name"
NEW = "New"
"""The status of a lead that nobody has worked on."""
GONE = Written(None, Outcome.NOOP)
ADDRESSES = "email_addresses"


def selected(fields: Sequence[str]) -> list[str]:
    """
    Return what is asked for to know fields of contacts.

    >>> selected(["title", "company"])
    ['email1', 'regportal_id_c', 'title', 'account_name']
    """
    return ["email1", KEY, *(ACCOUNT if name == COMPANY else name for name in fields)]


class People:
    """The contacts, accounts and leads of one SuiteCRM."""

    def __init__(self, suite: Suite) -> None:
        """Take where to ask."""
        self._suite = suite

    # --- contacts ---

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> list[Sequence[Record]]:
        """Return the contacts that each is: by our key, and only where none has it by address."""
        types = self._types(fields)
        return [[_contact(row, types) for row in self._fitting(who, fields)] for who in whose]

    def keyed(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """Return the contacts with keys of ours: key → ids."""
        return {key: [row["id"] for row in self._keyed(key, [KEY])] for key in keys}

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """Return contacts by id; one that is not there any more is left out."""
        types = self._types(fields)
        rows = self._suite.seen("Contacts", ids, selected(fields))
        return {id: _contact(row, types) for id, row in rows.items()}

    def create(self, who: Whose, values: Mapping[str, Any]) -> Written:
        """Make a contact; one that is there with our key is that one."""
        named = {"last_name": last_name(who.email), **values}
        told = self._told(named) | {"email1": who.email, KEY: who.key}
        return self._suite.make("Contacts", [who.key], told)

    def update(self, record: Record, values: Mapping[str, Any]) -> Written:
        """Set fields of a contact."""
        told = self._told(values)
        return taken(told, self._suite.patch("Contacts", record.id, told))

    def with_address(
        self, module: str, email: str, fields: Sequence[str] = ("email1",)
    ) -> Iterator[Row]:
        """
        Yield the people of a module who have an address, also as their second one.

        SuiteCRM also finds whoever had it once, and takes letters for others that look like them.
        """
        where = {"email1": {"eq": email}}
        rows, _ = self._suite.page(module, where, ["email1", *fields])
        for row in {row["id"]: row for row in rows}.values():
            if _is(email, row.get("email1")) or any(
                _is(email, one.get("email_address"))
                for one in self._suite.linked(module, row["id"], ADDRESSES)
            ):
                yield row

    def _fitting(self, who: Whose, fields: Sequence[str]) -> list[Row]:
        """Return the contacts that somebody is."""
        asked = selected(fields)
        return self._keyed(who.key, asked) or [*self.with_address("Contacts", who.email, asked)]

    def _keyed(self, key: str, asked: Sequence[str]) -> list[Row]:
        """Return the contacts with a key of ours."""
        rows, _ = self._suite.page("Contacts", {KEY: {"eq": key}}, asked)
        return rows

    def _types(self, fields: Sequence[str]) -> Mapping[str, str]:
        """Return of which types fields are; where only texts are asked for, nobody is."""
        return self._suite.types("Contacts") if {*fields} - {KEY, COMPANY} else {}

    def _told(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is written of values: of a company the id of its account."""
        told = all_written({name: one for name, one in values.items() if name != COMPANY})
        company = values.get(COMPANY)
        return told | ({"account_id": self._account(str(company))} if company else {})

    def _account(self, name: str) -> str | None:
        """Return the account of a name; the first that was there, and a new one where none was."""
        there, _ = self._suite.page("Accounts", {"name": {"eq": text(name)}}, ["name"])
        same = [row["id"] for row in there if row["name"].casefold() == name.casefold()]
        return same[0] if same else self._suite.make("Accounts", [name], {"name": text(name)}).id

    # --- leads ---

    def lead(self, who: Whose, values: Mapping[str, Any]) -> Written:
        """Make the lead of a claim; nothing where a lead of somebody else's has the address."""
        mark = _mark(who.key)
        there = [*self.with_address("Leads", who.email, ["description"])]
        if there:
            ours = [row["id"] for row in there if mark in str(row["description"])]
            return Written(ours[0], created=False) if ours else GONE
        at = in_full(datetime.now(UTC))
        says = f"Somebody typed this address, and nobody confirmed it yet ({at}).\n{mark}"
        known = self._suite.fields("Leads")
        told = {ACCOUNT if name == COMPANY else name: one for name, one in values.items()}
        told = {name: one for name, one in told.items() if name in known}
        named = {"last_name": last_name(who.email), **told}
        about = {"email1": who.email, "status": NEW, "description": says}
        return self._suite.make("Leads", [who.key], all_written(named) | about)

    def claimed(self, claims: Sequence[str]) -> dict[str, list[str]]:
        """Return the leads of claims: claim → ids."""
        return {
            claim: [
                row["id"]
                for row in self._suite.all("Leads", {"description": {"like": f"%{_mark(claim)}%"}})
            ]
            for claim in claims
        }

    def unlead(self, id: str) -> Written:
        """Delete the lead of a claim, unless somebody has made something of it."""
        asked = ["status", "description", "assigned_user_id", "modified_user_id", "created_by"]
        row = self._suite.get("Leads", id, [*asked, "converted"])
        if row is None or not _is_untouched(row):
            return GONE
        self._suite.delete("Leads", id)
        return Written(id)


def _contact(row: Row, types: Mapping[str, str]) -> Record:
    """Return a contact, with its company under our name."""
    return Record(row["id"], {**typed(row, types), COMPANY: row.get(ACCOUNT)})


def _is(email: str, there: Any) -> bool:
    """Return whether an address is this one."""
    return isinstance(there, str) and there.casefold() == email.casefold()


def _mark(claim: str) -> str:
    """Return by what the lead of a claim is known."""
    return f"[regportal:{claim}]"


def _is_untouched(row: Row) -> bool:
    """Return whether a lead is as we made it."""
    nobody = not row.get("assigned_user_id") and row.get("converted") != "1"
    ours = row.get("modified_user_id") == row.get("created_by")
    marked = "[regportal:" in str(row.get("description"))
    return row.get("status") == NEW and nobody and ours and marked
