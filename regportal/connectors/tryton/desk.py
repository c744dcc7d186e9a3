"""The records of a Tryton: parties, opportunities, notes and newsletters."""

from collections.abc import Iterable, Mapping, Sequence
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
    contacts_of,
)
from regportal.connectors.halving import all_or_halves
from regportal.connectors.judging import APART, Subscription, joined
from regportal.connectors.orders import Whose
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector as Document
from regportal.connectors.shapes import cited, shaped
from regportal.connectors.tryton.api import AMISS, EVERYONE, Api, Rows
from regportal.connectors.tryton.news import CLOSED, news_after
from regportal.connectors.tryton.parties import SCORES, Parties, score_of
from regportal.errors import UnreachableError

MODELS: Mapping[Kind, str] = {"contact": "party.party", "opportunity": "sale.opportunity"}
PROVEN = ("8.2",)
"""The series of Tryton it was tried with."""
LATER = {
    "changed": Written(None, Outcome.LATER, "the record changed meanwhile"),
    "gone": Written(None, Outcome.LATER, "the record went away"),
}
DIGITS = 10
"""Of the largest id there can be."""


class TrytonDesk:
    """The desk of one database of Tryton, with our module activated in it."""

    capabilities = Capabilities(
        batch=50,
        idempotent=True,
        compare_and_set=True,
        polled=True,
        newsletter="mailing list",
    )

    def __init__(self, document: Document, api: Api) -> None:
        """Ask for nothing yet."""
        self._document, self._api, self._parties = document, api, Parties(api)

    def spell(self, name: str) -> str:
        """Return how Tryton spells a field of ours: as we do."""
        return name

    # --- fields ---

    def fields(self, kind: Kind) -> Mapping[str, Field]:
        """Return which fields such records have, by name; of opportunities only those of ours."""
        model, phase = MODELS[kind], self._document.phase_field
        ours = [phase, f"{phase}_since", f"{phase}_reason"]
        names = ours if kind == "opportunity" else None
        found = self._api.call(model, "fields_get", fields_names=names)
        fields = {
            name: Field(name, not told.get("readonly"), self._options(model, name, told))
            for name, told in found.items()
            if kind == "contact" or name in ours
        }
        if kind == "contact":
            scores = [f"regportal_{key}" for key in self._keys("regportal.score", "name")]
            fields |= {name: Field(name, is_writable=True) for name in scores}
        return fields

    def _options(self, model: str, name: str, told: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Return what a choice may hold; of choices that are methods only our own is asked."""
        choices = told.get("selection")
        if isinstance(choices, str):
            if name != "buying_phase":
                return None
            choices = self._api.call(model, choices)
        if choices is None:
            return None
        pairs = shaped(choices, [list], AMISS)
        return tuple(str(pair[0]) for pair in pairs if pair and pair[0])

    def _keys(self, model: str, name: str) -> list[str]:
        """Return the keys of a vocabulary of our module."""
        return [row[name] for row in self._api.rows(model, [], [name])]

    def make(self, fields: Sequence[FieldPlan]) -> list[Finding]:
        """Make phases and scores that are missing; fields are made by modules only."""
        return [self._made(one) for one in fields]

    def _made(self, field: FieldPlan) -> Finding:
        """Make what is missing of one field."""
        about = f"{field.kind}.{field.name}"
        score = score_of(field.name) if field.kind == "contact" else None
        if score and field.type == "number":
            one = {"name": score, "string": field.label, "type_": "float"}
            self._api.call("regportal.score", "regportal_create", new=[one])
        elif field.name == "buying_phase" and field.type == "choice":
            there = self._keys("regportal.phase", "key")
            lacks = [(key, name) for key, name in field.options.items() if key not in there]
            new = [{"key": key, "name": name} for key, name in lacks]
            self._api.call("regportal.phase", "regportal_create", new=new)
        else:
            return Finding(about, fine=False, says="only a module of Tryton can make it")
        return Finding(about, fine=True, says="made")

    # --- contacts and opportunities ---

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> Sequence[Sequence[Record]]:
        """Return the parties that each is: by our key, and only where none has it by address."""
        return self._parties.find(whose, fields)

    def keyed(self, kind: Kind, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return which parties have these keys of ours; of a claim there is never one."""
        return self._parties.keyed(keys) if kind == "contact" else {}

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Record]:
        """
        Return records by id; one that is not there any more is left out.

        A party that became part of another one is that other one.
        """
        numbers = numbers_of(ids)
        if not numbers:
            return {}
        if kind == "contact":
            found = self._parties.read(numbers, fields)
            return {str(number): record for number, record in found.items()}
        names = dict.fromkeys([*fields, "state", "_timestamp"])
        rows = self._api.rows(MODELS[kind], [["id", "in", numbers]], [*names])
        return {one.id: one for one in map(opportunity, rows)}

    def create(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make parties, each with our key; one that is told again is not made again."""
        return all_or_halves(people, self._parties.create, self._parties.there_already)

    def update(
        self, kind: Kind, changes: Sequence[tuple[Record, Mapping[str, Any]]]
    ) -> Sequence[Written]:
        """Set fields of records, as long as they are as they were read."""
        return all_or_halves(changes, lambda some: self._written(MODELS[kind], some), _unlike)

    def _written(
        self, model: str, changes: Sequence[tuple[Record, Mapping[str, Any]]]
    ) -> list[Written]:
        """Set fields of records in one call."""
        told = [
            {"id": int(record.id), "timestamp": record.etag, "values": spelled(values)}
            for record, values in changes
        ]
        says = self._api.each(model, "regportal_write", changes=told)
        return [
            LATER.get(one, Written(record.id))
            for one, (record, _) in zip(says, changes, strict=True)
        ]

    def opportunities_of(self, contacts: Sequence[str]) -> Mapping[str, Sequence[Record]]:
        """Return the open opportunities of parties: as their party, or as its contact."""
        numbers = numbers_of(contacts)
        theirs = ["OR", ["party", "in", numbers], ["contact.party", "in", numbers]]
        names = ["party", "contact.party", "state", "_timestamp", self._document.phase_field]
        domain = [["state", "not in", [*CLOSED]], theirs]
        rows = self._api.rows("sale.opportunity", domain, names) if numbers else ()
        found: dict[str, list[Record]] = {id: [] for id in contacts}
        for row in rows:
            for party in {row["party"], (row.get("contact.") or {}).get("party")}:
                if str(party) in found:
                    found[str(party)].append(opportunity(row))
        return found

    def lead(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make none: a lead of Tryton is an opportunity, and a claim is not that."""
        return [Written(None, Outcome.NOOP, "Tryton has no leads but opportunities")] * len(people)

    def unlead(self, ids: Sequence[str]) -> Sequence[Written]:
        """Take nothing back: none was made."""
        return [Written(id, Outcome.NOOP) for id in ids]

    def forget(self, people: Sequence[Erased]) -> Sequence[Written]:
        """Take everything of ours off parties: our key, our scores, what we logged."""
        return all_or_halves(people, self._forgotten)

    def _forgotten(self, people: Sequence[Erased]) -> list[Written]:
        """Take everything of ours off parties, in one call."""
        numbers = numbers_of(contacts_of(people))
        if numbers:
            self._api.call("party.party", "regportal_forget", ids=numbers)
        return [one.became() for one in people]

    # --- what they did, what they allow ---

    def log(self, activities: Sequence[Activity]) -> Sequence[Written]:
        """Let activities be seen, as notes."""
        return all_or_halves(activities, self._logged)

    def _logged(self, activities: Sequence[Activity]) -> list[Written]:
        """Let activities be seen, in one call."""
        told = [
            {
                "id": str(one.id),
                "contact": int(one.contact),
                "opportunities": numbers_of(one.opportunities),
                "message": one.body,
            }
            for one in activities
        ]
        there = self._api.each("ir.note", "regportal_log", activities=told)
        return [
            Written(one.contact) if is_there else LATER["gone"]
            for one, is_there in zip(activities, there, strict=True)
        ]

    def lists(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the ids of all mailing lists of each name."""
        domain = [["name", "in", sorted(names)]]
        rows = self._api.rows("marketing.email.list", domain, ["name"])
        return {name: [str(row["id"]) for row in rows if row["name"] == name] for name in names}

    def lists_of(self, contacts: Mapping[str, str]) -> Mapping[str, Mapping[str, Subscription]]:
        """Return what each of these contacts (id → address) allows, by list."""
        his: dict[str, dict[str, Subscription]] = {}
        for row in self._subscribed([*contacts.values()]):
            name, there = row["list_."]["name"], his.setdefault(row["email"], {})
            said = Subscription(bool(row["active"]), changed_at(row))
            there[name] = joined(there.get(name), said)
        return {id: his.get(address.lower(), {}) for id, address in contacts.items()}

    def _subscribed(self, addresses: Sequence[str]) -> Rows:
        """Return what is known of addresses: also that they are on a list no longer."""
        emails = sorted({address.lower() for address in addresses})
        names = ["email", "list_.name", "active", "create_date", "write_date"]
        return self._api.rows("marketing.email", [["email", "in", emails], EVERYONE], names)

    def allow(self, wanted: Sequence[Allowing]) -> Sequence[Written]:
        """Put addresses on lists, or take them off."""
        return all_or_halves(wanted, self._allowed)

    def _allowed(self, wanted: Sequence[Allowing]) -> list[Written]:
        """Put addresses on these lists, or take them off, in at most two calls."""
        rows = self._subscribed([one.email for one in wanted])
        there = {(row["email"], row["list_."]["id"]): row["id"] for row in rows}
        new, old = [], []
        for one in wanted:
            email, list_ = one.email.lower(), one.list_number
            id = there.get((email, list_))
            if id is None:
                new.append({"email": email, "list_": list_, "active": one.is_allowed})
            else:
                old.append({"id": id, "values": {"active": one.is_allowed}})
        if new:
            self._api.call("marketing.email", "regportal_create", new=new)
        if old:
            self._api.call("marketing.email", "regportal_write", changes=old)
        return [Written(one.contact) for one in wanted]

    # --- what happens there ---

    def changes(self, cursor: str | None, limit: int) -> tuple[Sequence[Notice], str]:
        """Return what happened after a cursor, and the cursor to ask with next."""
        return news_after(self._api, self._document, cursor, limit)

    def accept(self, request: InboundRequest, *, now: datetime) -> InboundReply:
        """Answer that Tryton does not call: it is asked."""
        del request, now
        return InboundReply(401, "Tryton does not call: it is asked")

    def check(self) -> list[Finding]:
        """Look whether we are let in, and under which version."""
        try:
            series = self._api.series()
            self._api.rows("party.party", [["id", "=", 0]], ["id"])
        except (NotTakenError, UnreachableError) as error:
            return [Finding("Tryton", fine=False, says=str(error))]
        proven = "" if series in PROVEN else f"; it was tried with {', '.join(PROVEN)}"
        return [Finding("Tryton", fine=True, says=f"lets us in: {cited(series)}{proven}")]

    def close(self) -> None:
        """Let go of connections."""
        self._api.close()


def numbers_of(ids: Iterable[str]) -> list[int]:
    """
    Return the numbers that ids of Tryton are; what is none of its ids is left out.

    >>> numbers_of(["17", "0065g00000XyZ", "999999999999"])
    [17]
    """
    are = (id for id in ids if id.isascii() and id.isdecimal() and len(id) <= DIGITS)
    return [number for id in are if (number := int(id)) < 2**31]


def opportunity(row: Mapping[str, Any]) -> Record:
    """Return an opportunity as Tryton told of it."""
    return Record(str(row["id"]), row, row["state"] in CLOSED, row["_timestamp"])


def changed_at(row: Mapping[str, Any]) -> datetime:
    """Return when something was written last: a new record has only been created."""
    at: datetime = row["write_date"] or row["create_date"]
    return at


def spelled(values: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return values as our module takes them: scores together, lists as texts.

    >>> spelled({"regportal_fit": 72.5, "comment": ["widgets", "pumps"]})
    {'comment': 'widgets; pumps', 'regportal_scores': {'fit': 72.5}}
    """
    scores = {key: value for name, value in values.items() if (key := score_of(name))}
    plain = {
        name: APART.join(map(str, value)) if isinstance(value, (list, tuple)) else value
        for name, value in values.items()
        if not score_of(name)
    }
    return plain | ({SCORES: scores} if scores else {})


def _unlike(change: tuple[Record, Mapping[str, Any]], refused: Written) -> Written:
    """Say of which fields something was refused: their names are nobody's secret."""
    says = f"{refused.says}: {', '.join(sorted(change[1]))}"
    return Written(None, refused.outcome, says, retry_at=refused.retry_at)
