"""Odoo's contacts, opportunities and leads, as the verbs of a desk."""

import uuid
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
from regportal.connectors.judging import Subscription
from regportal.connectors.odoo.checks import checked
from regportal.connectors.odoo.feed import Feed
from regportal.connectors.odoo.filling import Filling
from regportal.connectors.odoo.letters import Letters
from regportal.connectors.odoo.many import done
from regportal.connectors.odoo.notes import Notes
from regportal.connectors.odoo.shape import COMPANY, LEAD, MODELS, PERSON, Shape, spelled
from regportal.connectors.odoo.transport import AMISS, Odoo
from regportal.connectors.odoo.values import one, read_value
from regportal.connectors.orders import Whose
from regportal.connectors.records import Records
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector as Document
from regportal.connectors.shapes import shaped
from regportal.connectors.wanted import KEY, our_fields

ALL = {"active_test": False}
"""Also what is archived."""
QUIET = {"mail_create_nosubscribe": True}
"""Whoever makes a contact does not follow him."""
OPEN: list[Any] = [
    ["type", "=", "opportunity"],
    "|",
    ["stage_id", "=", False],
    ["stage_id.is_won", "=", False],
]
"""What is neither won nor lost: an opportunity that is lost is archived."""
OUR_LEAD = "regportal.claim_"
"""How the external ids begin of leads that we make: one that is told again is found by it."""


