"""A real Tryton, with the hands of Sam, who sells there."""

import base64
import json
from ipaddress import ip_network
from types import MappingProxyType

import requests

from regportal.config import load
from regportal.connectors.base import connector_for
from regportal.connectors.egress import Egress
from regportal.connectors.schema import Connector
from regportal.connectors.tryton.api import Api
from tests.connectors.tryton.inside import KEYS
from tests.connectors.worlds.base import OnALine
from tools.hands.tryton import DEAL, TrytonHands


def page(title, says):
    """Return what Tryton answers to whoever it did not understand."""
    return f"<!doctype html>\n<title>{title}</title>\n<h1>{title}</h1>\n<p>{says}</p>\n".encode()


READS = ("search_read", "get_preferences", "fields_get", "get_buying_phases", "version")
CONTEXT = {"company": 1, "employee": 1, "language": "en"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
TROUBLE = {
    "auth": (401, HTML, page("Unauthorized", "The server could not verify that you may …")),
    "throttled": (429, {**HTML, "Retry-After": "60"}, page("Too Many Requests", "…")),
    "down": (503, HTML, page("Service Unavailable", "could not serialize access due to …")),
}
LOOPBACK = [ip_network("127.0.0.0/8")]
CLOSED = "Closed to regportal"
"""What a party is called that we may not write: a rule of Acme's."""
ACTIVE = ["active", "in", [True, False]]


class TrytonWorld(OnALine):
    """Acme's Tryton, which regportal reaches over a line."""

    name = "tryton"
    names = MappingProxyType({})

    def __init__(self, server, database, line, instance):
        self._server, self._database = server, database
        self._line, self._instance = line, instance
        self._event = None
        self.paths = set()
        line.writes = self._writes
        hands = TrytonHands(Api(server, database, KEYS["sam"], Egress(LOOPBACK)))
        self.person, self.win, self.people = hands.person, hands.win, hands.people
        self.phase, self.notes = hands.phase, hands.notes
        self._hands = hands

    def connector(self, **document):
        words = {
            "key": "crm",
            "type": "tryton",
            "url": self._line.url,
            "secret": "env:TRYTON_KEY",
            "database": self._database,
        }
        settings = load(
            instance=self._instance, allow_private_targets="127.0.0.0/8", _env_file=None
        )
        secrets = {"env:TRYTON_KEY": KEYS["regportal"]}
        return connector_for(Connector(**words | document), settings, secrets.__getitem__)

    # --- what its people do ---

    def opportunity(self, *contacts, name="500 widgets"):
        return self._hands.opportunity(*contacts, name=name)

    def set_phase(self, opportunity, phase):
        self._tell("PUT", f"sale.opportunity/{opportunity}", {"buying_phase": phase})

    def set_field(self, contact, name, value):
        if name == "email":
            (line,) = self._mechanisms(contact, "email")
            self._tell("PUT", f"party.contact_mechanism/{line['id']}", {"value": value})
        else:
            self._tell("PUT", f"party.party/{contact}", {name: value})

    def opt_out(self, contact, email, newsletter):
        (its,) = self._rows("marketing.email.list", [["name", "=", newsletter]], ["name"])
        for id in [one["id"] for one in self._subscribed(email, newsletter)] or [
            self._post("marketing.email", {"email": email, "list_": its["id"]})["id"]
        ]:
            self._tell("PUT", f"marketing.email/{id}", {"active": False})

    def wants_no_mail(self, contact, email):
        self.opt_out(contact, email, "prices")

    def make_list(self, name):
        (english,) = self._rows("ir.lang", [["code", "=", "en"]], ["code"])
        self._post("marketing.email.list", {"name": name, "language": english["id"]})

    def rename_lists(self, name, to):
        for one in self._rows("marketing.email.list", [["name", "=", name]], ["name"]):
            self._tell("PUT", f"marketing.email.list/{one['id']}", {"name": to})

    def wants(self, contact, email, newsletter):
        del contact
        said = [one["active"] for one in self._subscribed(email, newsletter)]
        return any(said) if said else None

    def merge(self, contact, into):
        """Let a contact become part of another one."""
        told = {"source": int(contact), "destination": int(into)}
        self._post("party.party/acme_merge", told)

    def contact(self, opportunity, contact):
        """Write down whom to talk to about an opportunity."""
        (line,) = self._mechanisms(contact, "email")
        self._tell("PUT", f"sale.opportunity/{opportunity}", {"contact": line["id"]})

    def forbid(self, contact):
        self._tell("PUT", f"party.party/{contact}", {"name": CLOSED})
        return True

    def delete(self, contact):
        self._tell("DELETE", f"party.party/{contact}")

    # --- what its people see ---

    def field(self, contact, name):
        if name.startswith("regportal_") and name != "regportal_id":
            scores = self._party(contact, "regportal_scores") or {}
            return scores.get(name.removeprefix("regportal_"))
        return self._party(contact, name)

    def why(self, opportunity):
        return self._hands.field(DEAL, opportunity, "buying_phase_reason")

    # --- what happens on the way ---

    def trouble(self, kind, times=1):
        self._line.refusals += [TROUBLE[kind]] * times

    def meanwhile(self, event):
        self._event = event

    # --- inside ---

    def _writes(self, method, path, body):
        """Say which calls write; and let happen before one what is to happen meanwhile."""
        self.paths.add(path)
        if path.rpartition("/")[2] in READS or path == "/rpc/":
            return False
        if self._event is not None:
            event, self._event = self._event, None
            event()
        return True

    def _tell(self, method, path, told=None):
        headers = {
            "Authorization": f"bearer {KEYS['sam']}",
            "X-Tryton-Context": base64.urlsafe_b64encode(json.dumps(CONTEXT).encode()).decode(),
        }
        url = f"{self._server}/{self._database}/rest/model/{path}"
        answer = requests.request(method, url, json=told, headers=headers, timeout=30)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def _post(self, path, told):
        return self._tell("POST", path, told)

    def _rows(self, model, domain, fields):
        return self._post(f"{model}/search_read", {"domain": domain, "fields_names": fields})

    def _party(self, id, name):
        (row,) = self._rows("party.party", [["id", "=", int(id)], ACTIVE], [name])
        return row[name]

    def _mechanisms(self, contact, type):
        fit = [["party", "=", int(contact)], ["type", "=", type]]
        return self._rows("party.contact_mechanism", fit, ["value"])

    def _subscribed(self, email, newsletter):
        fit = [["email", "=", email.lower()], ["list_.name", "=", newsletter], ACTIVE]
        return self._rows("marketing.email", fit, ["active"])
