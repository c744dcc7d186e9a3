"""What a portal has of fields, stages and kinds of records, before anybody adds to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = {
    "contacts": "contacts",
    "0-1": "contacts",
    "companies": "companies",
    "0-2": "companies",
    "deals": "deals",
    "0-3": "deals",
    "notes": "notes",
    "0-46": "notes",
}
"""What records of a kind are called in a path, by name or by number."""
MODIFIED = {"contacts": "lastmodifieddate"}
"""What the date of the last change is called, where it is not ``hs_lastmodifieddate``."""
LINKS = {
    ("contacts", "deals"): 4,
    ("deals", "contacts"): 3,
    ("notes", "contacts"): 202,
    ("notes", "deals"): 214,
    ("contacts", "notes"): 201,
    ("deals", "notes"): 213,
    ("contacts", "companies"): 279,
    ("companies", "contacts"): 280,
    ("deals", "companies"): 341,
    ("companies", "deals"): 342,
}
"""The types of the associations that there are without a label."""
PIPELINE = "default"
STAGES: Mapping[str, tuple[str, float]] = {
    "appointmentscheduled": ("Appointment scheduled", 0.2),
    "qualifiedtobuy": ("Qualified to buy", 0.4),
    "presentationscheduled": ("Presentation scheduled", 0.6),
    "contractsent": ("Contract sent", 0.9),
    "closedwon": ("Closed won", 1.0),
    "closedlost": ("Closed lost", 0.0),
}
"""The stages of deals: label and probability; 1 and 0 are the ends."""


@dataclass(slots=True)
class Property:
    """A field of records of one kind."""

    name: str
    label: str
    type: str = "string"
    field_type: str = "text"
    group: str = ""
    options: dict[str, str] = field(default_factory=dict)
    is_unique: bool = False
    is_ours: bool = True
    """Whether HubSpot has it of its own."""
    is_read_only: bool = False

    def told(self) -> dict[str, Any]:
        """Return how it is described."""
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "groupName": self.group,
            "description": "",
            "options": [
                {"value": value, "label": label, "displayOrder": place, "hidden": False}
                for place, (value, label) in enumerate(self.options.items())
            ],
            "hasUniqueValue": self.is_unique,
            "hubspotDefined": self.is_ours,
            "archived": False,
            "hidden": False,
            "calculated": self.is_read_only,
            "modificationMetadata": {
                "archivable": not self.is_ours,
                "readOnlyDefinition": self.is_ours,
                "readOnlyValue": self.is_read_only,
            },
        }


_TEXTS = {
    "contacts": "email firstname lastname phone mobilephone company jobtitle country city state "
    "website hs_additional_emails hs_merged_object_ids lifecyclestage hubspot_owner_id",
    "companies": "name domain country city website",
    "deals": "dealname pipeline deal_currency_code hubspot_owner_id description",
    "notes": "hs_note_body hubspot_owner_id",
}
_MOMENTS = {
    "contacts": "createdate lastmodifieddate",
    "companies": "createdate hs_lastmodifieddate",
    "deals": "createdate hs_lastmodifieddate closedate",
    "notes": "hs_createdate hs_lastmodifieddate hs_timestamp",
}
_NUMBERS = {"deals": "amount hs_deal_stage_probability"}
_FLAGS = {"contacts": "hs_email_optout", "deals": "hs_is_closed hs_is_closed_won"}
_KEPT = frozenset(
    {
        "createdate",
        "hs_additional_emails",
        "hs_createdate",
        "hs_deal_stage_probability",
        "hs_email_optout",
        "hs_is_closed",
        "hs_is_closed_won",
        "hs_lastmodifieddate",
        "hs_merged_object_ids",
        "hs_object_id",
        "lastmodifieddate",
    }
)
"""What only HubSpot writes."""


def begun() -> dict[str, dict[str, Property]]:
    """Return the fields of a new portal, by kind of record."""
    types = (
        (_TEXTS, "string", "text"),
        (_MOMENTS, "datetime", "date"),
        (_NUMBERS, "number", "number"),
        (_FLAGS, "bool", "booleancheckbox"),
    )
    there = {}
    for kind in dict.fromkeys(KINDS.values()):
        made = [Property("hs_object_id", "Record ID", "number", "number", is_read_only=True)]
        for names, type_, field_type in types:
            for name in names.get(kind, "").split():
                label = name.removeprefix("hs_").replace("_", " ").capitalize()
                is_read_only = name in _KEPT
                made.append(Property(name, label, type_, field_type, is_read_only=is_read_only))
        there[kind] = {one.name: one for one in made}
    there["contacts"]["email"].is_unique = True
    there["deals"]["dealstage"] = Property(
        "dealstage",
        "Deal stage",
        "enumeration",
        "select",
        options={key: label for key, (label, _) in STAGES.items()},
    )
    return there
