"""Contacts, their accounts, and the leads of claims."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from regportal.connectors.base import Record
from regportal.connectors.desk import Written
from regportal.connectors.espocrm.asking import Espo, Where, some, spelled, written
from regportal.connectors.espocrm.judging import DuplicateError
from regportal.connectors.judging import EMPTY
from regportal.connectors.orders import Whose
from regportal.connectors.rules import Outcome, in_full
from regportal.connectors.shapes import Row
from regportal.connectors.wording import last_name

KEY = spelled("regportal_id")
COMPANY = "company"
"""Led to the account of a contact; EspoCRM itself has no field of this name."""
ACCOUNT = "accountName"
NEW = "New"
"""The status of a lead that nobody has worked on."""
GONE = Written(None, Outcome.NOOP)
Made = Row | Written
"""A new record, or why there is none."""


def selected(fields: Sequence[str]) -> list[str]:
    """
    Return what a list is asked for to know fields of contacts.

    >>> selected(["cCountry", "company"])
    ['cCountry', 'accountName']
    """
    return [ACCOUNT if name == COMPANY else name for name in fields]


def contact(row: Row) -> Record:
    """Return a contact, with its company under our name."""
    return Record(row["id"], {**row, COMPANY: row.get(ACCOUNT)})


class People:
    """The contacts, accounts and leads of one EspoCRM."""

    def __init__(self, espo: Espo) -> None:
        """Take where to ask."""
        self._espo = espo

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> list[Sequence[Record]]:
        """Return the contacts that each is: all keys in one call, then what is left by address."""
        select = ["id", KEY, *selected(fields)]
        rows = self._keyed((who.key for who in whose), select)
        return [
            [contact(row) for row in rows if row.get(KEY) == who.key]
            or [contact(row) for row in self._by_address(who.email, select)]
            for who in whose
        ]

    def keyed(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """Return the contacts with keys of ours: key → ids."""
        rows = self._keyed(keys, ["id", KEY])
        return {key: [str(row["id"]) for row in rows if row.get(KEY) == key] for key in keys}

    def claimed(self, claims: Sequence[str]) -> dict[str, list[str]]:
        """Return the leads of claims: claim → ids."""
        return {
            claim: [
                str(row["id"])
                for row in self._espo.all("Lead", [("contains", "description", _mark(claim))])
            ]
            for claim in claims
        }

    def _keyed(self, keys: Iterable[str], select: Sequence[str]) -> list[Row]:
        """Return the contacts with keys of ours."""
        return [
            row
            for part in some(keys)
            for row in self._espo.all("Contact", [("in", KEY, part)], select)
        ]

    def _by_address(self, email: str, select: Sequence[str]) -> Sequence[Row]:
        """Return the contacts that have an address, also beside another one."""
        where: list[Where] = [("equals", "emailAddress", email)]
        return self._espo.all("Contact", where, select)

    def create(self, who: Whose, values: Mapping[str, Any]) -> Written:
        """Make a contact; one that is there with our key is that one."""
        named = {"lastName": last_name(who.email), **values}
        told = self.told(named) | {"emailAddress": who.email, KEY: who.key}
        made = self._made("Contact", told, lambda row: row.get(KEY) == who.key)
        return made if isinstance(made, Written) else taken(told, made, created=True)

    def update(self, record: Record, values: Mapping[str, Any]) -> Written:
        """Set fields of a contact."""
        told = self.told(values)
        return taken(told, self._espo.put("Contact", record.id, told))

    def told(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is written of values: of a company the id of its account."""
        told = {name: written(value) for name, value in values.items() if name != COMPANY}
        company = values.get(COMPANY)
        return told | ({"accountId": self._account(str(company))} if company else {})

    def _account(self, name: str) -> str:
        """Return the account of a name; the first that was there, and a new one where none was."""
        there = self._espo.all("Account", [("equals", "name", name)])
        if there:
            return str(there[0]["id"])
        try:
            return str(self._espo.create("Account", {"name": name})["id"])
        except DuplicateError as error:
            same = [one for one in error.records if one.get("name") == name]
            if same:
                return str(same[0]["id"])
            return str(self._espo.create("Account", {"name": name}, is_new=True)["id"])

    def lead(self, who: Whose, values: Mapping[str, Any]) -> Written:
        """Make the lead of a claim; nothing where a lead of somebody else's has the address."""
        mark = _mark(who.key)
        at = in_full(datetime.now(UTC))
        says = f"Somebody typed this address, and nobody confirmed it yet ({at}).\n{mark}"
        told = {name: written(value) for name, value in values.items() if name != COMPANY}
        if values.get(COMPANY):
            told[ACCOUNT] = values[COMPANY]
        named = {"lastName": last_name(who.email), **told}
        body = named | {"emailAddress": who.email, "description": says}
        made = self._made("Lead", body, lambda row: mark in str(row.get("description")))
        if isinstance(made, Written):
            return GONE if made.outcome is Outcome.RETRY else made
        return Written(str(made["id"]), created=True)  # a lead may lack fields that contacts have

    def unlead(self, record: str) -> Written:
        """Delete the lead of a claim, unless somebody has made something of it."""
        select = ["status", "description", "assignedUserId", "modifiedById", "createdById"]
        row = self._espo.by_id("Lead", [record], select).get(record)
        if row is None or not _is_untouched(row):
            return GONE
        self._espo.delete("Lead", record)
        return Written(record)

    def _made(self, scope: str, told: Mapping[str, Any], is_ours: Callable[[Row], bool]) -> Made:
        """Make a record; where EspoCRM has one like it, see whether that is ours."""
        try:
            return self._espo.create(scope, told)
        except DuplicateError as error:
            for one in error.records:
                if is_ours(one):
                    return Written(str(one["id"]), created=False)
            if any(_has(one, told["emailAddress"]) for one in error.records):
                return Written(None, Outcome.RETRY, "somebody with this address is there by now")
            return self._espo.create(scope, told, is_new=True)  # only the names are the same


