"""
The objects of a Salesforce org and their fields, as its describe calls tell them.

`objects.json` holds facts: names, types, lengths, what may be created and updated, what a picklist
offers. A test compares those of Account, Contact, Lead, Opportunity, OpportunityContactRole and
Event with answers of a real org; those of the others are from the vendor's reference.
"""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

CUSTOM = "__c"
TEXTS = frozenset({"string", "textarea", "email", "phone", "url", "picklist", "combobox"})
NUMBERS = frozenset({"int", "double", "currency", "percent"})
SOAP = {
    **{name: f"xsd:{name}" for name in ("boolean", "int", "date")},
    **dict.fromkeys(("double", "currency", "percent"), "xsd:double"),
    **dict.fromkeys(("id", "reference"), "tns:ID"),
    "datetime": "xsd:dateTime",
    "address": "urn:address",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field, as far as anybody asks."""

    name: str
    type: str
    length: int = 0
    flags: str = ""
    """C createable, U updateable, L idLookup, N nillable, D defaulted on create, R restricted
    picklist, A the name of the record, X not filterable, E external id, Q unique."""
    refers_to: tuple[str, ...] = ()
    relationship: str | None = None
    options: tuple[str, ...] = ()
    label: str = ""

    @classmethod
    def read(cls, name: str, told: str) -> "Field":
        """
        Return the field that a line of the table tells of.

        >>> Field.read("WhoId", "reference 18 CUN >Contact,Lead:Who").refers_to
        ('Contact', 'Lead')
        >>> Field.read("Rating", "picklist 40 CUN =Hot|Warm|Cold").options
        ('Hot', 'Warm', 'Cold')
        """
        head, _, options = told.partition(" =")
        head, _, refers = head.partition(" >")
        type_, length, flags = head.split(" ")
        to, _, relationship = refers.partition(":")
        return cls(
            name,
            type_,
            int(length),
            flags,
            tuple(one for one in to.split(",") if one),
            relationship or None,
            tuple(one for one in options.split("|") if one),
        )

    def has(self, flag: str) -> bool:
        """Return whether a flag is set."""
        return flag in self.flags

    @property
    def is_custom(self) -> bool:
        """Return whether an administrator made it."""
        return self.name.endswith(CUSTOM)

    @property
    def is_key(self) -> bool:
        """Return whether records can be found by it in an upsert."""
        return self.has("L") or self.has("E")

    def describe(self) -> dict[str, Any]:
        """Return what a describe call says of it."""
        return {
            "aggregatable": not self.has("X"),
            "aiPredictionField": False,
            "autoNumber": False,
            "byteLength": self.length * 3,
            "calculated": False,
            "calculatedFormula": None,
            "cascadeDelete": False,
            "caseSensitive": False,
            "compoundFieldName": None,
            "controllerName": None,
            "createable": self.has("C"),
            "custom": self.is_custom,
            "defaultValue": False if self.type == "boolean" else None,
            "defaultValueFormula": None,
            "defaultedOnCreate": self.has("D"),
            "dependentPicklist": False,
            "deprecatedAndHidden": False,
            "digits": 0,
            "displayLocationInDecimal": False,
            "encrypted": False,
            "externalId": self.has("E"),
            "extraTypeInfo": None,
            "filterable": not self.has("X"),
            "filteredLookupInfo": None,
            "formulaTreatNullNumberAsZero": False,
            "groupable": not self.has("X"),
            "highScaleNumber": False,
            "htmlFormatted": False,
            "idLookup": self.has("L"),
            "inlineHelpText": None,
            "label": self.label or self.name,
            "length": self.length,
            "mask": None,
            "maskType": None,
            "name": self.name,
            "nameField": self.has("A"),
            "namePointing": len(self.refers_to) > 1,
            "nillable": self.has("N"),
            "permissionable": self.has("N"),
            "picklistValues": [
                {
                    "active": True,
                    "defaultValue": False,
                    "label": one,
                    "validFor": None,
                    "value": one,
                }
                for one in self.options
            ],
            "polymorphicForeignKey": len(self.refers_to) > 1,
            "precision": 18 if self.type in NUMBERS else 0,
            "queryByDistance": False,
            "referenceTargetField": None,
            "referenceTo": [*self.refers_to],
            "relationshipName": self.relationship,
            "relationshipOrder": None,
            "restrictedDelete": False,
            "restrictedPicklist": self.has("R"),
            "scale": 0,
            "searchPrefilterable": False,
            "soapType": SOAP.get(self.type, "xsd:string"),
            "sortable": not self.has("X"),
            "type": self.type,
            "unique": self.has("Q"),
            "updateable": self.has("U"),
            "writeRequiresMasterRead": False,
        }


@dataclass(slots=True)
class SObject:
    """A kind of record."""

    name: str
    prefix: str
    label: str
    plural: str
    is_mergeable: bool
    children: Mapping[str, tuple[str, str]]
    """By the name of a relationship: the object that refers to this one, and by which field."""
    fields: dict[str, Field]
    hidden: set[str] = field(default_factory=set)
    """Fields that nobody was given the permission to see."""
    changed: datetime = datetime(2026, 10, 10, tzinfo=UTC)
    """Since when it is as it is."""

    def visible(self) -> list[Field]:
        """Return the fields that we may see."""
        return [one for one in self.fields.values() if one.name not in self.hidden]

    def find(self, name: str) -> Field | None:
        """Return the field of a name, however it is written; None where we see none."""
        folded = name.casefold()
        return next((one for one in self.visible() if one.name.casefold() == folded), None)

    def relation(self, name: str) -> Field | None:
        """Return the field by which a relationship leads to another record."""
        folded = name.casefold()
        named = (one for one in self.visible() if one.relationship)
        return next((one for one in named if str(one.relationship).casefold() == folded), None)

    def etag(self) -> str:
        """Return by what its description is known: another one, when a field is."""
        told = json.dumps([one.describe() for one in self.visible()], sort_keys=True)
        return f'"{hashlib.sha256(told.encode()).hexdigest()[:8]}"'

    def short(self, base: str) -> dict[str, Any]:
        """Return what the list of all objects says of it; ``base`` is where the API is."""
        here = f"{base}/sobjects/{self.name}"
        urls = {"sobject": here, "describe": f"{here}/describe", "rowTemplate": f"{here}/{{ID}}"}
        no = ("activateable", "custom", "customSetting", "deepCloneable", "deprecatedAndHidden")
        more = ("feedEnabled", "hasSubtypes", "isInterface", "isSubtype")
        yes = ("createable", "deletable", "layoutable", "mruEnabled", "queryable", "replicateable")
        also = ("retrieveable", "searchable", "triggerable", "undeletable", "updateable")
        return {
            "associateEntityType": None,
            "associateParentEntity": None,
            "keyPrefix": self.prefix,
            "label": self.label,
            "labelPlural": self.plural,
            "mergeable": self.is_mergeable,
            "name": self.name,
            "urls": urls,
            **dict.fromkeys((*no, *more), False),
            **dict.fromkeys((*yes, *also), True),
        }

    def describe(self, base: str) -> dict[str, Any]:
        """Return all that a describe call says of it."""
        children = [
            {
                "cascadeDelete": True,
                "childSObject": child,
                "deprecatedAndHidden": False,
                "field": by,
                "junctionIdListNames": [],
                "junctionReferenceTo": [],
                "relationshipName": name,
                "restrictedDelete": False,
            }
            for name, (child, by) in self.children.items()
        ]
        return {
            **self.short(base),
            "actionOverrides": [],
            "childRelationships": children,
            "compactLayoutable": True,
            "defaultImplementation": None,
            "extendedBy": None,
            "extendsInterfaces": None,
            "fields": [one.describe() for one in self.visible()],
            "implementedBy": None,
            "implementsInterfaces": None,
            "listviewable": None,
            "lookupLayoutable": None,
            "namedLayoutInfos": [],
            "networkScopeFieldName": None,
            "recordTypeInfos": [],
            "searchLayoutable": True,
            "sobjectDescribeOption": "FULL",
            "supportedScopes": [{"label": f"All {self.plural.lower()}", "name": "everything"}],
        }


@functools.cache
def _table() -> Mapping[str, Any]:
    """Read the table."""
    text = files(__package__).joinpath("objects.json").read_text(encoding="utf-8")
    told: Mapping[str, Any] = json.loads(text)
    return told


def standard_objects() -> dict[str, SObject]:
    """Return the objects of a new org, by name."""
    made = {}
    for name, told in _table().items():
        children = {by: tuple(one.split(".")) for by, one in told["children"].items()}
        fields = {one: Field.read(one, line) for one, line in told["fields"].items()}
        made[name] = SObject(
            name,
            told["prefix"],
            told["label"],
            told["plural"],
            told["mergeable"],
            children,
            fields,
        )
    return made
