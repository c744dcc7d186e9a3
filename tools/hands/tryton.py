"""The hands of people in a Tryton, and their eyes."""

from collections.abc import Mapping, Sequence
from typing import Any

from regportal.connectors.tryton.api import EVERYONE, Api

PARTY, DEAL = "party.party", "sale.opportunity"
READER, LIST = "marketing.email", "marketing.email.list"


class TrytonHands:
    """
    They know Tryton by the calls its own client makes, and win as people of Acme do.

    A party has no company; what it is called stands in a text of the party.
    """

    def __init__(self, api: Api, phase_field: str = "buying_phase", company: str = "") -> None:
        """Take as whom they call it, and in which fields the phase and the company are."""
        self.api, self.phase_field, self.company = api, phase_field, company

    # --- what they do ---

    def person(self, email: str, **fields: Any) -> str:
        """Write down a contact; return its id."""
        lines = [{"type": "email", "value": email}]
        lines += [{"type": one, "value": fields.pop(one)} for one in ("phone",) if one in fields]
        new = {"name": "A Person", **fields, "contact_mechanisms": [["create", lines]]}
        return self.make(PARTY, new)

    def opportunity(self, *contacts: str, name: str) -> str:
        """Begin an opportunity of a contact; return its id."""
        ours = {"company": 1, "employee": 1}
        return self.make(DEAL, {**ours, "party": int(contacts[0]), "description": name})

    def win(self, opportunity: str) -> None:
        """Close an opportunity as won."""
        self.api.call(DEAL, "acme_win", id=int(opportunity))

    def make_list(self, name: str) -> None:
        """Let there be a list of a newsletter."""
        if not self.api.rows(LIST, [["name", "=", name]], ["name"]):
            (english,) = self.api.rows("ir.lang", [["code", "=", "en"]], ["code"])
            self.make(LIST, {"name": name, "language": english["id"]})

    def make(self, model: str, values: Mapping[str, Any]) -> str:
        """Make a record; return its id."""
        (id,) = self.api.call(model, "create", vlist=[dict(values)])
        return str(id)

    # --- what they see ---

    def people(self, email: str) -> Sequence[str]:
        """Return the ids of all contacts with an address."""
        fit = [["type", "=", "email"], ["value", "ilike", email]]
        rows = self.api.rows("party.contact_mechanism", fit, ["party"])
        return [str(one["party"]) for one in rows]

    def companies(self, name: str) -> Sequence[str]:
        """Return the names of all companies of a name: one, or none."""
        rows = self.api.rows(PARTY, [[self.company, "=", name], EVERYONE], [self.company])
        return sorted({one[self.company] for one in rows})

    def company_of(self, contact: str) -> str | None:
        """Return the name of a contact's company."""
        name: str | None = self.field(PARTY, contact, self.company)
        return name

    def phase(self, opportunity: str) -> str | None:
        """Return the buying phase of an opportunity, as its field shows it."""
        phase: str | None = self.field(DEAL, opportunity, self.phase_field)
        return phase

    def notes(self, contact: str, model: str = PARTY) -> Sequence[str]:
        """Return the texts that stand beside a contact, or another record, oldest first."""
        beside = [["resource", "=", f"{model},{contact}"]]
        rows = self.api.rows("ir.note", beside, ["message"], [["id", "ASC"]])
        return [one["message"] for one in rows]

    def wants(self, contact: str, email: str, newsletter: str) -> bool | None:
        """Return whether an address is on a list; None: nothing is known of it."""
        del contact
        fit = [["email", "=", email.lower()], ["list_.name", "=", newsletter], EVERYONE]
        rows = self.api.rows(READER, fit, ["active"])
        return bool(rows[0]["active"]) if rows else None

    def field(self, model: str, id: str, name: str) -> Any:
        """Return what a field of a record says."""
        (row,) = self.api.rows(model, [["id", "=", int(id)]], [name])
        return row[name]
