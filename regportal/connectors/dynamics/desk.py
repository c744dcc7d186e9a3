"""The desk of Dynamics 365 Sales: its records, in the verbs that all CRMs are asked in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
    Secrets,
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
from regportal.connectors.dynamics import hooks, making
from regportal.connectors.dynamics.batches import Op
from regportal.connectors.dynamics.checks import checked
from regportal.connectors.dynamics.consents import Consents
from regportal.connectors.dynamics.dataverse import Dataverse, guids
from regportal.connectors.dynamics.deals import Deals
from regportal.connectors.dynamics.feed import Feed
from regportal.connectors.dynamics.leads import Leads
from regportal.connectors.dynamics.notes import Notes
from regportal.connectors.dynamics.people import People
from regportal.connectors.dynamics.shape import KEY, Shape
from regportal.connectors.dynamics.spelling import spelled
from regportal.connectors.egress import Egress
from regportal.connectors.judging import Subscription
from regportal.connectors.orders import Whose
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector as Document
from regportal.connectors.wanted import our_fields

BATCH = 100


class DynamicsDesk:
    """One environment of Dynamics 365 Sales, called as an application user of it."""

    capabilities = Capabilities(
        batch=BATCH,
        idempotent=True,
        compare_and_set=True,
        newsletter="topic",
        inbound="shared secret",
        polled=True,
    )

    def __init__(self, document: Document, secret: Secrets, egress: Egress) -> None:
        """Read the secrets; raise ConfigError where one is missing."""
        self._document = document
        hook = document.inbound_secret
        self._hook = None if hook is None else secret(hook)
        self._dataverse = Dataverse(document, secret(document.secret), egress)
        self._shape = Shape(self._dataverse)
        self._people = People(self._dataverse, self._shape)
        self._deals = Deals(self._dataverse, self._shape)
        self._notes, self._leads = Notes(self._dataverse), Leads(self._dataverse)
        self._consents = Consents(self._dataverse)
        self._feed = Feed(document, self._dataverse, self._consents)

    # --- fields ---

    def spell(self, name: str) -> str:
        """Return how Dataverse spells a field of ours: ``regp_buying_phase``."""
        return spelled(name)

    def fields(self, kind: Kind) -> Mapping[str, Field]:
        """Return which columns such records have, by name."""
        return self._shape.of(kind)

    def make(self, fields: Sequence[FieldPlan]) -> list[Finding]:
        """Make columns that are missing, the key of ours, and options that a choice lacks."""
        return making.make(self._dataverse, self._shape, fields)

    # --- contacts and opportunities ---

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> Sequence[Sequence[Record]]:
        """Return the contacts that each is: by our key, and only where none has it by address."""
        return self._people.find(whose, fields)

    def keyed(self, kind: Kind, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return which contacts, or leads, are there with these keys of ours."""
        return self._people.keyed(keys) if kind == "contact" else self._leads.keyed(keys)

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Record]:
        """Return records by id; one that is not there any more is left out."""
        if kind == "contact":
            return self._people.read(ids, fields)
        return self._deals.read(ids, fields)

    def create(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make contacts, each with our key; one that is told again is not made again."""
        return self._people.create(people)

    def update(
        self, kind: Kind, changes: Sequence[tuple[Record, Mapping[str, Any]]]
    ) -> Sequence[Written]:
        """Set fields of records, only as long as they are as they were read."""
        if kind == "contact":
            return self._people.update(changes)
        return self._deals.update(changes)

    def opportunities_of(self, contacts: Sequence[str]) -> Mapping[str, Sequence[Record]]:
        """Return the open opportunities of contacts."""
        return self._deals.open_of(contacts)

    # --- activities and newsletters ---

    def log(self, activities: Sequence[Activity]) -> Sequence[Written]:
        """Let activities be seen in the timelines of contacts and opportunities."""
        return self._notes.log(activities)

    def lists(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the ids of all topics that each name, or id, means."""
        return self._consents.lists(names)

    def lists_of(self, contacts: Mapping[str, str]) -> Mapping[str, Mapping[str, Subscription]]:
        """Return what each of these contacts allows, by topic."""
        return self._consents.lists_of(contacts)

    def allow(self, wanted: Sequence[Allowing]) -> Sequence[Written]:
        """Let addresses be opted in to topics, or out of them."""
        return self._consents.allow(wanted)

    # --- leads, and being forgotten ---

    def lead(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make leads, by ids that follow from the claims: one that is told again is there."""
        return self._leads.make(people)

    def unlead(self, ids: Sequence[str]) -> Sequence[Written]:
        """Take leads back that nobody over there has made something of."""
        return self._leads.end(ids)

    def forget(self, people: Sequence[Erased]) -> Sequence[Written]:
        """Take everything of ours off contacts: our key, our scores, our notes."""
        ids = contacts_of(people)
        now = {id: record.id for id, record in self._people.read(ids, ()).items()}
        whole = [
            replace(one, contacts=(*one.contacts, *(now[id] for id in one.contacts if id in now)))
            for one in people
        ]
        everywhere = guids(contacts_of(whole))
        noted = self._notes.forget([*(one.key for one in people), *everywhere])
        ours = dict.fromkeys({KEY, *our_fields(self._document, self)})
        ops = [Op("PATCH", f"contacts({id})", ours, {"If-Match": "*"}) for id in everywhere]
        done = dict(zip(everywhere, self._dataverse.write(ops, _forgotten), strict=True))
        ended = {id: one for id, one in done.items() if one.outcome is not Outcome.LATER}  # gone
        return [one.became(ended, noted) for one in whole]

    # --- news ---

    def changes(self, cursor: str | None, limit: int) -> tuple[Sequence[Notice], str]:
        """Return what happened after a cursor, and the cursor to ask with next."""
        return self._feed.after(cursor, limit)

    def accept(self, request: InboundRequest, *, now: datetime) -> InboundReply:
        """Verify a call of a webhook: a genuine one is a hint to ask what happened."""
        return hooks.accept(self._hook, request, now=now)

    def check(self) -> list[Finding]:
        """Look whether we are let in, and what is there besides columns."""
        return [*checked(self._dataverse)]

    def close(self) -> None:
        """Let go of connections."""
        self._dataverse.close()


def _forgotten(place: int, answer: Any) -> Written:
    """Return that nothing of ours is left on a contact."""
    del answer
    return Written(str(place))
