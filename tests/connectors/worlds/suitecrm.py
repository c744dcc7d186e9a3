"""A real SuiteCRM, emptied before every test: one that nobody needs."""

import contextlib
import functools
import time
import weakref
from pathlib import Path
from types import MappingProxyType

import yaml

from regportal.config import load
from regportal.connectors.base import connector_for
from regportal.connectors.egress import Egress
from regportal.connectors.schema import Connector
from regportal.connectors.suitecrm.asking import Suite
from regportal.connectors.suitecrm.lists import OURS
from tests.connectors.between import between
from tests.connectors.worlds.base import OnALine
from tools.hands.suitecrm import OUT, SuiteHands

EMPTIED = (
    *("Notes", "Opportunities", "Contacts", "Leads", "Accounts", "ProspectLists", "Campaigns"),
    "EmailAddresses",
)
"""Notes first: SuiteCRM fails to delete an opportunity that has some."""
JSON = {"Content-Type": "application/json"}
DENIED = b'{"error":"access_denied","error_description":"The resource owner or"}'
REFUSALS = {
    "auth": (401, JSON, DENIED),
    "throttled": (429, {"Retry-After": "60"}, b""),
    "down": (
        400,
        JSON,
        b'{"errors":{"status":400,"detail":"Database failure."}}',
    ),
}


def is_write(method, path, body):
    del body
    return method != "GET" and "access_token" not in path


def is_read(method, path, body):
    del method, body
    return "/module/" in path


@functools.cache
def settings():
    return load(allow_private_targets="127.0.0.0/8", _env_file=None)


class SuiteWorld(OnALine):
    """The SuiteCRM that a document names; regportal's fields are there, and a rule that refuses."""

    name = "suitecrm"
    names = MappingProxyType({"country": "primary_address_country", "phone": "phone_work"})

    def __init__(self, path):
        self._told = yaml.safe_load(Path(path).read_text()) | {"key": "crm"}
        self._stack = contextlib.ExitStack()
        weakref.finalize(self, self._stack.close)
        self._line = self._stack.enter_context(between(self._told["url"], is_write, is_read))
        secret = settings().secret(self._told["secret"])
        egress = Egress(settings().allow_private_targets)
        self.suite = Suite.at(self._told["url"], egress, self._told["client"], secret)
        self.hands = SuiteHands(self.suite)
        self.people, self.notes = self.hands.people, self.hands.notes
        self.phase, self.wants, self.win = self.hands.phase, self.hands.wants, self.hands.win
        self._emptied()

    def connector(self, **words):
        made = connector_for(Connector(**self._told | {"url": self._line.url} | words), settings())
        self._stack.callback(made.close)
        return made

    # --- what its people do ---

    def person(self, email, **fields):
        return self.hands.person(email, **self._named(fields))

    def opportunity(self, *contacts, name="500 widgets"):
        return self.hands.opportunity(*contacts, name=name)

    def set_phase(self, opportunity, phase):
        self.suite.patch("Opportunities", opportunity, {"buying_phase_c": phase})

    def set_field(self, contact, name, value):
        if name == "email":
            self.hands.change_address(contact, value)
        else:
            self.suite.patch("Contacts", contact, self._named({name: value}))

    def opt_out(self, contact, email, newsletter):
        del email
        self.hands.opt_out(contact, newsletter)

    def wants_no_mail(self, contact, email):
        del email
        (address,) = self.suite.linked("Contacts", contact, "email_addresses")
        self.suite.patch("EmailAddresses", address["id"], {"opt_out": "1"})

    def make_list(self, name):
        self.hands.make("ProspectLists", {"name": name, "list_type": "default"})

    def rename_lists(self, name, to):
        for end in ("", OUT):
            for row in self.suite.all("ProspectLists", {"name": {"eq": name + end}}, ["name"]):
                self.suite.patch("ProspectLists", row["id"], {"name": to + end})

    def delete(self, contact):
        self.suite.delete("Contacts", contact)

    def a_minute_later(self):
        """Wait for it: SuiteCRM knows whole minutes, and travels in no time."""
        time.sleep(61)
        return contextlib.nullcontext()

    # --- what its people see ---

    def field(self, contact, name):
        (name,) = self._named({name: None})
        value = self.hands.record("Contacts", contact, name)[name]
        return float(value or 0) if name == "regportal_fit_c" else value

    def why(self, opportunity):
        name = "buying_phase_reason_c"
        return self.hands.record("Opportunities", opportunity, name)[name]

    def all(self, module):
        """Return the ids of all records of a kind."""
        return [row["id"] for row in self.suite.all(module, {})]

    # --- what happens on the way ---

    def trouble(self, kind, times=1):
        self._line.refusals += [REFUSALS[kind]] * times

    # --- inside ---

    def _named(self, fields):
        """Call fields as SuiteCRM does."""
        names = self.names | {"email": "email1", "regportal_fit": "regportal_fit_c"}
        names |= {"regportal_id": "regportal_id_c"}
        return {names.get(name, name): value for name, value in fields.items()}

    def _emptied(self):
        """Let there be nothing but our lists of prices: they cannot be made for every test."""
        ours = {"name": {"like": "prices%"}, "description": {"like": f"%{OURS}"}}
        kept = {row["id"] for row in self.suite.all("ProspectLists", ours)}
        for module in EMPTIED:
            for one in self.all(module):
                if one not in kept:
                    self.suite.delete(module, one)
