"""Salesforce's contacts, opportunities, tasks, campaigns and leads, as the verbs of a desk."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from regportal.connectors.base import (
    Capabilities,
    Finding,
    InboundReply,
    InboundRequest,
    Kind,
    Notice,
    Record,
)
from regportal.connectors.desk import (
    Activity,
    Allowing,
    Erased,
    Field,
    FieldPlan,
    Written,
    contacts_of,
)
from regportal.connectors.egress import Egress
from regportal.connectors.judging import Subscription
from regportal.connectors.orders import Whose
from regportal.connectors.salesforce.activities import Activities
from regportal.connectors.salesforce.api import MOST, Salesforce
from regportal.connectors.salesforce.campaigns import Campaigns
from regportal.connectors.salesforce.deals import Deals
from regportal.connectors.salesforce.fields import Fields, spelled
from regportal.connectors.salesforce.news import News
from regportal.connectors.salesforce.people import People
from regportal.connectors.schema import Connector as Document
from regportal.connectors.wanted import our_fields


class SalesforceDesk:
    """One org, called as a client of its own."""

    capabilities = Capabilities(
        batch=MOST,
        idempotent=True,
        compare_and_set=True,
        newsletter="campaign",
        polled=True,
        keyed=("contact", "lead", "activity"),
    )

    def __init__(self, document: Document, egress: Egress, secret: str) -> None:
        """Take how it is configured, the door to the network, and the client's secret."""
        self._document = document
        self._salesforce = Salesforce(document, egress, secret)
        self._fields = Fields(self._salesforce)
        self._people = People(self._salesforce)
        self._deals = Deals(self._salesforce)
        self._activities = Activities(self._salesforce, self._deals)
        self._campaigns = Campaigns(self._salesforce)
        self._news = News(document, self._salesforce)

    # --- fields ---

    def spell(self, name: str) -> str:
        """Return how Salesforce spells a field of ours: ``Buying_Phase__c``."""
        return spelled(name)

    def fields(self, kind: Kind) -> Mapping[str, Field]:
        """Return which fields such records have, and ``Account.Name`` of a contact."""
        return self._fields.of(kind)

    def make(self, fields: Sequence[FieldPlan]) -> list[Finding]:
        """Make fields that are missing; options that a choice lacks are for its administrator."""
        return [*self._fields.make(fields)]

    # --- contacts and opportunities ---

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> Sequence[Sequence[Record]]:
        """Return the contacts that each is: by our key, and only where none has it by address."""
        return self._people.find(whose, fields)

    def keyed(self, kind: Kind, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return which contacts, or leads, are there with these keys of ours."""
        return self._people.keyed(kind, keys)

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Record]:
        """Return records by id; of a contact that was merged into another, that other one."""
        read = self._deals.read if kind == "opportunity" else self._people.read
        return read(ids, fields)

    def create(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make contacts, each with our key; one that is told again is not made again."""
        return self._people.create(people)

    def update(
        self, kind: Kind, changes: Sequence[tuple[Record, Mapping[str, Any]]]
    ) -> Sequence[Written]:
        """Set fields of records; of opportunities only as long as they are as they were read."""
        update = self._deals.update if kind == "opportunity" else self._people.update
        return update(changes)

    def opportunities_of(self, contacts: Sequence[str]) -> Mapping[str, Sequence[Record]]:
        """Return the open opportunities in which contacts have a role."""
        return self._deals.open_of(contacts)

    # --- what is seen, and what is allowed ---

    def log(self, activities: Sequence[Activity]) -> Sequence[Written]:
        """Let activities be seen, as tasks that are done."""
        return self._activities.log(activities)

    def lists(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the ids of all campaigns that each name, or id, means; one by a name is made."""
        return self._campaigns.named(names)

    def lists_of(self, contacts: Mapping[str, str]) -> Mapping[str, Mapping[str, Subscription]]:
        """Return what each of these contacts (id → address) allows, by list."""
        return self._campaigns.lists_of([*contacts])

    def allow(self, wanted: Sequence[Allowing]) -> Sequence[Written]:
        """Let contacts be subscribed to campaigns, or not any more."""
        return self._campaigns.allow(wanted)

    # --- leads, and forgetting ---

    def lead(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make leads, each with the claim's key; none where a lead has the address."""
        return self._people.lead(people)

    def unlead(self, ids: Sequence[str]) -> Sequence[Written]:
        """Delete leads of claims that nobody but us has written to."""
        return self._people.unlead(ids)

    def forget(self, people: Sequence[Erased]) -> Sequence[Written]:
        """Take our key and our scores off contacts, and delete what we logged of them."""
        ids = contacts_of(people)
        there = self._people.read(ids, ())
        kept = self._activities.forget([*{*ids, *(one.id for one in there.values())}])
        nothing = dict.fromkeys(our_fields(self._document, self)) if there else {}
        found = {one.id: one for one in there.values()}
        taken = self._people.update([(one, nothing) for one in found.values()])
        done = dict(zip(found, taken, strict=True)) | kept
        ended = {id: done.get(there[id].id if id in there else id, Written(id)) for id in ids}
        return [one.became(ended) for one in people]

    # --- what is asked ---

    def changes(self, cursor: str | None, limit: int) -> tuple[Sequence[Notice], str]:
        """Return what happened after a cursor, and the cursor to ask with next."""
        return self._news.after(cursor, limit)

    def accept(self, request: InboundRequest, *, now: datetime) -> InboundReply:
        """Refuse: what Salesforce sends is not signed, so it is asked instead."""
        del request, now
        return InboundReply(401, "Salesforce does not sign what it sends: it is polled")

    def check(self) -> list[Finding]:
        """Look whether we are let in, under which version, and how many calls are left."""
        return [*self._salesforce.check()]

    def close(self) -> None:
        """Let go of connections."""
        self._salesforce.close()
