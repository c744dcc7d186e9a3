"""The hands of people in an Odoo, and their eyes."""

import html
import re
from collections.abc import Sequence
from typing import Any

from regportal.connectors.odoo.shape import LEAD, PERSON, spelled
from regportal.connectors.odoo.transport import Odoo

READER, PLACE, LIST = "mailing.contact", "mailing.subscription", "mailing.list"
ALL = {"active_test": False}


class OdooHands:
    """They know Odoo by the calls its own pages make."""

    def __init__(self, odoo: Odoo, phase_field: str = "buying_phase") -> None:
        """Take as whom they call it, and how the buying phase is called."""
        self.odoo, self.phase_field = odoo, spelled(phase_field)

    # --- what they do ---

    def person(self, email: str, **fields: Any) -> str:
        """Write down a contact; return its id."""
        return self.make(PERSON, {"name": email, "email": email, **fields})

    def opportunity(self, *contacts: str, name: str) -> str:
        """Begin an opportunity; an Odoo has one contact of it."""
        lead = {"name": name, "type": "opportunity", "expected_revenue": 12000.5}
        return self.make(LEAD, {**lead, "partner_id": int(contacts[0]) if contacts else False})

    def win(self, opportunity: str) -> None:
        """Close an opportunity as won."""
        self.odoo.call(LEAD, "action_set_won", [int(opportunity)])

    def make_list(self, name: str) -> None:
        """Let there be a list of a newsletter."""
        if not self.rows(LIST, [["name", "=", name]], "name"):
            self.make(LIST, {"name": name})

    def make(self, model: str, values: dict[str, Any]) -> str:
        """Make a record; return its id."""
        (id,) = self.odoo.call(model, "create", vals_list=[values])
        return str(id)

    def write(self, model: str, id: str, **values: Any) -> None:
        """Set fields of a record."""
        self.odoo.call(model, "write", [int(id)], vals=values)

    def delete(self, model: str, ids: Sequence[int]) -> None:
        """Delete records."""
        if ids:
            self.odoo.call(model, "unlink", ids)

    # --- what they see ---

    def people(self, email: str) -> list[str]:
        """Return the ids of all contacts with an address."""
        found = self.rows(PERSON, [["email_normalized", "=", email.casefold()]], "name")
        return [str(row["id"]) for row in found]

    def companies(self, name: str) -> list[str]:
        """Return the ids of all companies of a name."""
        found = self.rows(PERSON, [["name", "=", name], ["is_company", "=", True]], "name")
        return [str(row["id"]) for row in found]

    def company_of(self, contact: str) -> str | None:
        """Return the name of a contact's company."""
        name: str | None = self.field(PERSON, contact, "parent_name")
        return name

    def phase(self, opportunity: str) -> str | None:
        """Return the buying phase of an opportunity, as its field shows it."""
        phase: str | None = self.field(LEAD, opportunity, self.phase_field)
        return phase

    def notes(self, contact: str) -> list[str]:
        """Return the texts of the notes beside a contact, oldest first."""
        domain = [["model", "=", PERSON], ["res_id", "=", int(contact)], ["subject", "!=", False]]
        rows = self.rows("mail.message", domain, "body")
        return [html.unescape(re.sub(r"<[^>]*>", "\n", row["body"])) for row in rows]

    def wants(self, contact: str, email: str, newsletter: str) -> bool | None:
        """Return whether an address is on a list; None: nothing is known of it."""
        del contact
        readers = self.rows(READER, [["email_normalized", "=", email.casefold()]], "email")
        on = [["contact_id", "in", [row["id"] for row in readers]]]
        places = self.rows(PLACE, [*on, ["list_id.name", "=", newsletter]], "opt_out")
        return not any(row["opt_out"] for row in places) if places else None

    def field(self, model: str, id: str, name: str) -> Any:
        """Return what a field of a record says; None: nothing."""
        rows = self.rows(model, [["id", "=", int(id)]], name)
        return rows[0][name] or None if rows else None

    def rows(self, model: str, domain: list[Any], *fields: str) -> list[dict[str, Any]]:
        """Search for records, also for archived ones."""
        found: list[dict[str, Any]] = self.odoo.call(
            model, "search_read", domain=domain, fields=[*fields], order="id", context=ALL
        )
        return found
