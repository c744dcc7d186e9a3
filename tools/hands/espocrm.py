"""The hands of people in an EspoCRM, and their eyes."""

from collections.abc import Sequence
from typing import Any

from regportal.connectors.espocrm.asking import Espo, spelled
from regportal.connectors.shapes import Row

OF_A_FIELD = ("type", "options", "readOnly", "probabilityMap")
"""What is read of what EspoCRM says of a field."""


def trimmed(path: str, said: Any) -> Any:
    """Return of what EspoCRM tells of itself what is read; of its records everything."""
    if not isinstance(said, dict):
        return said
    if path.endswith("/App/user"):
        version, rights = said["settings"]["version"], said["acl"]["table"]
        return {"settings": {"version": version}, "acl": {"table": rights}}
    if path.endswith(".fields"):
        return {name: _field(about) for name, about in said.items()}
    return _field(said) if "/Metadata?" in path else said


def _field(about: Row) -> Row:
    """Return of a field what is read."""
    return {name: about[name] for name in OF_A_FIELD if name in about}


class EspoHands:
    """They know EspoCRM by the calls its own pages make."""

    def __init__(self, espo: Espo, phase_field: str = "buying_phase") -> None:
        """Take as whom they call it, and how the buying phase is called."""
        self.espo, self.phase_field = espo, spelled(phase_field)

    # --- what they do ---

    def person(self, email: str, **fields: Any) -> str:
        """Write down a contact; return its id."""
        named = {"lastName": email.partition("@")[0], "emailAddress": email, **fields}
        return str(self.espo.create("Contact", named, is_new=True)["id"])

    def opportunity(self, *contacts: str, name: str) -> str:
        """Begin an opportunity with these contacts; return its id."""
        told = {"name": name, "amount": 12000.5, "closeDate": "2030-12-31"}
        return str(self.espo.create("Opportunity", {**told, "contactsIds": [*contacts]})["id"])

    def win(self, opportunity: str) -> None:
        """Close an opportunity as won."""
        self.espo.put("Opportunity", opportunity, {"stage": "Closed Won"})

    def make_list(self, name: str) -> None:
        """Let there be a list of a newsletter."""
        self.list(name)

    def list(self, name: str) -> str:
        """Return the id of a list; make it where there is none."""
        there = self.espo.all("TargetList", [("equals", "name", name)])
        found = there[0] if there else self.espo.create("TargetList", {"name": name})
        return str(found["id"])

    # --- what they see ---

    def people(self, email: str) -> Sequence[str]:
        """Return the ids of all contacts with an address."""
        return [row["id"] for row in self.espo.all("Contact", [("equals", "emailAddress", email)])]

    def companies(self, name: str) -> Sequence[str]:
        """Return the ids of all companies of a name."""
        return [row["id"] for row in self.espo.all("Account", [("equals", "name", name)])]

    def company_of(self, contact: str) -> str | None:
        """Return the name of a contact's company."""
        name: str | None = self.record("Contact", contact)["accountName"]
        return name

    def phase(self, opportunity: str) -> str | None:
        """Return the buying phase of an opportunity, as its field shows it."""
        phase: str | None = self.record("Opportunity", opportunity)[self.phase_field]
        return phase

    def notes(self, contact: str) -> Sequence[str]:
        """Return the texts that stand beside a contact, oldest first."""
        posts = self.espo.page(f"Contact/{contact}/posts", (), ("id", "post", "number"))[0]
        return [row["post"] for row in sorted(posts, key=lambda one: int(one["number"]))]

    def wants(self, contact: str, email: str, newsletter: str) -> bool | None:
        """Return whether a contact is on a list; None: nothing is known of it."""
        del email
        there = self.espo.all(f"Contact/{contact}/targetLists", (), ("id", "name"))
        found = [not one["isOptedOut"] for one in there if one["name"] == newsletter]
        return found[0] if found else None

    def record(self, scope: str, id: str) -> Row:
        """Return all of a record."""
        row: Row = self.espo.get(f"{scope}/{id}")
        return row
