"""The desk of EspoCRM: its records, in the verbs that all CRMs are asked in."""

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
    Secrets,
    secrets_of,
)
from regportal.connectors.desk import (
    Activity,
    Allowing,
    Erased,
    Field,
    FieldPlan,
    NotTakenError,
    Written,
)
from regportal.connectors.egress import Egress
from regportal.connectors.espocrm import hooks, making
from regportal.connectors.espocrm.asking import Espo, spelled, written
from regportal.connectors.espocrm.deals import Deals
from regportal.connectors.espocrm.lists import Lists
from regportal.connectors.espocrm.news import News
from regportal.connectors.espocrm.people import People, contact, selected, taken
from regportal.connectors.espocrm.stream import Stream
from regportal.connectors.judging import Subscription
from regportal.connectors.orders import Whose
from regportal.connectors.schema import Connector as Document
from regportal.connectors.shapes import cited, under
from regportal.connectors.singly import one_by_one
from regportal.connectors.wanted import our_fields
from regportal.errors import UnreachableError

BATCH = 20
"""Changes at once: EspoCRM knows only single calls, and readings are shared."""
RIGHTS: Mapping[str, tuple[str, ...]] = {
    "Contact": ("create", "read", "edit", "stream"),
    "Account": ("create", "read"),
    "Opportunity": ("read", "edit", "stream"),
    "TargetList": ("create", "read", "edit"),
    "Lead": ("create", "read", "delete"),
}
"""What our role must allow, by what EspoCRM calls its kinds of records."""
IN_FULL = frozenset({"yes", "all"})
"""Levels of a right that leave nobody out: of whom we may not see we would make a second one."""


