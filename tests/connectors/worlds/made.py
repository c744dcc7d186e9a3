"""A made CRM: records in memory, with everything a CRM can do. It tries the kit, no connector."""

import contextlib
import itertools
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from regportal.connectors.base import Capabilities, Finding, InboundReply, Notice, Record
from regportal.connectors.desk import Field, NotTakenError, Written
from regportal.connectors.judging import EVERY, Subscription, joined
from regportal.connectors.records import Records
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector
from regportal.errors import UnreachableError

NO = "consent.withdrawn"
PHASES = ("unaware", "interest", "comparison", "decision", "purchase", "stalled")
FIELDS = {
    "contact": ("email", "country", "phone", "regportal_id", "regportal_fit"),
    "opportunity": ("buying_phase", "buying_phase_since", "buying_phase_reason"),
}
TROUBLE = {
    "auth": lambda: NotTakenError(Outcome.AUTH, "we are not let in"),
    "throttled": lambda: NotTakenError(Outcome.THROTTLED, "too many calls"),
    "down": lambda: UnreachableError("made could not be reached"),
}


class MadeCrm:
    """The CRM, its desk and its people in one."""

    name = "made"
    names = MappingProxyType({})
    shares_addresses = True
    capabilities = Capabilities(batch=50, idempotent=True, compare_and_set=True, polled=True)

    def __init__(self):
        self.contacts, self.deals, self.leads, self.outs = {}, {}, {}, {}
        self.logged, self.forbidden, self.with_notes = {}, set(), set()
        self.letters, self.readers = {"1": "prices"}, defaultdict(dict)
        self.options, self.asked_for_fields = PHASES, 0
        self.there = dict(FIELDS)
        self._number = itertools.count(1)
        self._trouble, self._lost, self._meanwhile, self._calls = [], 0, None, 0

    # --- the world ---

    def now(self):
        """What time it is over there."""
        return datetime.now(UTC)

    def connector(self, **document):
        words = {"key": "crm", "type": "tryton", "url": "http://127.0.0.1:1", "secret": "env:X"}
        return Records(Connector(**words | document), self)

    def forbid(self, contact):
        self.forbidden.add(contact)
        return True

    def keep_notes(self, contact):
        self.with_notes.add(contact)
        return True

    def person(self, email, **fields):
        return self._add(self.contacts, {"email": email, **fields})

    def opportunity(self, *contacts, name="500 widgets"):
        return self._add(self.deals, {"name": name, "contacts": contacts, "closed": False})

    def set_phase(self, opportunity, phase):
        self._set(self.deals[opportunity], {"buying_phase": phase})

    def set_field(self, contact, name, value):
        self._set(self.contacts[contact], {name: value})

    def opt_out(self, contact, email, newsletter):
        for one in self.lists([newsletter])[newsletter]:
            self.readers[contact][one] = Subscription(False, self.now())
        self._add(self.outs, {"email": email, "newsletter": newsletter, "of": contact})

    def stand_still(self):
        """Let it be: its changes have numbers, no moments."""

    def backdate(self, opportunity, by):
        """Let it be, too."""

    def a_minute_later(self):
        """And be at once."""
        return contextlib.nullcontext()

    def win(self, opportunity):
        self._set(self.deals[opportunity], {"closed": True, "won": True})

    def delete(self, contact):
        del self.contacts[contact]

    def people(self, email):
        return [
            id for id, one in self.contacts.items() if one["email"].casefold() == email.casefold()
        ]

    def field(self, contact, name):
        return self.contacts[contact].get(name)

    def phase(self, opportunity):
        return self.deals[opportunity].get("buying_phase")

    def why(self, opportunity):
        return self.deals[opportunity].get("buying_phase_reason")

    def notes(self, contact):
        return [one.body for one in self.logged.values() if one.contact == contact]

    def wants(self, contact, email, newsletter):
        del email
        known = [self.readers[contact].get(one) for one in self.lists([newsletter])[newsletter]]
        return any(one.is_allowed for one in known if one) if any(known) else None

    def wants_no_mail(self, contact, email):
        self.readers[contact][EVERY] = Subscription(False, self.now())
        self._add(self.outs, {"email": email, "newsletter": None, "of": contact})

    def make_list(self, name):
        self.letters[str(len(self.letters) + 1)] = name

    def rename_lists(self, name, to):
        self.letters = {id: to if one == name else one for id, one in self.letters.items()}

    def trouble(self, kind, times=1):
        self._trouble += [kind] * times

    @contextlib.contextmanager
    def gateway(self, status):
        del status  # it is not called over a line
        self.trouble("down", times=20)
        yield
        self._trouble.clear()

    def lose_answers(self, times=1):
        self._lost += times

    def meanwhile(self, event):
        self._meanwhile = event

    def calls(self):
        return self._calls

    def lose_key(self):
        self.there["contact"] = tuple(n for n in FIELDS["contact"] if n != "regportal_id")
        return "regportal_id"

    # --- the desk ---

    def spell(self, name):
        return name

    def fields(self, kind):
        self._called()
        self.asked_for_fields += 1
        options = {"buying_phase": self.options}
        return {n: Field(n, is_writable=True, options=options.get(n)) for n in self.there[kind]}

    def make(self, fields):
        return [Finding(one.name, fine=True, says="made") for one in fields]

    def find(self, whose, fields):
        self._called()
        self._refuse_strange(fields)
        return [
            self._records(
                self.contacts,
                [id for id, one in self.contacts.items() if one.get("regportal_id") == who.key]
                or self.people(who.email),
            )
            for who in whose
        ]

    def keyed(self, kind, keys):
        self._called()
        there = self.contacts if kind == "contact" else self.leads
        return {
            key: [id for id, one in there.items() if one.get("regportal_id") == key] for key in keys
        }

    def read(self, kind, ids, fields):
        self._called()
        self._refuse_strange(fields, kind)
        there = self.contacts if kind == "contact" else self.deals
        found = {one.id: one for one in self._records(there, [id for id in ids if id in there])}
        if self._meanwhile is not None:
            event, self._meanwhile = self._meanwhile, None
            event()
        return found

    def create(self, people):
        self._called()
        made = []
        for who, values in people:
            known = [id for id, one in self.contacts.items() if one.get("regportal_id") == who.key]
            if any(value == "refused" for value in values.values()):
                made.append(Written(None, Outcome.REJECTED, "a value is refused"))
                continue
            new = {"email": who.email, "regportal_id": who.key, **values}
            id = known[0] if known else self._add(self.contacts, new)
            made.append(Written(id, created=not known))
        self._answer()
        return made

    def update(self, kind, changes):
        self._called()
        there = self.contacts if kind == "contact" else self.deals
        done = [self._updated(there, record, values) for record, values in changes]
        self._answer()
        return done

    def log(self, activities):
        self._called()
        for one in activities:
            self.logged[one.id] = one
        self._answer()
        return [Written(str(one.id)) for one in activities]

    def lists(self, names):
        return {name: [id for id, one in self.letters.items() if one == name] for name in names}

    def lists_of(self, contacts):
        self._called()
        his = {id: {} for id in contacts}
        for id in contacts:
            for one, said in self.readers[id].items():
                name = self.letters.get(one, one)  # EVERY is no list
                his[id][name] = joined(his[id].get(name), said)
        return his

    def allow(self, wanted):
        self._called()
        for one in wanted:
            self.readers[one.contact][one.list_id] = Subscription(one.is_allowed, self.now())
        self._answer()
        return [Written(one.contact) for one in wanted]

    def lead(self, people):
        self._called()
        made = [
            Written(self._add(self.leads, {"email": who.email, "regportal_id": who.key}))
            for who, _ in people
        ]
        self._answer()
        return made

    def unlead(self, ids):
        self._called()
        return [Written(self.leads.pop(id, None) and id) for id in ids]

    def forget(self, people):
        self._called()
        no = Written.refused(NotTakenError(Outcome.REJECTED, "it is not ours"))
        kept = dict.fromkeys((*self.forbidden, *self.with_notes), no)
        for one in people:
            if {*one.contacts} & {*kept}:
                continue
            self.logged = {id: note for id, note in self.logged.items() if note.key != one.key}
            for id in {*one.contacts} & {*self.contacts}:
                self._set(self.contacts[id], {"regportal_id": None, "regportal_fit": None})
        self._answer()
        return [one.became(kept) for one in people]

    def opportunities_of(self, contacts):
        self._called()
        return {
            id: self._records(
                self.deals,
                [d for d, one in self.deals.items() if id in one["contacts"] and not one["closed"]],
            )
            for id in contacts
        }

    def changes(self, cursor, limit):
        self._called()
        done = int(cursor or 0)
        changed = [
            (one["version"], id, {"type": type_, "data": {"external_id": id} | one})
            for type_, rows in (("opportunity.upserted", self.deals), (NO, self.outs))
            for id, one in rows.items()
            if one["version"] > done and (type_ != NO or self._is_ours(one["of"]))
        ]
        changed.sort(key=lambda one: one[0])
        news = [Notice(f"{id}:{version}", body) for version, id, body in changed[:limit]]
        return news, str(max([done, *(int(one.id.partition(":")[2]) for one in news)]))

    def accept(self, request, *, now):
        del request, now
        return InboundReply(401, "it does not call")

    def check(self):
        self._called()
        return [Finding("made", fine=True, says="answers")]

    def close(self):
        pass

    # --- inside ---

    def _add(self, there, values):
        id = str(next(self._number))
        there[id] = {"version": next(self._number), **values}
        return id

    def _is_ours(self, contact):
        """Return whether a contact is one of whom we are told: he has our key."""
        return bool(self.contacts[contact].get("regportal_id"))

    def _set(self, record, values):
        record |= values
        record["version"] = next(self._number)

    def _records(self, there, ids):
        return [
            Record(id, dict(there[id]), bool(there[id].get("closed")), str(there[id]["version"]))
            for id in ids
        ]

    def _updated(self, there, record, values):
        if record.id not in there:
            return Written(None, Outcome.LATER, "the record went away")
        if record.etag != str(there[record.id]["version"]):
            return Written(None, Outcome.LATER, "the record changed meanwhile")
        if any(value == "refused" for value in values.values()):
            return Written(None, Outcome.REJECTED, "a value is refused")
        if record.id in self.forbidden:
            return Written.refused(NotTakenError(Outcome.AUTH, "it is not ours").of_one())
        self._set(there[record.id], values)
        return Written(record.id)

    def _refuse_strange(self, fields, kind="contact"):
        """Refuse to be asked for fields that are not there, as many CRMs do: all of the call."""
        if not {*fields} <= {*self.there[kind]}:
            raise NotTakenError(Outcome.REJECTED, "there is no such field")

    def _called(self):
        self._calls += 1
        if self._trouble:
            trouble = TROUBLE[self._trouble.pop(0)]
            raise trouble()

    def _answer(self):
        if self._lost:
            self._lost -= 1
            raise UnreachableError("made did not answer in time")


class NoNewsletters(MadeCrm):
    """The same, with no such thing as a newsletter: nobody may ask it for one."""

    name = "made without newsletters"
    capabilities = replace(MadeCrm.capabilities, newsletter=None)
    lists = lists_of = allow = None

    def wants(self, contact, email, newsletter):
        """Nothing is known of that."""
