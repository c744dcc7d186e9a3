"""Which fields the records of Odoo have, and how ours are made."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from regportal.connectors.base import Finding, Kind
from regportal.connectors.desk import Field, FieldPlan, NotTakenError
from regportal.connectors.odoo.transport import AMISS, Odoo
from regportal.connectors.shapes import shaped

PERSON, LEAD = "res.partner", "crm.lead"
MODELS: Mapping[Kind, str] = {"contact": PERSON, "opportunity": LEAD}
COMPANY = "company"
"""Our word for the company of a contact: his parent, by its name."""
TYPES = {
    "text": "char",
    "moment": "datetime",
    "number": "float",
    "choice": "selection",
    "key": "char",
}
SEVERAL = frozenset({"one2many", "many2many", "binary", "reference"})
"""Types of fields that hold no single value."""
OURS = "x_"
"""How the names of fields begin that are made by hand."""


def spelled(name: str) -> str:
    """
    Return how Odoo spells a field of ours.

    >>> spelled("buying_phase"), spelled("x_phase")
    ('x_buying_phase', 'x_phase')
    """
    return name if name.startswith(OURS) else f"{OURS}{name}"


class Shape:
    """The fields of contacts and opportunities: asked for, and made."""

    def __init__(self, odoo: Odoo) -> None:
        """Know nothing yet."""
        self._odoo = odoo
        self._known: dict[Kind, Mapping[str, Mapping[str, Any]]] = {}

    def of(self, kind: Kind) -> Mapping[str, Field]:
        """Return which fields such records have now."""
        asked = ["type", "readonly", "selection", "relation"]
        known = self._odoo.call(MODELS[kind], "fields_get", attributes=asked)
        self._known[kind] = known
        found = {name: _field(name, one) for name, one in known.items()}
        if kind == "contact":
            found[COMPANY] = Field(COMPANY, is_writable=True)
        return found

    def about(self, kind: Kind, name: str) -> Mapping[str, Any]:
        """Return what is known of one field; of one that is not there, nothing."""
        if name not in self._known.get(kind, {}):
            self.of(kind)
        return self._known[kind].get(name, {})

    def make(self, fields: Sequence[FieldPlan]) -> Iterator[Finding]:
        """Make fields and options that are missing: that needs an administrator's key."""
        for field in fields:
            about = f"{field.kind}.{field.name}"
            try:
                yield Finding(about, fine=True, says=self._made(field))
            except NotTakenError as error:
                yield Finding(about, fine=False, says=str(error))

    def _made(self, field: FieldPlan) -> str:
        """Make one field, or the options it lacks."""
        model = MODELS[field.kind]
        ours = [["model", "=", model], ["name", "=", field.name]]
        there = self._odoo.call("ir.model.fields", "search_read", domain=ours, fields=["id"])
        if there and field.type == "choice":
            self._add_options(there[0]["id"], field.options)
            return "has its options now"
        domain = [["model", "=", model]]
        found = self._odoo.call("ir.model", "search_read", domain=domain, fields=["id"])
        (about,) = shaped(found, list, AMISS, 1)
        new = {
            "model_id": about["id"],
            "name": field.name,
            "field_description": field.label,
            "ttype": TYPES[field.type],
            "state": "manual",
        }
        if field.type == "key":
            new |= {"index": True, "copied": False}
        if field.type == "choice":
            new["selection_ids"] = [[0, 0, one] for one in _options(field.options)]
        self._odoo.call("ir.model.fields", "create", vals_list=[new])
        return "made"

    def _add_options(self, id: int, options: Mapping[str, str]) -> None:
        """Add the options that a choice lacks, at its end."""
        domain = [["field_id", "=", id]]
        found = self._odoo.call(
            "ir.model.fields.selection", "search_read", domain=domain, fields=["value"]
        )
        there = {one["value"] for one in found}
        new = [{"field_id": id, **one} for one in _options(options) if one["value"] not in there]
        if new:
            self._odoo.call("ir.model.fields.selection", "create", vals_list=new)


def _options(options: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return options as Odoo keeps them, in our order."""
    return [
        {"value": value, "name": label, "sequence": number}
        for number, (value, label) in enumerate(options.items(), 1)
    ]


def _field(name: str, about: Mapping[str, Any]) -> Field:
    """Return a field as the kit knows one."""
    is_writable = not about.get("readonly") and about["type"] not in SEVERAL
    options = about.get("selection") if about["type"] == "selection" else None
    values = None
    if options is not None:
        pairs = shaped(options, [list], "Odoo answered no options")
        values = tuple(str(pair[0]) for pair in pairs if pair)
    return Field(name, is_writable=is_writable, options=values)
