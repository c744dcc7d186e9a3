"""The desk of HubSpot: its records, in the verbs that all CRMs are asked in."""

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
    contacts_of,
)
from regportal.connectors.egress import Egress
from regportal.connectors.hubspot import hooks, making
from regportal.connectors.hubspot.asking import BATCH, NEWEST, VERSIONS, Hub
from regportal.connectors.hubspot.deals import Deals
from regportal.connectors.hubspot.lists import AREA, Lists
from regportal.connectors.hubspot.news import News
from regportal.connectors.hubspot.notes import Notes
from regportal.connectors.hubspot.people import People
from regportal.connectors.judging import Subscription
from regportal.connectors.orders import Whose
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector as Document
from regportal.connectors.wanted import our_fields
from regportal.errors import UnreachableError

AREAS = (
    ("crm/properties", "contacts", "contacts"),
    ("crm/properties", "deals", "deals"),
    ("crm/properties", "notes", "notes"),
    ("crm/pipelines", "deals", "stages of deals"),
    ("crm/owners", "", "owners"),
    (AREA, "definitions", "subscription types"),
)
"""What we read there: area, path, and what people call it."""
NO_LEADS = Written(None, Outcome.NOOP)


class HubSpotDesk:
    """One account of HubSpot, called with a service key or the token of an app."""

    capabilities = Capabilities(
        batch=BATCH,
        idempotent=True,
        inbound="signed",
        polled=True,
        keyed=("contact", "activity"),
        newsletter="subscription type",
    )

    def __init__(self, document: Document, secret: Secrets, egress: Egress) -> None:
        """Read the secrets; raise ConfigError where one is missing."""
        key, hook = secrets_of(document, secret)
        self._document, self._egress = document, egress
        self._hook_keys = hooks.keys_of(hook)
        version = document.version or NEWEST
        self._hub = Hub.at(document.url, version, egress, key, document.zone)
        self._people, self._deals = People(self._hub), Deals(self._hub, document.zone)
        self._notes, self._lists = Notes(self._hub), Lists(self._hub, document.newsletters)
        self._news = News(self._hub, self._deals, self._lists)

    # --- fields ---

    def spell(self, name: str) -> str:
        """Return how HubSpot spells a field of ours: in small letters."""
        return name.lower()

    def fields(self, kind: Kind) -> Mapping[str, Field]:
        """Return which properties such records have, by name."""
        return making.fields(self._hub, kind)

    def make(self, fields: Sequence[FieldPlan]) -> list[Finding]:
        """Make properties that are missing, and options that a choice lacks."""
        return making.make(self._hub, fields)

    # --- contacts and opportunities ---

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> Sequence[Sequence[Record]]:
        """Return the contacts that each is: by our key, and only where none has it by address."""
        return self._people.find(whose, fields)

    def keyed(self, kind: Kind, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return which contacts have these keys of ours; of a claim there is never one."""
        return self._people.keyed(keys) if kind == "contact" else {}

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Record]:
        """Return records by id; one that is not there any more is left out."""
        there = self._people if kind == "contact" else self._deals
        return there.read(ids, fields)

    def create(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make contacts, each with our key; one that is told again is not made again."""
        return self._people.create(people)

    def update(
        self, kind: Kind, changes: Sequence[tuple[Record, Mapping[str, Any]]]
    ) -> Sequence[Written]:
        """Set fields of records: HubSpot cannot be told to change only what is as it was read."""
        there = self._people if kind == "contact" else self._deals
        return there.update(changes)

    def opportunities_of(self, contacts: Sequence[str]) -> Mapping[str, Sequence[Record]]:
        """Return the open deals of contacts."""
        return self._deals.open_of(contacts)

    # --- activities and newsletters ---

    def log(self, activities: Sequence[Activity]) -> Sequence[Written]:
        """Let activities be seen as notes beside contacts and deals."""
        return self._notes.log(activities)

    def lists(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the numbers of all subscription types that each name, or number, means."""
        return self._lists.named(names)

    def lists_of(self, contacts: Mapping[str, str]) -> Mapping[str, Mapping[str, Subscription]]:
        """Return what each of these contacts allows, by subscription type."""
        return self._lists.of(contacts)

    def allow(self, wanted: Sequence[Allowing]) -> Sequence[Written]:
        """Subscribe contacts, or end it."""
        return self._lists.allow(wanted)

    # --- leads, and being forgotten ---

    def lead(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make nothing: a lead of HubSpot belongs to a contact, and a claim is none."""
        return [NO_LEADS for _ in people]

    def unlead(self, ids: Sequence[str]) -> Sequence[Written]:
        """Take nothing back."""
        return [NO_LEADS for _ in ids]

    def forget(self, people: Sequence[Erased]) -> Sequence[Written]:
        """Take everything of ours off contacts: our key, our scores, what we logged."""
        kept = self._notes.forget(contacts_of(people))
        ids = [id for id in contacts_of(people) if id not in kept]  # by our key he is found again
        ours = dict.fromkeys(our_fields(self._document, self), "") if ids else {}
        done = zip(ids, self._people.update([(Record(id), ours) for id in ids]), strict=True)
        gone = Outcome.LATER  # it has nothing of ours
        ended = {id: one for id, one in done if one.outcome is not gone}
        return [one.became(ended, kept) for one in people]

    # --- news ---

    def changes(self, cursor: str | None, limit: int) -> tuple[Sequence[Notice], str]:
        """Return what happened after a cursor, and the cursor to ask with next."""
        return self._news.after(cursor, limit)

    def accept(self, request: InboundRequest, *, now: datetime) -> InboundReply:
        """Verify a call of a webhook: a genuine one is a hint, and tells what is gone."""
        return hooks.accept(self._hook_keys, request, account=self._document.account, now=now)

    def check(self) -> list[Finding]:
        """Look whether we are let in, under which version, and what our key allows."""
        version = self._document.version or NEWEST
        if version not in VERSIONS:
            says = f"version {version} was never tried; these were: {', '.join(VERSIONS)}"
            return [Finding("HubSpot", fine=False, says=says)]
        self._hub.forget_kept()
        found = []
        for area, path, name in AREAS:
            try:
                self._hub.kept(area, path)
            except UnreachableError as error:
                return [Finding("HubSpot", fine=False, says=str(error))]
            except NotTakenError as error:
                found.append(Finding(name, fine=False, says=str(error)))
        if len(found) == len(AREAS) and len({one.says for one in found}) == 1:
            return [Finding("HubSpot", fine=False, says=found[0].says)]  # one cause, one line
        return found or [Finding("HubSpot", fine=True, says=f"lets us in; version {version}")]

    def close(self) -> None:
        """Let go of connections."""
        self._egress.close()