class OdooDesk:
    """The desk."""

    capabilities = Capabilities(batch=100, idempotent=True, polled=True, newsletter="mailing list")

    def __init__(self, document: Document, odoo: Odoo) -> None:
        """Take how it is configured, and how to call it."""
        self._document, self._odoo = document, odoo
        self._shape = Shape(odoo)
        self._filling = Filling(odoo, self._shape)
        self._letters = Letters(odoo)
        self._notes = Notes(odoo)
        self._feed = Feed(document, odoo)

    # --- fields ---

    def spell(self, name: str) -> str:
        """Return how Odoo spells a field of ours: a name made by hand begins with ``x_``."""
        return spelled(name)

    def fields(self, kind: Kind) -> Mapping[str, Field]:
        """Return which fields such records have, and ``company`` of a contact."""
        return self._shape.of(kind)

    def make(self, fields: Sequence[FieldPlan]) -> list[Finding]:
        """Make fields that are missing, and options that a choice lacks."""
        return [*self._shape.make(fields)]

    # --- contacts and opportunities ---

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> Sequence[Sequence[Record]]:
        """Return the contacts that each is: by our key, and only where none has it by address."""
        by_key = self._keyed([who.key for who in whose], fields)
        lost = [who.email.casefold() for who in whose if not by_key[who.key]]
        asked = [*fields, "email_normalized", "is_company"]
        named = self._people([["email_normalized", "in", lost]], asked) if lost else []
        found = []
        for who in whose:
            rows = by_key[who.key] or _named(named, who.email)
            found.append([self._record(row, fields) for row in rows])
        return found

    def keyed(self, kind: Kind, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return which contacts, or leads, are there with these keys of ours."""
        if kind == "lead":
            return self._leads(keys)
        rows = self._keyed(keys, ())
        return {key: [str(row["id"]) for row in some] for key, some in rows.items()}

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Record]:
        """Return records by id; one that is not there any more is left out."""
        known = [int(id) for id in ids if id.isdecimal() and len(id) < len(str(2**31))]
        if not known:
            return {}
        asked = [*_asked(fields), *(("active", "stage_id") if kind == "opportunity" else ())]
        rows = self._odoo.call(
            MODELS[kind], "search_read", domain=[["id", "in", known]], fields=asked, context=ALL
        )
        won = self._won() if kind == "opportunity" else frozenset()
        return {
            str(row["id"]): self._record(
                row,
                fields,
                is_closed=not row.get("active", True) or one(row.get("stage_id")) in won,
            )
            for row in rows
        }

    def create(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make contacts, each with our key: by it one that is told again was found before."""
        filled = self._filling.all("contact", [values for _, values in people])
        new = []
        for (who, _), values in zip(people, filled, strict=True):
            mine = {"name": who.email, "email": who.email, spelled(KEY): who.key}
            new.append(values if isinstance(values, Written) else mine | dict(values))
        made = iter(done([one for one in new if not isinstance(one, Written)], self._make_people))
        return [one if isinstance(one, Written) else _created(next(made)) for one in new]

    def update(
        self, kind: Kind, changes: Sequence[tuple[Record, Mapping[str, Any]]]
    ) -> Sequence[Written]:
        """Set fields of records: one call for all that are to say the same."""
        filled = self._filling.all(kind, [values for _, values in changes])
        ids = [record.id for record, _ in changes]
        results: dict[int, Written] = {}
        alike: dict[str, list[int]] = {}
        for place, values in enumerate(filled):
            if isinstance(values, Written):
                results[place] = values
            else:
                alike.setdefault(repr(sorted(values.items())), []).append(place)
        for places in alike.values():
            values = filled[places[0]]

            def write(some: Sequence[int], values: Any = values) -> Sequence[str]:
                at = [int(ids[place]) for place in some]
                self._odoo.call(MODELS[kind], "write", at, vals=values)
                return [ids[place] for place in some]

            results |= dict(zip(places, done(places, write), strict=True))
        return [results[place] for place in range(len(changes))]

    def opportunities_of(self, contacts: Sequence[str]) -> Mapping[str, Sequence[Record]]:
        """Return the open opportunities of contacts: his, and those that name his address."""
        ids = [int(id) for id in contacts]
        people = self._people([["id", "in", ids]], ["email_normalized"], ALL)
        addresses = {row["email_normalized"] for row in people} - {False}
        his = ["|", ["partner_id", "in", ids], ["email_normalized", "in", sorted(addresses)]]
        asked = ["name", "partner_id", "email_normalized"]
        rows = self._odoo.call(LEAD, "search_read", domain=[*OPEN, *his], fields=asked, order="id")
        return {
            str(person["id"]): [
                Record(str(row["id"]), {"name": row["name"]})
                for row in rows
                if _is_his(row, person)
            ]
            for person in people
        }

    # --- what is seen, and what is allowed ---

    def log(self, activities: Sequence[Activity]) -> Sequence[Written]:
        """Let activities be seen beside contacts and opportunities."""
        return self._notes.log(activities)

    def lists(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the numbers of all mailing lists that each name, or number, means."""
        return self._letters.lists(names)

    def lists_of(self, contacts: Mapping[str, str]) -> Mapping[str, Mapping[str, Subscription]]:
        """Return what each of these contacts (id → address) allows, by list."""
        return self._letters.lists_of(contacts)

    def allow(self, wanted: Sequence[Allowing]) -> Sequence[Written]:
        """Put contacts on mailing lists, or let them be opted out."""
        return self._letters.allow(wanted)

    # --- leads, and forgetting ---

    def lead(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make leads, by an external id: one that is told again stays the one it is."""
        return done([who for who, _ in people], self._load)

    def unlead(self, ids: Sequence[str]) -> Sequence[Written]:
        """Delete leads that are leads still, and that nobody but us has written to."""
        known = [["id", "in", [int(id) for id in ids]], ["type", "=", "lead"]]
        ours = [*known, ["write_uid", "=", self._odoo.uid]]
        rows = self._odoo.call(LEAD, "search_read", domain=ours, fields=["id"], context=ALL)
        mine = {str(row["id"]) for row in rows}

        def delete(some: Sequence[str]) -> Sequence[str]:
            self._odoo.call(LEAD, "unlink", [int(id) for id in some])
            return some

        ended = dict(zip(mine, done([*mine], delete), strict=True))
        return [ended.get(id, Written(id, Outcome.NOOP)) for id in ids]

    def forget(self, people: Sequence[Erased]) -> Sequence[Written]:
        """Take our key and our scores off contacts, and delete what we logged of them."""
        ours = dict.fromkeys(our_fields(self._document, self), False)  # Odoo's word for nothing
        ids = contacts_of(people)
        there = self.read("contact", ids, ())

        def take(some: Sequence[str]) -> Sequence[str]:
            self._odoo.call(PERSON, "write", [int(id) for id in some], vals=ours)
            return some

        kept = self._notes.forget([mark for one in people for mark in one.marks])
        taken = dict(zip(there, done([*there], take), strict=True))
        return [one.became(taken, kept) for one in people]

    # --- what is asked ---

    def changes(self, cursor: str | None, limit: int) -> tuple[Sequence[Notice], str]:
        """Return what happened after a cursor, and the cursor to ask with next."""
        return self._feed.after(cursor, limit)

    def accept(self, request: InboundRequest, *, now: datetime) -> InboundReply:
        """Refuse: what Odoo sends is not signed, so it is asked instead."""
        del request, now
        return InboundReply(401, "Odoo does not sign what it sends: it is polled")

    def check(self) -> list[Finding]:
        """Look whether we are let in, until when, and what we may do."""
        return [*checked(self._odoo)]

    def close(self) -> None:
        """Let go of connections."""
        self._odoo.close()

    # --- inside ---

    def _people(
        self, domain: Sequence[Any], fields: Sequence[str], context: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Search for contacts."""
        asked = _asked(fields)
        found: list[dict[str, Any]] = self._odoo.call(
            PERSON, "search_read", domain=[*domain], fields=asked, order="id", context=context or {}
        )
        return found

    def _keyed(self, keys: Sequence[str], fields: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return contacts by our key, also those that are archived."""
        key = spelled(KEY)
        rows = self._people([[key, "in", [*keys]]], [*fields, key], ALL)
        return {one: [row for row in rows if row[key] == one] for one in keys}

    def _make_people(self, people: Sequence[Mapping[str, Any]]) -> Sequence[int]:
        """Make contacts in one call."""
        made: Sequence[int] = self._odoo.call(PERSON, "create", vals_list=people, context=QUIET)
        return made

    def _load(self, people: Sequence[Whose]) -> Sequence[int]:
        """Let leads be there by their external ids."""
        rows = [[_lead_id(who.key), who.email, "lead", who.email] for who in people]
        asked = ["id", "name", "type", "email_from"]
        said = self._odoo.call(LEAD, "load", fields=asked, data=rows, context=QUIET)
        if not said["ids"]:
            raise NotTakenError(Outcome.REJECTED, f"Odoo refused {LEAD}/load")
        ids: Sequence[int] = shaped(said["ids"], [int], AMISS, len(rows))
        return ids

    def _leads(self, claims: Sequence[str]) -> dict[str, list[str]]:
        """Return the leads of claims, among all that we made, by their external ids."""
        domain = [["type", "=", "lead"], ["create_uid", "=", self._odoo.uid]]
        rows = self._odoo.call(LEAD, "search_read", domain=domain, fields=["id"], context=ALL)
        named = self._odoo.call(LEAD, "get_external_id", [row["id"] for row in rows])
        ids = {name: str(id) for id, name in named.items() if name}
        return {one: [ids[name]] for one in claims if (name := _lead_id(one)) in ids}

    def _won(self) -> frozenset[int]:
        """Return the stages of what is won."""
        domain = [["is_won", "=", True]]
        rows = self._odoo.call("crm.stage", "search_read", domain=domain, fields=["id"])
        return frozenset(row["id"] for row in rows)

    def _record(
        self, row: Mapping[str, Any], fields: Sequence[str], *, is_closed: bool = False
    ) -> Record:
        """Return a record of ours for a row of theirs."""
        values = {name: read_value(row[_read_as(name)]) for name in fields}
        return Record(str(row["id"]), values, is_closed)


def _lead_id(claim: str) -> str:
    """Return the external id of the lead of a claim."""
    return f"{OUR_LEAD}{uuid.UUID(claim).hex}"


def _read_as(name: str) -> str:
    """Return by which field of Odoo a name of ours is read."""
    return "parent_name" if name == COMPANY else name


def _asked(fields: Sequence[str]) -> list[str]:
    """Return which fields to ask for; never none, which would be all."""
    return [*dict.fromkeys(["id", *(_read_as(name) for name in fields)])]


def _named(rows: Sequence[dict[str, Any]], email: str) -> list[dict[str, Any]]:
    """Return whoever has an address: people, and only where there is none of them companies."""
    fit = [row for row in rows if row["email_normalized"] == email.casefold()]
    return [row for row in fit if not row["is_company"]] or fit


def _is_his(row: Mapping[str, Any], person: Mapping[str, Any]) -> bool:
    """Return whether an opportunity is one of a contact's."""
    address = person["email_normalized"]
    return one(row["partner_id"]) == person["id"] or bool(
        address and row["email_normalized"] == address
    )


def _created(written: Written) -> Written:
    """Return that something was made, where it was."""
    return written if written.id is None else Written(written.id, created=True)


def connect(document: Document, secret: Secrets, egress: Egress) -> Records:
    """Return the connector to an Odoo; raise ConfigError where its key is missing."""
    key = secret(document.secret)
    odoo = Odoo(document, egress, key)
    return Records(document, OdooDesk(document, odoo))
