"""A real Odoo, emptied of whoever is of our example companies: for the contract, by hand."""

import contextlib
import functools
import weakref
from pathlib import Path
from types import MappingProxyType

import yaml

from regportal.config import load
from regportal.connectors.base import Vocabulary, connector_for
from regportal.connectors.egress import Egress
from regportal.connectors.odoo.letters import BLACKLIST
from regportal.connectors.odoo.notes import MESSAGE
from regportal.connectors.odoo.shape import LEAD, PERSON, spelled
from regportal.connectors.odoo.transport import Odoo
from regportal.connectors.schema import Connector
from tests.connectors.between import between
from tests.connectors.worlds.base import OnALine
from tests.connectors.worlds.made import PHASES
from tools.hands.odoo import LIST, READER, OdooHands

WRITES = tuple(f"/{verb}" for verb in ("create", "write", "unlink", "load"))
VOCABULARY = Vocabulary({one: one.title() for one in PHASES}, {"fit": "Fit"})
RULE = "regportal's contract: no job is called refused"
FORBIDDEN = "regportal's contract: not ours"
KEPT = {PERSON: ("ref", "perm_write"), MESSAGE: ("email_from", "perm_unlink")}
"""Of which records a field says that they are not ours, and what we may not do with these."""
LISTS = ["prices", "offers", "tips", "jobs"]
TROUBLE = {
    "auth": (401, b'{"name":"werkzeug.exceptions.Unauthorized","message":"Invalid apikey"}'),
    "throttled": (429, b"<html>slow down</html>"),
    "down": (502, b"<html>Bad Gateway</html>"),
}
OLD_TROUBLE = {
    **TROUBLE,
    "auth": (200, b'{"error":{"data":{"name":"odoo.exceptions.AccessDenied","message":""}}}'),
}


def is_write(method, path, body):
    del method
    return path.endswith(WRITES) or any(f'"{verb[1:]}"'.encode() in body for verb in WRITES)


@functools.cache
def prepared(hands):
    """Make the fields of ours, and rules that refuse, once a run; return the administrator."""
    settings = load(allow_private_targets="127.0.0.0/8", _env_file=None)
    document = Connector(**dict(hands))
    connector = connector_for(document, settings)
    if not all(one.fine for one in connector.provision(VOCABULARY)):
        assert all(one.fine for one in connector.provision(VOCABULARY, dry_run=False))
    connector.close()
    odoo = Odoo(document, Egress(settings.allow_private_targets), settings.secret(document.secret))
    admin = OdooHands(odoo)
    models = {one: admin.rows("ir.model", [["model", "=", one]], "id")[0]["id"] for one in KEPT}
    if not admin.rows("base.automation", [["name", "=", RULE]], "name"):
        act = {"name": RULE, "model_id": models[PERSON], "state": "code", "code": CODE}
        rule = {"name": RULE, "model_id": models[PERSON], "trigger": "on_create_or_write"}
        meant = {"filter_domain": "[('function', '=', 'refused')]"}
        admin.make("base.automation", rule | meant | {"action_server_ids": [[0, 0, act]]})
    if not admin.rows("ir.rule", [["name", "=", FORBIDDEN]], "name"):
        rights = ("perm_read", "perm_create", "perm_write", "perm_unlink")
        for model, (field, right) in KEPT.items():
            but = {one: one == right for one in rights}
            where = f"['|', ({field!r}, '=', False), ({field!r}, '!=', {FORBIDDEN!r})]"
            rule = {"name": FORBIDDEN, "model_id": models[model], "domain_force": where}
            admin.make("ir.rule", rule | but)
    return admin


class OdooWorld(OnALine):
    """The Odoo that a document names; ``hands`` in it name the key of an administrator."""

    name = "odoo"
    names = MappingProxyType({"country": "function"})

    def __init__(self, path):
        told = yaml.safe_load(Path(path).read_text())
        hands = told.pop("hands")
        self._stack = contextlib.ExitStack()
        weakref.finalize(self, self._stack.close)
        self._line = self._stack.enter_context(between(told["url"], is_write))
        self._told = told | {"key": "crm"}
        self._settings = load(allow_private_targets="127.0.0.0/8", _env_file=None)
        self._hands = prepared(frozenset((self._told | hands).items()))
        self._is_old = self._hands.odoo.version < 19
        self._emptied()
        self.people, self.notes = self._hands.people, self._hands.notes
        self.phase, self.wants, self.win = self._hands.phase, self._hands.wants, self._hands.win

    def connector(self, **words):
        document = Connector(**self._told | {"url": self._line.url} | words)
        return connector_for(document, self._settings)

    # --- what its people do ---

    def forbid(self, contact):
        self._hands.write(PERSON, contact, ref=FORBIDDEN)
        return True

    def keep_notes(self, contact):
        beside = [["model", "=", PERSON], ["res_id", "=", int(contact)]]
        for row in self._hands.rows(MESSAGE, beside, "id"):
            self._hands.write(MESSAGE, str(row["id"]), email_from=FORBIDDEN)
        return True

    def person(self, email, **fields):
        return self._hands.person(email, **self._named(fields))

    def opportunity(self, *contacts, name="500 widgets"):
        return self._hands.opportunity(*contacts, name=name)

    def set_phase(self, opportunity, phase):
        self._hands.write(LEAD, opportunity, x_buying_phase=phase)

    def set_field(self, contact, name, value):
        self._hands.write(PERSON, contact, **self._named({name: value}))

    def opt_out(self, contact, email, newsletter):
        del contact
        (row,) = self._hands.rows(LIST, [["name", "=", newsletter]], "name")
        place = {"list_id": row["id"], "opt_out": True}
        self._hands.make(READER, {"email": email, "subscription_ids": [[0, 0, place]]})

    def wants_no_mail(self, contact, email):
        del contact
        self._hands.make(BLACKLIST, {"email": email})

    def make_list(self, name):
        self._hands.make(LIST, {"name": name})

    def rename_lists(self, name, to):
        for row in self._hands.rows(LIST, [["name", "=", name]], "name"):
            self._hands.write(LIST, str(row["id"]), name=to)

    def delete(self, contact):
        self._hands.delete(PERSON, [int(contact)])

    # --- what its people see ---

    def field(self, contact, name):
        (name,) = self._named({name: None})
        return self._hands.field(PERSON, contact, name)

    def why(self, opportunity):
        return self._hands.field(LEAD, opportunity, "x_buying_phase_reason")

    # --- what happens on the way ---

    def trouble(self, kind, times=1):
        status, body = (OLD_TROUBLE if self._is_old else TROUBLE)[kind]
        self._line.refusals += [(status, {"Content-Type": "application/json"}, body)] * times

    # --- inside ---

    def _named(self, fields):
        """Call fields as Odoo does."""
        known = {"email", "phone"}
        names = {
            name: self.names.get(name) or (name if name in known else spelled(name))
            for name in fields
        }
        return {names[name]: value for name, value in fields.items()}

    def _emptied(self):
        """Let nobody of our examples be there, and of our lists one."""
        hands = self._hands
        for model in (LEAD, READER, PERSON, BLACKLIST):
            of = "email_from" if model == LEAD else "email"
            there = hands.rows(model, [[of, "=ilike", "%@acme.example"]], "id")
            for row in there:
                hands.delete(model, [row["id"]])
        for model, names in ((LEAD, NAMES), (LIST, LISTS)):
            hands.delete(
                model, [row["id"] for row in hands.rows(model, [["name", "in", names]], "id")]
            )
        hands.make_list("prices")


NAMES = ["500 widgets", "one", "two", "three"]
CODE = "raise UserError('No ' + record.name)"
