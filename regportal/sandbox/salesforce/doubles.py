"""What may be there only once, and what an activity may hang on."""

from collections.abc import Sequence
from typing import Any

from regportal.sandbox.salesforce.objects import SObject
from regportal.sandbox.salesforce.refusals import RefusedError

Row = dict[str, Any]
LEAD = "00Q"


def of_somebody(row: Row) -> None:
    """Complain of an activity of a lead that hangs on something besides."""
    if str(row.get("WhoId"))[:3] == LEAD and row.get("WhatId"):
        message = "Related To ID: a lead has no Related To"
        raise RefusedError("FIELD_INTEGRITY_EXCEPTION", message, 400, ["WhatId"])


def unique(sobject: SObject, row: Row, there: Sequence[Row]) -> None:
    """Complain where another record has what only one may have."""
    fields = [[one.name] for one in sobject.fields.values() if one.has("Q")]
    if sobject.name == "CampaignMember":
        fields = [["CampaignId", "ContactId", "LeadId"]]
    for names in fields:
        mine = [str(row.get(name)).casefold() for name in names]
        if row.get(names[0]) is None:
            continue
        for other in there:
            if other["Id"] == row["Id"]:
                continue
            if [str(other.get(name)).casefold() for name in names] == mine:
                what = names[0] if len(names) == 1 else "<unknown>"
                message = f"duplicate value found: {what} duplicates value on record with id: "
                raise RefusedError("DUPLICATE_VALUE", f"{message}{other['Id']}", 400, [])


def undoubled(row: Row, there: Sequence[Row]) -> None:
    """Complain, as a duplicate rule does, where a contact of this name is there."""
    same = [
        one for one in there if str(one.get("Name")).casefold() == str(row.get("Name")).casefold()
    ]
    if not same:
        return
    records = [
        {"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0}
        | {"record": {"attributes": {"type": "Contact"}, "Id": one["Id"]}}
        for one in same
    ]
    match: Row = {"entityType": "Contact", "errors": [], "matchEngine": "FuzzyMatchEngine"}
    match |= {"matchRecords": records, "rule": "Standard_Contact_Match_Rule_v1_1"}
    found: Row = {"allowSave": True, "duplicateRule": "Standard_Contact_Duplicate_Rule"}
    found |= {"duplicateRuleEntityType": "Contact", "errorMessage": "Use one of these records?"}
    found |= {"matchResults": [match | {"size": len(records), "success": True}]}
    # the vendor's own spelling, as recorded by those who met it
    raise RefusedError(
        "DUPLICATES_DETECTED", "Use one of these records?", 400, [], {"duplicateResut": found}
    )