class EspoDesk:
    """One EspoCRM, called by the key of an API user of its own."""

    capabilities = Capabilities(
        batch=BATCH,
        idempotent=True,
        compare_and_set=True,
        inbound="signed",
        polled=True,
        newsletter="target list",
    )

    def __init__(self, document: Document, secret: Secrets, egress: Egress) -> None:
        """Read the secrets; raise ConfigError where one is missing."""
        key, hook = secrets_of(document, secret)
        self._document, self._secret = document, secret
        self._egress = egress
        self._hook_keys = hooks.keys_of(hook)
        self._espo = Espo.at(document.url, egress, key)
        self._people, self._stream = People(self._espo), Stream(self._espo)
        self._lists = Lists(self._espo, self._stream, document.newsletters)
        self._deals = Deals(self._espo, document.url.rstrip("/"))
        self._news = News(self._espo, self._deals, self._lists, self._stream)

    # --- fields ---

    def spell(self, name: str) -> str:
        """Return how EspoCRM spells a field of ours: ``cBuyingPhase``."""
        return spelled(name)

    def fields(self, kind: Kind) -> Mapping[str, Field]:
        """Return which fields such records have, by name."""
        return making.fields(self._espo, kind)

    def make(self, fields: Sequence[FieldPlan]) -> list[Finding]:
        """Make fields as the administrator whom the document names; without one say who must."""
        named = self._document.admin_secret
        if named is None:
            return making.make(self._espo, None, fields)
        admin = Espo.at(self._document.url, self._egress, self._secret(named))
        return making.make(self._espo, admin, fields)

    # --- contacts and opportunities ---

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> Sequence[Sequence[Record]]:
        """Return the contacts that each is: by our key, and only where none has it by address."""
        return self._people.find(whose, fields)

    def keyed(self, kind: Kind, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return which contacts, or leads, are there with these keys of ours."""
        return self._people.keyed(keys) if kind == "contact" else self._people.claimed(keys)

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Record]:
        """Return records by id; one that is not there any more is left out."""
        if kind == "opportunity":
            return self._deals.read(ids, fields)
        rows = self._espo.by_id("Contact", ids, selected(fields))
        return {id: contact(row) for id, row in rows.items()}

    def create(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make contacts, each with our key; one that is told again is not made again."""
        return one_by_one(people, lambda one: self._people.create(*one))

    def update(
        self, kind: Kind, changes: Sequence[tuple[Record, Mapping[str, Any]]]
    ) -> Sequence[Written]:
        """Set fields of records; of opportunities only as long as they are as they were read."""
        if kind == "contact":
            return one_by_one(changes, lambda one: self._people.update(*one))
        return one_by_one(changes, lambda one: self._moved(*one))

    def _moved(self, record: Record, values: Mapping[str, Any]) -> Written:
        """Set fields of an opportunity."""
        told = {name: written(value) for name, value in values.items()}
        echo = self._espo.put("Opportunity", record.id, told, record.etag)
        return taken(told, echo, as_told=True)

    def opportunities_of(self, contacts: Sequence[str]) -> Mapping[str, Sequence[Record]]:
        """Return the open opportunities of contacts."""
        return self._deals.open_of(contacts)

    # --- activities and newsletters ---

    def log(self, activities: Sequence[Activity]) -> Sequence[Written]:
        """Let activities be seen in the streams of contacts and opportunities."""
        return self._stream.log(activities)

    def lists(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the ids of all target lists of each name; one of which there is none is made."""
        return self._lists.named(names)

    def lists_of(self, contacts: Mapping[str, str]) -> Mapping[str, Mapping[str, Subscription]]:
        """Return what each of these contacts allows, by list."""
        return self._lists.of_all(contacts)

    def allow(self, wanted: Sequence[Allowing]) -> Sequence[Written]:
        """Put contacts on lists, or let them be opted out."""
        return one_by_one(wanted, self._lists.allow)

    # --- leads, and being forgotten ---

    def lead(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make leads, each with the claim's key; one that is told again is not made again."""
        return one_by_one(people, lambda one: self._people.lead(*one))

    def unlead(self, ids: Sequence[str]) -> Sequence[Written]:
        """Take leads back that nobody over there has made something of."""
        return one_by_one(ids, self._people.unlead)

    def forget(self, people: Sequence[Erased]) -> Sequence[Written]:
        """Take everything of ours off contacts: our key, our scores, what we logged."""
        ours = our_fields(self._document, self)
        return one_by_one(people, lambda one: self._forgotten(one, ours))

    def _forgotten(self, one: Erased, ours: Sequence[str]) -> Written:
        """Take what is ours off one person; a contact that is gone has nothing of it."""
        for mark in one.marks:
            self._stream.forget(mark)
        for id in self._espo.by_id("Contact", one.contacts, ["id"]):
            self._espo.put("Contact", id, dict.fromkeys(ours))
        return one.became()

    # --- news ---

    def changes(self, cursor: str | None, limit: int) -> tuple[Sequence[Notice], str]:
        """Return what happened after a cursor, and the cursor to ask with next."""
        return self._news.after(cursor, limit)

    def accept(self, request: InboundRequest, *, now: datetime) -> InboundReply:
        """Verify a call of a webhook: a genuine one is a hint to ask what happened."""
        return hooks.accept(self._hook_keys, request, now=now)

    def check(self) -> list[Finding]:
        """Look whether we are let in, under which version, and what our role allows."""
        try:
            told = self._espo.get("App/user")
        except (UnreachableError, NotTakenError) as error:
            return [Finding("EspoCRM", fine=False, says=str(error))]
        if not (isinstance(told, dict) and "acl" in told):
            return [Finding("EspoCRM", fine=False, says="there is no EspoCRM at this address")]
        version = under(told, "settings").get("version", "unknown")
        acl = under(under(told, "acl"), "table")
        found = [Finding("EspoCRM", fine=True, says=f"lets us in; version {cited(version)}")]
        for scope, actions in self._rights().items():
            may = under(acl, scope)
            lacks = [action for action in actions if str(may.get(action)) not in IN_FULL]
            if lacks:
                says = f"does not let us {', '.join(lacks)} all of them"
                found.append(Finding(f"role: {scope}", fine=False, says=says))
        return found

    def _rights(self) -> Mapping[str, tuple[str, ...]]:
        """Return what our role must allow; where nothing is told of claims, no leads."""
        left_out = () if self._document.claimed == "lead" else ("Lead",)
        return {scope: may for scope, may in RIGHTS.items() if scope not in left_out}

    def close(self) -> None:
        """Let go of connections."""
        self._egress.close()
