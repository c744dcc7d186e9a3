"""The desk of SuiteCRM: its records, in the verbs that all CRMs are asked in."""

import re
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
    NotTakenError,
    Written,
)
from regportal.connectors.judging import Subscription
from regportal.connectors.orders import Whose
from regportal.connectors.schema import Connector as Document
from regportal.connectors.singly import one_by_one
from regportal.connectors.suitecrm.asking import Suite
from regportal.connectors.suitecrm.deals import Deals
from regportal.connectors.suitecrm.judging import NoRightError
from regportal.connectors.suitecrm.lists import Lists
from regportal.connectors.suitecrm.news import News
from regportal.connectors.suitecrm.notes import Notes
from regportal.connectors.suitecrm.people import COMPANY, People
from regportal.connectors.suitecrm.values import spelled
from regportal.connectors.wanted import our_fields
from regportal.errors import UnreachableError

BATCH = 20
"""Changes at once: SuiteCRM knows only single calls."""
MODULES: Mapping[Kind, str] = {"contact": "Contacts", "opportunity": "Opportunities"}
SEEN = (
    *("Contacts", "Accounts", "Opportunities", "Notes", "Leads"),
    *("ProspectLists", "Campaigns", "EmailAddresses"),
)
"""Kinds of records that our user must see; what else he may, SuiteCRM does not tell."""
NO_FIELD = frozenset({"link", "relate", "file", "image"})
"""Types of what is no value of a record."""
OPTION = re.compile(r"[\w-]+")
BY_HAND = "an administrator must make it: Module Loader, or Admin, Studio, {}, Fields"
OPTIONS = "an administrator must add them to the drop-down, and to the field's comment"


class SuiteDesk:
    """One SuiteCRM, called by an OAuth2 client with a user of its own."""

    capabilities = Capabilities(
        batch=BATCH,
        idempotent=True,
        polled=True,
        newsletter="target list",
    )

    def __init__(self, document: Document, suite: Suite) -> None:
        """Take how it is configured, and how to call it."""
        self._document, self._suite = document, suite
        self._phase = spelled(document.phase_field)
        self._people, self._notes = People(suite), Notes(suite)
        self._lists = Lists(suite, self._notes, document.newsletters)
        self._deals = Deals(suite, document.url.rstrip("/"), self._phase)
        self._news = News(suite, self._deals, self._people, self._lists, self._notes)

    # --- fields ---

    def spell(self, name: str) -> str:
        """Return how SuiteCRM spells a field of ours: ``buying_phase_c``."""
        return spelled(name)

    def fields(self, kind: Kind) -> Mapping[str, Field]:
        """
        Return which fields such records have, by name.

        SuiteCRM does not say what a drop-down may hold, and takes any text for it. So the options
        of the buying phase are those that an administrator wrote into the comment of the field.
        """
        found = {
            name: Field(name, is_writable=name != "id", options=self._options(name, about))
            for name, about in self._suite.fields(MODULES[kind]).items()
            if about.get("source") != "non-db" and about.get("type") not in NO_FIELD
        }
        company = {COMPANY: Field(COMPANY, is_writable=True)} if kind == "contact" else {}
        return found | company

    def _options(self, name: str, about: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Return what the buying phase may be."""
        if name != self._phase:
            return None
        return tuple(OPTION.findall(str(about.get("comments") or "")))

    def make(self, fields: Sequence[FieldPlan]) -> list[Finding]:
        """Make none: the API cannot; say who must."""
        there = {kind: self.fields(kind) for kind in MODULES}
        return [
            Finding(
                f"{one.kind}.{one.name}",
                fine=False,
                says=OPTIONS if one.name in there[one.kind] else BY_HAND.format(MODULES[one.kind]),
            )
            for one in fields
        ]

    # --- contacts and opportunities ---

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> Sequence[Sequence[Record]]:
        """Return the contacts that each is: by our key, and only where none has it by address."""
        return self._people.find(whose, fields)

    def keyed(self, kind: Kind, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return which contacts, or leads, are there with these keys of ours."""
        return self._people.keyed(keys) if kind == "contact" else self._people.claimed(keys)

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Record]:
        """Return records by id; one that is not there any more is left out."""
        return (self._people if kind == "contact" else self._deals).read(ids, fields)

    def create(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make contacts, each with our key; one that is told again is not made again."""
        return one_by_one(people, lambda one: self._people.create(*one))

    def update(
        self, kind: Kind, changes: Sequence[tuple[Record, Mapping[str, Any]]]
    ) -> Sequence[Written]:
        """Set fields of records."""
        of = self._people if kind == "contact" else self._deals
        return one_by_one(changes, lambda one: of.update(*one))

    def opportunities_of(self, contacts: Sequence[str]) -> Mapping[str, Sequence[Record]]:
        """Return the open opportunities of contacts."""
        return {contact: self._deals.open_of(contact) for contact in contacts}

    # --- activities and newsletters ---

    def log(self, activities: Sequence[Activity]) -> Sequence[Written]:
        """Let activities be seen in the history of contacts and opportunities."""
        return one_by_one(activities, self._notes.log)

    def lists(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the ids of all pairs of target lists of each newsletter; missing ones are made."""
        return self._lists.named(names)

    def lists_of(self, contacts: Mapping[str, str]) -> Mapping[str, Mapping[str, Subscription]]:
        """Return what each of these contacts allows, by newsletter."""
        return self._lists.of(contacts)

    def allow(self, wanted: Sequence[Allowing]) -> Sequence[Written]:
        """Put contacts on target lists, or on those of exemptions."""
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
            self._notes.forget(mark)
        for id in one.contacts:
            if self._suite.get("Contacts", id, ours) is not None:
                self._suite.patch("Contacts", id, dict.fromkeys(ours, ""))
        return one.became()

    # --- what happens there ---

    def changes(self, cursor: str | None, limit: int) -> tuple[Sequence[Notice], str]:
        """Return what happened after a cursor, and the cursor to ask with next."""
        return self._news.after(cursor, limit)

    def accept(self, request: InboundRequest, *, now: datetime) -> InboundReply:
        """Answer that SuiteCRM does not call: it is asked."""
        del request, now
        return InboundReply(401, "SuiteCRM does not call: it is asked")

    def check(self) -> list[Finding]:
        """Look whether we are let in, and what our user sees."""
        left_out = () if self._document.claimed == "lead" else ("Leads",)
        try:
            hidden = [one for one in SEEN if one not in left_out and not self._sees(one)]
        except (UnreachableError, NotTakenError) as error:
            return [Finding("SuiteCRM", fine=False, says=str(error))]
        return [
            Finding("SuiteCRM", fine=True, says="lets us in"),
            *(Finding(f"role: {one}", fine=False, says="hides them from us") for one in hidden),
        ]

    def _sees(self, module: str) -> bool:
        """Return whether our user sees records of a kind."""
        try:
            self._suite.page(module, {}, most=1, sort="date_modified")
        except NoRightError:
            return False
        return True

    def close(self) -> None:
        """Let go of connections."""
        self._suite.calls.egress.close()
