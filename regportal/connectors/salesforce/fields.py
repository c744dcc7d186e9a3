"""Fields: those an org has, and making those that we need."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from regportal.connectors.base import Finding, Kind
from regportal.connectors.desk import Field, FieldPlan, NotTakenError
from regportal.connectors.rules import Outcome
from regportal.connectors.salesforce.api import Salesforce
from regportal.connectors.salesforce.people import COMPANY
from regportal.connectors.salesforce.soql import quoted, select

KINDS: Mapping[Kind, str] = {
    "contact": "Contact",
    "opportunity": "Opportunity",
    "lead": "Lead",
    "activity": "Task",
}
MADE_ON = {"Task": "Activity"}
"""Where the fields of a kind are made, if not on itself."""
OURS = "Regportal"
"""The permission set by which the fields we make are seen and written."""
TYPES: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "Text", "length": 255},
    "moment": {"type": "DateTime"},
    "number": {"type": "Number", "precision": 18, "scale": 4},
    "key": {
        "type": "Text",
        "length": 64,
        "externalId": True,
        "unique": True,
        "caseSensitive": False,
    },
}
CHOICES = frozenset({"picklist", "multipicklist", "combobox"})
BY_HAND = "add them in Setup, Object Manager"


def spelled(name: str) -> str:
    """
    Return how Salesforce spells a field of ours.

    >>> spelled("buying_phase"), spelled("regportal_id"), spelled("My_Phase__c")
    ('Buying_Phase__c', 'Regportal_Id__c', 'My_Phase__c')
    """
    if name.endswith("__c"):
        return name
    return "_".join(part[:1].upper() + part[1:] for part in name.split("_") if part) + "__c"


class Fields:
    """The fields of one org."""

    def __init__(self, salesforce: Salesforce) -> None:
        """Take whom to ask."""
        self._salesforce = salesforce

    def of(self, kind: Kind) -> dict[str, Field]:
        """Return which fields such records have, by name."""
        told = self._salesforce.describe(KINDS[kind])["fields"]
        found = {str(one.get("name")): _field(one) for one in told}
        if kind == "contact":
            found[COMPANY] = Field(COMPANY, is_writable=True)
        return found

    def make(self, plans: Sequence[FieldPlan]) -> Iterator[Finding]:
        """Make fields that are missing, and let us see and write them."""
        there = {kind: self.of(kind) for kind in {one.kind for one in plans}}
        seen_by = self._permission_set()
        for plan in plans:
            about, name = f"{plan.kind}.{plan.name}", plan.name
            if name in there[plan.kind]:
                yield Finding(about, fine=False, says=f"is there, but not as it must be: {BY_HAND}")
                continue
            try:
                self._make(plan, seen_by)
            except NotTakenError as error:
                yield Finding(about, fine=False, says=f"could not be made: {error}")
            else:
                yield Finding(about, fine=True, says="made")

    def _make(self, plan: FieldPlan, seen_by: str) -> None:
        """Make a field, by the Tooling API; nobody sees it before a permission set says so."""
        kind = KINDS[plan.kind]
        name = f"{MADE_ON.get(kind, kind)}.{plan.name}"
        told = {"FullName": name, "Metadata": metadata(plan)}
        try:
            self._salesforce.ask("POST", "/tooling/sobjects/CustomField", told)
        except NotTakenError as error:
            if "DUPLICATE_DEVELOPER_NAME" not in str(error):
                raise  # it is there, and only hidden from us
        may = {"PermissionsRead": True, "PermissionsEdit": True}
        shown = {"ParentId": seen_by, "SobjectType": kind, "Field": f"{kind}.{plan.name}", **may}
        (done,) = self._salesforce.insert("FieldPermissions", [shown])
        if done.id is None and "DUPLICATE" not in done.says:
            raise NotTakenError(done.outcome, done.says)

    def _permission_set(self) -> str:
        """Return the permission set that is ours, and that our user has; both made if need be."""
        text = select([], "PermissionSet", f"Name = {quoted(OURS)}", limit=1)
        (rows,) = self._salesforce.query(text)
        if rows:
            return str(rows[0]["Id"])
        told = {"Name": OURS, "Label": "regportal", "Description": "The fields regportal writes"}
        (made,) = self._salesforce.insert("PermissionSet", [told])
        if made.id is None:
            raise NotTakenError(made.outcome, made.says)
        given = {"AssigneeId": self._salesforce.user(), "PermissionSetId": made.id}
        (done,) = self._salesforce.insert("PermissionSetAssignment", [given])
        if done.id is None and done.outcome is not Outcome.RETRY:
            raise NotTakenError(done.outcome, done.says)
        return made.id


def metadata(plan: FieldPlan) -> dict[str, Any]:
    """
    Return what Salesforce is told of a new field.

    >>> told = metadata(FieldPlan("contact", "Regportal_Fit__c", "Fit", "number"))
    >>> told["label"], told["type"]
    ('Fit', 'Number')
    """
    if plan.type != "choice":
        return {"label": plan.label, **TYPES[plan.type]}
    values = [
        {"fullName": value, "label": label, "default": False}
        for value, label in plan.options.items()
    ]
    options = {"restricted": True, "valueSetDefinition": {"sorted": False, "value": values}}
    return {"label": plan.label, "type": "Picklist", "trackHistory": True, "valueSet": options}


def _field(told: Mapping[str, Any]) -> Field:
    """Return a field as a description has it."""
    is_writable = told.get("createable") is True and told.get("updateable") is True
    options = None
    if told.get("type") in CHOICES:
        listed = [one for one in told.get("picklistValues") or () if one.get("active")]
        options = tuple(str(one.get("value")) for one in listed)
    return Field(str(told.get("name")), is_writable, options)
