"""A real EspoCRM, emptied before every test: one that nobody needs."""

import contextlib
import functools
import weakref
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import yaml

from regportal.config import load
from regportal.connectors.base import Vocabulary, connector_for
from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Egress
from regportal.connectors.espocrm.asking import Espo
from regportal.connectors.schema import Connector
from tests.connectors.between import between
from tests.connectors.worlds.base import OnALine
from tests.connectors.worlds.made import PHASES
from tools.hands.espocrm import EspoHands

VOCABULARY = Vocabulary({one: one.title() for one in PHASES}, {"fit": "Fit"})
TRIED = {"country": "^(?!refused$).*", "phone": None}
"""Fields the contract needs beside ours, and what their values must look like."""
EMPTIED = ("Opportunity", "Contact", "Lead", "Account", "TargetList", "Note")
ALL = {"create": "yes", "read": "all", "edit": "all", "delete": "no", "stream": "all"}
WORD = "Contract"
NAMED = {
    "email": "emailAddress",
    "regportal_fit": "cRegportalFit",
    "regportal_id": "cRegportalId",
}
REFUSALS = {
    "auth": (401, {"Content-Type": "text/html; charset=UTF-8"}, b""),
    "throttled": (429, {"Retry-After": "60"}, b""),
    "down": (503, {}, b""),
}


@functools.cache
def prepared(url, word):
    """Make fields, a role and an API user, once a run; return the administrator and the key."""
    settings = load(allow_private_targets="127.0.0.0/8", _env_file=None)
    admin = Espo.at(url, Egress(settings.allow_private_targets), word)
    there = admin.metadata("entityDefs.Contact.fields")
    for name, pattern in TRIED.items():
        if f"c{name.title()}" not in there:
            told = {"name": name, "label": name, "type": "varchar", "pattern": pattern}
            admin.do("Admin/fieldManager/Contact", told)
    role = dict.fromkeys(("Contact", "Account", "Opportunity", "TargetList"), ALL)
    role |= {"Lead": ALL | {"delete": "all"}}
    made = admin.create("Role", {"name": WORD, "data": role})
    user = {"userName": f"contract-{made['id']}", "lastName": WORD, "type": "api"}
    user |= {"authMethod": "ApiKey", "rolesIds": [made["id"]], "isActive": True}
    key = admin.create("User", user)["apiKey"]
    connector = connected(url, key, word)
    if not all(one.fine for one in connector.provision(VOCABULARY)):
        assert all(one.fine for one in connector.provision(VOCABULARY, dry_run=False))
    connector.close()
    admin.do("Admin/rebuild", {})
    return admin, key


def connected(url, key, word, **document):
    """Return a connector to a server, as the API user with this key."""
    secrets = {"env:KEY": key, "env:ADMIN": word}
    words = {"key": "crm", "type": "espocrm", "url": url, "secret": "env:KEY"}
    words |= {"admin_secret": "env:ADMIN"}
    settings = load(allow_private_targets="127.0.0.0/8", _env_file=None)
    return connector_for(Connector(**words | document), settings, secrets.__getitem__)


def _is_write(method, path, body):
    del path, body
    return method != "GET"


def _is_read(method, path, body):
    del method, body
    return "/Metadata" not in path


class EspoWorld(OnALine):
    """The EspoCRM that a document names; its ``hands`` name an administrator and his password."""

    name = "espocrm"
    names = MappingProxyType({"country": "cCountry", "phone": "cPhone"})

    def __init__(self, path):
        told = yaml.safe_load(Path(path).read_text())
        hands = told["hands"]
        password = load(_env_file=None).secret(hands["secret"])
        self.url, self.word = told["url"], f"{hands['client']}:{password}"
        self.admin, self._key = prepared(self.url, self.word)
        self._emptied()
        self._stack = contextlib.ExitStack()
        weakref.finalize(self, self._stack.close)
        self._line = self._stack.enter_context(between(self.url, _is_write, _is_read))
        self.hands = EspoHands(self.admin)
        self.people, self.notes = self.hands.people, self.hands.notes
        self.phase, self.wants, self.win = self.hands.phase, self.hands.wants, self.hands.win

    def connector(self, **document):
        made = connected(self._line.url, self._key, self.word, **document)
        self._stack.callback(made.close)
        return made

    # --- what its people do ---

    def person(self, email, **fields):
        return self.hands.person(email, **self._named(fields))

    def opportunity(self, *contacts, name="500 widgets"):
        return self.hands.opportunity(*contacts, name=name)

    def set_phase(self, opportunity, phase):
        self.admin.put("Opportunity", opportunity, {"cBuyingPhase": phase})

    def set_field(self, contact, name, value):
        self.admin.put("Contact", contact, self._named({name: value}))

    def opt_out(self, contact, email, newsletter):
        del email
        about = {"id": self.hands.list(newsletter), "targetType": "Contact", "targetId": contact}
        self.admin.do("TargetList/action/optOut", about)

    def wants_no_mail(self, contact, email):
        del email
        self.admin.put("Contact", contact, {"emailAddressIsOptedOut": True})

    def make_list(self, name):
        self.admin.create("TargetList", {"name": name})

    def rename_lists(self, name, to):
        for row in self.admin.all("TargetList", [("equals", "name", name)]):
            self.admin.put("TargetList", row["id"], {"name": to})

    def delete(self, contact):
        self.admin.delete("Contact", contact)

    @contextlib.contextmanager
    def a_minute_later(self):
        """Let it be later over there: EspoCRM is asked by its own clock."""
        self._line.ahead += timedelta(minutes=1)
        yield
        self._line.ahead -= timedelta(minutes=1)

    # --- what its people see ---

    def field(self, contact, name):
        (name,) = self._named({name: None})
        return self.hands.record("Contact", contact)[name]

    def why(self, opportunity):
        return self.hands.record("Opportunity", opportunity)["cBuyingPhaseReason"]

    def all(self, scope):
        """Return the ids of all records of a kind."""
        return [row["id"] for row in self.admin.all(scope)]

    # --- what happens on the way ---

    def trouble(self, kind, times=1):
        self._line.refusals += [REFUSALS[kind]] * times

    # --- inside ---

    def _named(self, fields):
        """Call fields as EspoCRM does."""
        names = NAMED | self.names
        return {names.get(name, name): value for name, value in fields.items()}

    def _emptied(self):
        """Let there be nothing."""
        for scope in EMPTIED:
            for one in self.all(scope):
                with contextlib.suppress(NotTakenError):  # a note goes with what it stands beside
                    self.admin.delete(scope, one)
