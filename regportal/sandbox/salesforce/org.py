"""The records of a Salesforce org, and what it does by itself when one is written."""

import copy
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from regportal.sandbox.salesforce.doubles import of_somebody, undoubled, unique
from regportal.sandbox.salesforce.ids import made, whole
from regportal.sandbox.salesforce.objects import Field, SObject, standard_objects
from regportal.sandbox.salesforce.refusals import RefusedError, no_such_column
from regportal.sandbox.salesforce.settling import DEFAULTS, staged
from regportal.sandbox.salesforce.values import BLANK, kept

Row = dict[str, Any]
Rule = Callable[[Row], str | None]
"""A validation rule of an administrator: says what is wrong with a record; None: nothing."""


class Org:
    """Objects, records and rules; ``clock`` says what time it is."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Begin with a user and nobody else."""
        self.objects: dict[str, SObject] = standard_objects()
        self.clock = clock
        self._rows: dict[str, dict[str, Row]] = defaultdict(dict)
        self._numbers: dict[str, itertools.count[int]] = defaultdict(lambda: itertools.count(1))
        self.rules: dict[str, list[Rule]] = defaultdict(list)
        self.locked: dict[str, int] = {}
        """Ids of records that somebody else is writing, and how often he will be met."""
        self.used, self.allowed = 0, 100_000
        """The calls of a day: how many were made, and may be."""
        self.duplicate_rule = False
        """Whether contacts of one name are taken for one."""
        self.us = made(self.objects["User"].prefix, 1)
        self.people = [self._user(name) for name in ("Portal", "Lind")][1]

    def _user(self, name: str) -> str:
        """Let somebody be able to sign in."""
        address = f"{name.casefold()}@acme.example"
        return self.insert("User", {"Username": address, "Email": address, "LastName": name})

    # --- reading ---

    def now(self) -> datetime:
        """Return what time it is, in whole seconds: Salesforce keeps no more."""
        return self.clock().replace(microsecond=0)

    def rows(self, entity: str) -> Iterable[Row]:
        """Return all records of a kind, the deleted ones among them."""
        return [*self._rows[entity].values()]

    def row(self, id: str) -> tuple[str, Row] | None:
        """Return a record, and of which kind it is."""
        for entity, one in self.objects.items():
            if id[:3] == one.prefix and id in self._rows[entity]:
                return entity, self._rows[entity][id]
        return None

    def at(self, entity: str, id: str) -> str:
        """Return where a record is to be had; the version is the caller's."""
        return f"/services/data/{{version}}/sobjects/{entity}/{id}"

    def entity(self, name: str) -> SObject:
        """Return the object of a name; raise RefusedError where there is none."""
        for one in self.objects.values():
            if one.name.casefold() == name.casefold():
                return one
        raise RefusedError("NOT_FOUND", "The requested resource does not exist", 404)

    def existing(self, entity: str, id: str) -> Row:
        """Return a record that is there; raise RefusedError."""
        row = self._rows[entity].get(whole(id) or "")
        if row is None:
            raise RefusedError(
                "NOT_FOUND", "Provided external ID field does not exist or is not accessible", 404
            )
        if row.get("IsDeleted"):
            raise RefusedError("ENTITY_IS_DELETED", "entity is deleted", 404)
        return row

    def by_key(self, entity: SObject, field: Field, value: Any) -> list[Row]:
        """Return the records that a key means."""
        there = kept(field, value)
        return [
            row
            for row in self.rows(entity.name)
            if not row.get("IsDeleted")
            and there is not None
            and str(row.get(field.name)).casefold() == str(there).casefold()
        ]

    def keeping(self) -> Callable[[], None]:
        """Return what puts everything back as it is now."""
        kept_rows = copy.deepcopy(self._rows)

        def put_back() -> None:
            self._rows = kept_rows

        return put_back

    # --- writing ---

    def insert(self, entity: str, told: Mapping[str, Any], by: str | None = None) -> str:
        """Make a record; return its id, or raise RefusedError."""
        sobject = self.entity(entity)
        values = self._checked(sobject, told, "C")
        if by is not None and sobject.find("OwnerId"):
            values.setdefault("OwnerId", by)
        lacks = [
            one.name
            for one in sobject.visible()
            if one.has("C")
            and not one.has("N")
            and not one.has("D")
            and values.get(one.name) in BLANK
        ]
        if lacks:
            message = f"Required fields are missing: [{', '.join(lacks)}]"
            raise RefusedError("REQUIRED_FIELD_MISSING", message, 400, lacks)
        row: Row = dict.fromkeys(sobject.fields)
        row |= {one.name: False for one in sobject.fields.values() if one.type == "boolean"}
        row |= {**DEFAULTS.get(sobject.name, {}), "OwnerId": self.us, **values}
        row |= {"Id": "", **self._stamps(by or self.us)}
        self._settled(sobject, row)
        self._allowed(sobject, row, None)
        row["Id"] = made(sobject.prefix, next(self._numbers[sobject.name]))
        self._rows[sobject.name][row["Id"]] = row
        self._after(sobject.name, row)
        return str(row["Id"])

    def update(self, entity: str, id: str, told: Mapping[str, Any], by: str | None = None) -> None:
        """Set fields of a record; raise RefusedError."""
        sobject = self.entity(entity)
        row = self.existing(sobject.name, id)
        self._unlocked(row)
        if sobject.name == "Lead" and row.get("IsConverted"):
            message = "cannot update converted lead"
            raise RefusedError("CANNOT_UPDATE_CONVERTED_LEAD", message)
        values = self._checked(sobject, told, "U")
        emptied = [name for name in values if self._must(sobject, name) and values[name] in BLANK]
        if emptied:
            message = f"Required fields are missing: [{', '.join(emptied)}]"
            raise RefusedError("REQUIRED_FIELD_MISSING", message, 400, emptied)
        after = row | values
        self._settled(sobject, after)
        self._allowed(sobject, after, row)
        row |= after
        self.touch(row, by)

    def delete(self, id: str, by: str | None = None) -> None:
        """Put a record into the recycle bin, with what hangs on it; raise RefusedError."""
        found = self.row(whole(id) or "")
        if found is None:
            raise RefusedError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", 404)
        entity, row = found
        if row.get("IsDeleted"):
            raise RefusedError("ENTITY_IS_DELETED", "entity is deleted", 404)
        self._unlocked(row)
        row["IsDeleted"] = True
        self.touch(row, by)
        for kind, name in self.objects[entity].children.values():
            for child in self.rows(kind):
                if child.get(name) != row["Id"] or child.get("IsDeleted"):
                    continue
                if kind in {"Account", "Contact", "Opportunity"}:
                    child[name] = None
                elif name != "WhatId":
                    self.delete(child["Id"], by)

    def merge(self, winner: str, loser: str, by: str | None = None) -> None:
        """Let one record be part of another: what hangs on it moves; raise RefusedError."""
        entity, into = self.row(winner) or ("", {})
        other, row = self.row(loser) or ("", {})
        if entity != other or entity not in {"Account", "Contact", "Lead"} or winner == loser:
            raise RefusedError("INVALID_FIELD", "these two cannot be merged")
        for kind, name in self.objects[entity].children.values():
            for child in self.rows(kind):
                if child.get(name) == row["Id"]:
                    child[name] = into["Id"]
                    self.touch(child, by)
        row |= {"IsDeleted": True, "MasterRecordId": into["Id"]}
        self.touch(row, by)
        self.touch(into, by)

    def touch(self, row: Row, by: str | None = None) -> None:
        """Write down that a record was changed, and by whom."""
        stamps = self._stamps(by or self.us)
        row |= {name: stamps[name] for name in stamps if not name.startswith("Created")}

    def add_field(self, entity: str, field: Field, *, is_visible: bool = True) -> None:
        """Let an object have another field; raise RefusedError where it has it."""
        sobject = self.entity(entity)
        if field.name.casefold() in {name.casefold() for name in sobject.fields}:
            message = f"There is already a field named {field.name.removesuffix('__c')}"
            raise RefusedError("DUPLICATE_DEVELOPER_NAME", f"{message} on {sobject.name}.")
        sobject.fields[field.name] = replace(field, label=field.label or field.name)
        if not is_visible:
            sobject.hidden.add(field.name)
        self._describe_anew(sobject)
        empty = False if field.type == "boolean" else None
        for row in self._rows[sobject.name].values():
            row.setdefault(field.name, empty)

    def _describe_anew(self, sobject: SObject) -> None:
        """Write down that an object is another one now: later than it was, in whole seconds."""
        sobject.changed = max(self.now(), sobject.changed + timedelta(seconds=1))

    # --- what is checked ---

    @staticmethod
    def _must(sobject: SObject, name: str) -> bool:
        """Return whether a field may not be empty."""
        field = sobject.fields[name]
        return not field.has("N") and field.type != "boolean"

    def _checked(self, sobject: SObject, told: Mapping[str, Any], flag: str) -> Row:
        """Return values as they are kept; raise RefusedError for fields nobody may write so."""
        values, closed = {}, []
        for name, value in told.items():
            if name == "attributes" or name.casefold() == "id":
                continue
            field = sobject.find(name)
            if field is None:
                raise no_such_column(name, sobject.name)
            if not field.has(flag):
                closed.append(field.name)
                continue
            values[field.name] = kept(field, value)
            self._referred(field, values[field.name])
        if closed:
            message = (
                f"Unable to create/update fields: {', '.join(closed)}. Please check the security"
                " settings of this field and verify that it is read/write for your profile or"
                " permission set."
            )
            raise RefusedError("INVALID_FIELD_FOR_INSERT_UPDATE", message, 400, closed)
        return values

    def _referred(self, field: Field, id: Any) -> None:
        """Complain of a reference to what is not there."""
        if field.type != "reference" or id is None:
            return
        found = self.row(id)
        kinds = [self.objects[one].prefix for one in field.refers_to if one in self.objects]
        if kinds and id[:3] not in kinds:
            message = f"{field.label or field.name}: id value of incorrect type: {id}"
            raise RefusedError("MALFORMED_ID", message, 400, [field.name])
        if found is None:
            message = "invalid cross reference id"
            raise RefusedError("INVALID_CROSS_REFERENCE_KEY", message, 400, [])
        if found[1].get("IsDeleted"):
            raise RefusedError("ENTITY_IS_DELETED", "entity is deleted", 400, [])
        self._unlocked(found[1])

    def _unlocked(self, row: Row) -> None:
        """Complain where somebody else is writing a record."""
        left = self.locked.get(row["Id"], 0)
        if left:
            self.locked[row["Id"]] = left - 1
            message = "unable to obtain exclusive access to this record or 1 records: "
            raise RefusedError("UNABLE_TO_LOCK_ROW", f"{message}{row['Id']}", 400, [])

    def _allowed(self, sobject: SObject, row: Row, before: Row | None) -> None:
        """Complain of what an administrator's rules, or another record, do not allow."""
        for rule in self.rules[sobject.name]:
            says = rule(row)
            if says:
                raise RefusedError("FIELD_CUSTOM_VALIDATION_EXCEPTION", says, 400, [])
        if sobject.name in {"Task", "Event"}:
            of_somebody(row)
        there = [one for one in self.rows(sobject.name) if not one.get("IsDeleted")]
        unique(sobject, row, there)
        if self.duplicate_rule and sobject.name == "Contact" and before is None:
            undoubled(row, there)

    # --- what happens by itself ---

    def _stamps(self, by: str) -> Row:
        """Return what is written down of every change."""
        now = self.now()
        return {
            "CreatedDate": now,
            "CreatedById": by,
            "LastModifiedDate": now,
            "LastModifiedById": by,
            "SystemModstamp": now,
        }

    def _settled(self, sobject: SObject, row: Row) -> None:
        """Work out what follows from the values of a record."""
        if sobject.name in {"Contact", "Lead", "User"}:
            names = [row.get("FirstName"), row.get("LastName")]
            row["Name"] = " ".join(one for one in names if one) or None
        if sobject.name == "Opportunity":
            staged(row)
        if sobject.name == "Task":
            row["IsClosed"] = row.get("Status") == "Completed"
        if sobject.name == "CampaignMember":
            self._member(row)

    def _member(self, row: Row) -> None:
        """Let a member of a campaign have one of its states: the default, for any other."""
        states = [
            one
            for one in self.rows("CampaignMemberStatus")
            if one["CampaignId"] == row["CampaignId"] and not one.get("IsDeleted")
        ]
        fits = [one for one in states if one["Label"] == row.get("Status")]
        chosen = (fits or [one for one in states if one["IsDefault"]] or states)[:1]
        for one in chosen:
            row |= {"Status": one["Label"], "HasResponded": one["HasResponded"]}
        row["Type"] = "Contact" if row.get("ContactId") else "Lead"

    def _after(self, entity: str, row: Row) -> None:
        """Make what comes with a new record."""
        if entity == "Campaign":
            for number, label in enumerate(("Sent", "Responded")):
                state = {"CampaignId": row["Id"], "Label": label, "SortOrder": number + 1}
                state |= {"IsDefault": number == 0, "HasResponded": number == 1}
                self.insert("CampaignMemberStatus", state)
        if entity == "Opportunity" and row.get("ContactId"):
            part = {"OpportunityId": row["Id"], "ContactId": row["ContactId"], "IsPrimary": True}
            self.insert("OpportunityContactRole", part)
        if entity == "FieldPermissions" and row.get("PermissionsRead"):
            kind, _, name = str(row["Field"]).partition(".")
            if kind in self.objects:
                self.objects[kind].hidden.discard(name)
                self._describe_anew(self.objects[kind])
