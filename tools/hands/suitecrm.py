"""The hands of people in a SuiteCRM, and their eyes."""

from collections.abc import Sequence
from typing import Any

from regportal.connectors.shapes import Row
from regportal.connectors.suitecrm.asking import Suite
from regportal.connectors.suitecrm.values import spelled, text

OF_A_FIELD = ("type", "source", "comments")
"""What is read of what SuiteCRM says of a field."""
ADDRESSES, LISTS, OUT = "email_addresses", "prospect_lists", " (unsubscribed)"


def trimmed(path: str, said: Any) -> Any:
    """Return of what SuiteCRM tells what is read: no links, and of a field only some of it."""
    if not isinstance(said, dict):
        return said
    if "/meta/fields/" in path:
        fields = said["data"]["attributes"]
        return {"data": {"attributes": {name: _field(one) for name, one in fields.items()}}}
    return {name: _bare(one) for name, one in said.items()}


def _field(about: Row) -> Row:
    """Return of a field what is read."""
    return {name: about[name] for name in OF_A_FIELD if name in about}


def _bare(told: Any) -> Any:
    """Return records without their links."""
    if isinstance(told, list):
        return [_bare(one) for one in told]
    if not (isinstance(told, dict) and "attributes" in told):
        return told
    return {name: told[name] for name in ("type", "id", "attributes")}


class SuiteHands:
    """They know SuiteCRM by its API: its pages make no calls that a program could make."""

    def __init__(self, suite: Suite, phase_field: str = "buying_phase") -> None:
        """Take as whom they call it, and how the buying phase is called."""
        self.suite, self.phase_field = suite, spelled(phase_field)

    # --- what they do ---

    def person(self, email: str, **fields: Any) -> str:
        """Write down a contact; return its id."""
        named = {"last_name": email.partition("@")[0], "email1": email, **fields}
        return self.make("Contacts", named)

    def opportunity(self, *contacts: str, name: str) -> str:
        """Begin an opportunity with these contacts; return its id."""
        told = {"name": name, "amount": 12000.5, "sales_stage": "Prospecting"}
        made = self.make("Opportunities", told | {"date_closed": "2030-12-31"})
        for contact in contacts:
            self.suite.link("Opportunities", made, "contacts", "Contacts", contact)
        return made

    def win(self, opportunity: str) -> None:
        """Close an opportunity as won."""
        self.suite.patch("Opportunities", opportunity, {"sales_stage": "Closed Won"})

    def make_list(self, name: str) -> None:
        """Make nothing: regportal makes the lists of a newsletter that has none."""

    def opt_out(self, contact: str, newsletter: str) -> None:
        """Put a contact on the list of those who do not want a newsletter."""
        where = {"name": {"eq": f"{newsletter}{OUT}"}}
        there, _ = self.suite.page("ProspectLists", where, ["name"])
        told = {"name": f"{newsletter}{OUT}", "list_type": "exempt"}
        id = there[0]["id"] if there else self.make("ProspectLists", told)
        self.suite.link("ProspectLists", id, "contacts", "Contacts", contact)

    def change_address(self, contact: str, email: str) -> None:
        """Let a contact have another address; the first one is gone."""
        for one in self.suite.linked("Contacts", contact, ADDRESSES):
            self.suite.unlink("Contacts", contact, ADDRESSES, one["id"])
        self.suite.patch("Contacts", contact, {"email1": email})

    def make(self, module: str, told: Row) -> str:
        """Make a record; return its id, which SuiteCRM chooses."""
        data = {"type": module, "attributes": told}
        return str(self.suite.calls.ask("POST", "/module", told={"data": data})["data"]["id"])

    # --- what they see ---

    def people(self, email: str) -> Sequence[str]:
        """Return the ids of all contacts with an address."""
        rows, _ = self.suite.page("Contacts", {"email1": {"eq": email}}, ["email1"])
        fit = {row["id"] for row in rows if row["email1"].casefold() == email.casefold()}
        return sorted(fit)

    def companies(self, name: str) -> Sequence[str]:
        """Return the ids of all companies of a name."""
        return [row["id"] for row in self.suite.all("Accounts", {"name": {"eq": text(name)}})]

    def company_of(self, contact: str) -> str | None:
        """Return the name of a contact's company."""
        name: str | None = self.record("Contacts", contact, "account_name")["account_name"]
        return name

    def phase(self, opportunity: str) -> str | None:
        """Return the buying phase of an opportunity, as its field shows it."""
        phase: str = self.record("Opportunities", opportunity, self.phase_field)[self.phase_field]
        return phase or None

    def notes(self, contact: str) -> Sequence[str]:
        """Return the texts that stand beside a contact, oldest first."""
        fields = ["name", "description", "date_entered"]
        found = [*self.suite.all("Notes", {"parent_id": {"eq": contact}}, fields)]
        found.sort(key=lambda row: row["date_entered"])
        return [f"{row['name']}\n{row['description']}" for row in found]

    def wants(self, contact: str, email: str, newsletter: str) -> bool | None:
        """Return whether a contact is on a list; None: nothing is known of it."""
        del email
        on = {row["name"] for row in self.suite.linked("Contacts", contact, LISTS)}
        if f"{newsletter}{OUT}" in on:
            return False
        return True if newsletter in on else None

    def record(self, module: str, id: str, *fields: str) -> Row:
        """Return some fields of a record; none where it is gone."""
        return self.suite.get(module, id, fields) or {}