def taken(
    told: Mapping[str, Any],
    echo: Row,
    *,
    created: bool | None = None,
    as_told: bool = False,
) -> Written:
    """
    Return what became of what was told, by what EspoCRM says the record is now.

    What it does not know, or our role may not write, it leaves out without a word. ``as_told``:
    it must have taken every value as it was; otherwise it may have put it into a form of its own.
    """
    lacks = [name for name in told if name not in echo]
    if lacks:
        return _left_out(f"EspoCRM has no field {', '.join(sorted(lacks))}")
    kept = [
        name
        for name, value in told.items()
        if value not in EMPTY
        and (echo[name] in EMPTY or (as_told and not _same(value, echo[name])))
    ]
    if kept:
        return _left_out(f"EspoCRM does not let us write {', '.join(sorted(kept))}")
    return Written(str(echo["id"]), created=created)


def _left_out(says: str) -> Written:
    """Return what became of a record of which something was left out."""
    return Written(None, Outcome.REJECTED, f"{says}: it left that out and took the rest")


def _same(told: Any, there: Any) -> bool:
    """Return whether a value is the one that was told, but for blanks around it."""
    return str(told).strip() == str(there).strip()


def _has(row: Row, email: str) -> bool:
    """Return whether a record has this address."""
    return str(row.get("emailAddress")).casefold() == email.casefold()


def _mark(claim: str) -> str:
    """Return by what the lead of a claim is known."""
    return f"[regportal:{claim}]"


def _is_untouched(row: Row) -> bool:
    """Return whether a lead is as we made it."""
    nobody = row.get("assignedUserId") is None
    ours = row.get("modifiedById") in {None, row.get("createdById")}
    marked = "[regportal:" in str(row.get("description"))
    return row.get("status") == NEW and nobody and ours and marked
