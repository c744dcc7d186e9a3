"""
A Salesforce that is none: its REST API, version 31 to 68, over records in memory.

It begins as a new org, with the fields of regportal as an administrator makes them
(`docs/crm/salesforce.md`), and perhaps a few people. What it knows of fields is in `objects.json`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask

from regportal.sandbox.salesforce.objects import Field
from regportal.sandbox.salesforce.org import Org, Row
from regportal.sandbox.salesforce.refusals import RefusedError
from regportal.sandbox.salesforce.settling import WON
from regportal.sandbox.salesforce.values import shown
from regportal.sandbox.salesforce.web import Door

CLIENT, SECRET = "regportal-sandbox", "sandbox-secret"
PHASES = ("unaware", "interest", "exploration", "comparison", "decision", "stalled", "won", "lost")
KEY = "CUNELQ"
OURS: Mapping[str, Sequence[Field]] = {
    "Contact": (
        Field("Regportal_Id__c", "string", 64, KEY, label="regportal: key"),
        Field("Regportal_Fit__c", "double", 0, "CUN", label="regportal: fit"),
    ),
    "Lead": (Field("Regportal_Id__c", "string", 64, KEY, label="regportal: key"),),
    "Task": (Field("Regportal_Event_Id__c", "string", 64, KEY, label="regportal: event"),),
    "Event": (Field("Regportal_Event_Id__c", "string", 64, KEY, label="regportal: event"),),
    "Opportunity": (
        Field("Buying_Phase__c", "picklist", 255, "CUNR", options=PHASES, label="Buying phase"),
        Field("Buying_Phase_Since__c", "datetime", 0, "CUN", label="Buying phase since"),
        Field("Buying_Phase_Reason__c", "string", 255, "CUN", label="Buying phase: why"),
    ),
}
"""The fields that regportal needs."""
SHOWN: Mapping[str, Sequence[str]] = {
    "Account": ("Name", "Website"),
    "Contact": ("Name", "Email", "Phone", "AccountId", "MailingCountry", "MasterRecordId"),
    "Lead": ("Name", "Email", "Company", "Status", "IsConverted"),
    "Opportunity": ("Name", "StageName", "Amount", "CloseDate", "AccountId"),
    "OpportunityContactRole": ("OpportunityId", "ContactId", "Role", "IsPrimary"),
    "Task": ("Subject", "WhoId", "WhatId", "Status", "ActivityDate"),
    "Campaign": ("Name", "Status"),
    "CampaignMember": ("CampaignId", "ContactId", "Status"),
}
"""What the page shows of the standard fields; all custom ones stand behind the first."""


class Salesforce:
    """The fake: an org, the door to it, and what its people do."""

    name = "Salesforce"

    def __init__(
        self,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        has_our_fields: bool = True,
        has_people: bool = False,
    ) -> None:
        """Begin; ``has_people``: with examples, for whoever looks at the page."""
        self.org = Org(clock)
        if has_our_fields:
            for kind, fields in OURS.items():
                for one in fields:
                    self.org.add_field(kind, one)
        self.door = Door(self.org, CLIENT, SECRET)
        if has_people:
            self._examples()

    @property
    def app(self) -> Flask:
        """Return what answers the API."""
        return self.door.app

    def tables(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return the records, newest last; what is deleted says so."""
        told: dict[str, list[Mapping[str, Any]]] = {}
        for kind, names in SHOWN.items():
            custom = [one.name for one in self.org.objects[kind].fields.values() if one.is_custom]
            told[kind] = [
                {"Id": row["Id"]}
                | {name: shown(row.get(name)) for name in (names[0], *custom, *names[1:])}
                | {"SystemModstamp": shown(row["SystemModstamp"]), "IsDeleted": row["IsDeleted"]}
                for row in self.org.rows(kind)
            ]
        needed = [{"what": "client", "is": CLIENT}, {"what": "secret", "is": SECRET}]
        return told | {"what connectors need": needed}

    def deeds(self) -> Mapping[str, Callable[..., Any]]:
        """Return what the people of the org can do."""
        return {
            "make a contact": self.contact,
            "make an account": self.account,
            "make an opportunity": self.opportunity,
            "give a role": self.role,
            "set a field": self.set,
            "move to a stage": self.stage,
            "win an opportunity": self.win,
            "opt out": self.opt_out,
            "merge two records": self.merge,
            "delete a record": self.delete,
            "take a field away": self.take_away,
            "end all tokens": self.end_tokens,
            "use up calls": self.use_up_calls,
            "give calls back": self.give_calls_back,
            "lock a record": self.lock,
            "duplicate rule": self.duplicate_rule,
        }

    # --- what its people do ---

    def contact(self, email: str, last_name: str = "", account: str = "") -> str:
        """Write down a contact; return its id."""
        values = {"Email": email, "LastName": last_name or email.partition("@")[0]}
        return self._insert("Contact", values | ({"AccountId": account} if account else {}))

    def account(self, name: str, website: str = "") -> str:
        """Write down an account; return its id."""
        return self._insert("Account", {"Name": name, "Website": website or None})

    def opportunity(self, name: str, contact: str = "", account: str = "", amount: str = "") -> str:
        """Begin an opportunity, with a contact's role in it; return its id."""
        values = {
            "Name": name,
            "StageName": "Qualification",
            "CloseDate": (self.org.now().date() + timedelta(days=60)).isoformat(),
            "ContactId": contact or None,
            "AccountId": account or None,
            "Amount": amount or None,
        }
        return self._insert("Opportunity", values)

    def role(self, opportunity: str, contact: str, role: str = "Evaluator") -> str:
        """Give a contact a role in an opportunity; return the role's id."""
        values = {"OpportunityId": opportunity, "ContactId": contact, "Role": role}
        return self._insert("OpportunityContactRole", values)

    def set(self, id: str, field: str, value: str) -> None:
        """Set a field of a record."""
        self._update(id, {field: value})

    def stage(self, opportunity: str, stage: str) -> None:
        """Move an opportunity to a stage."""
        self._update(opportunity, {"StageName": stage})

    def win(self, opportunity: str) -> None:
        """Close an opportunity as won."""
        self.stage(opportunity, WON)

    def opt_out(self, contact: str, campaign: str = "") -> None:
        """Write down that a contact wants no more of a campaign, or no mail at all."""
        if not campaign:
            self._update(contact, {"HasOptedOutOfEmail": True})
            return
        of_both = {"CampaignId": self._campaign(campaign), "ContactId": contact}
        for row in self.org.rows("CampaignMember"):
            if {name: row[name] for name in of_both} == of_both and not row["IsDeleted"]:
                self._update(row["Id"], {"Status": "Unsubscribed"})
                return
        self._insert("CampaignMember", {**of_both, "Status": "Unsubscribed"})

    def merge(self, winner: str, loser: str) -> None:
        """Let one record be part of another."""
        self._tried(lambda: self.org.merge(winner, loser, self.org.people))

    def delete(self, id: str) -> None:
        """Delete a record."""
        self._tried(lambda: self.org.delete(id, self.org.people))

    # --- what happens to it ---

    def take_away(self, kind: str, name: str) -> None:
        """Take a field of contacts, opportunities… away, and what it held."""
        there = self.org.objects.get(kind)
        if there is None or name not in there.fields:
            raise ValueError(f"there is no field {name!r} of {kind!r}")
        del there.fields[name]
        for row in self.org.rows(kind):
            row.pop(name, None)

    def end_tokens(self) -> None:
        """Let every access token end."""
        self.door.tokens.clear()

    def use_up_calls(self) -> None:
        """Let the calls of a day be used up."""
        self.org.used = self.org.allowed

    def give_calls_back(self) -> None:
        """Let there be calls again."""
        self.org.used = 0

    def lock(self, id: str, times: str = "1") -> None:
        """Let somebody else be writing a record, as often as it is tried."""
        self.org.locked[id] = int(times)

    def duplicate_rule(self, on: str = "yes") -> None:
        """Let contacts of one name be taken for one, or not."""
        self.org.duplicate_rule = on == "yes"

    # --- inside ---

    def _campaign(self, name: str) -> str:
        """Return a campaign whose members subscribe and unsubscribe."""
        for row in self.org.rows("Campaign"):
            if row["Name"] == name and not row["IsDeleted"]:
                return str(row["Id"])
        made = self._insert("Campaign", {"Name": name, "IsActive": True})
        for number, label in enumerate(("Subscribed", "Unsubscribed")):
            state = {"CampaignId": made, "Label": label, "SortOrder": number + 3}
            self._insert("CampaignMemberStatus", state)
        return made

    def _insert(self, kind: str, values: Row) -> str:
        """Let a person make a record."""
        made: str = self._tried(lambda: self.org.insert(kind, values, self.org.people))
        return made

    def _update(self, id: str, values: Row) -> None:
        """Let a person change a record."""
        found = self.org.row(id)
        if found is None:
            raise ValueError(f"there is no record {id}")
        self._tried(lambda: self.org.update(found[0], id, values, self.org.people))

    @staticmethod
    def _tried(deed: Callable[[], Any]) -> Any:
        """Do something; raise ValueError with the sentence of the refusal."""
        try:
            return deed()
        except RefusedError as error:
            raise ValueError(error.message) from None

    def _examples(self) -> None:
        """Let a few people be there."""
        acme = self.account("Initech", "https://initech.example")
        ann = self.contact("ann@initech.example", "Smith", acme)
        self.contact("bob@initech.example", "Jones", acme)
        self.opportunity("500 widgets for Leeds", ann, acme, "12000.50")


def create() -> Salesforce:
    """Return the sandbox as the command line shows it."""
    return Salesforce(has_people=True)
