"""The made Dynamics (`regportal/sandbox/dynamics/`), called over HTTP, and who works with it."""

import contextlib
import json
from types import MappingProxyType

from regportal.app import web_root
from regportal.config import load
from regportal.connectors.base import Vocabulary, connector_for
from regportal.connectors.egress import Egress, Limits
from regportal.connectors.schema import Connector
from regportal.sandbox.dynamics import Dynamics
from regportal.sandbox.dynamics.crm import CLIENT, SECRET, TENANT
from regportal.sandbox.server import serving
from tests.connectors.between import between
from tests.connectors.worlds.base import NO_TOKEN, OnALine
from tests.connectors.worlds.made import PHASES

VOCABULARY = Vocabulary({one: one.title() for one in PHASES}, {"fit": "Fit"}, {"prices": "Prices"})
SECRETS = MappingProxyType({"env:DYNAMICS": SECRET})
TOO_MANY = {"error": {"code": "0x80072322", "message": "Number of requests exceeded the limit"}}
REFUSALS = {
    "auth": (401, {"WWW-Authenticate": "Bearer authorization_uri=https://login.example"}, b""),
    "throttled": (429, {"Retry-After": "60"}, json.dumps(TOO_MANY).encode()),
    "down": (503, {"Content-Type": "text/html"}, b"<h1>Service Unavailable</h1>"),
}
OURS = {
    "regportal_fit": "regp_fit",
    "regportal_id": "regp_id",
    "email": "emailaddress1",
    "buying_phase": "regp_buying_phase",
}
WRITES = ("PATCH", "POST", "DELETE")


def is_write(method, path, body):
    return method in {"PATCH", "DELETE"} or (
        path.endswith("/$batch") and any(f"\n{verb} /".encode() in body for verb in WRITES)
    )


def is_read(method, path, body):
    """Whether records are read: neither metadata, nor a token."""
    del method
    return "EntityDefinitions" not in f"{path}{body}" and not path.endswith("/token")


def connected(url, secrets=SECRETS, limits=None, **document):
    """Return a connector to a Dynamics; ``limits`` shorten what a test would wait for."""
    words = {
        "key": "crm",
        "type": "dynamics",
        "url": url,
        "token_url": f"{url}/{TENANT}/oauth2/v2.0/token",
        "client": CLIENT,
        "secret": "env:DYNAMICS",
    }
    settings = load(allow_private_targets="127.0.0.0/8", _env_file=None)
    egress = Egress(settings.allow_private_targets, limits=limits) if limits else None
    document = Connector(**words | document)
    return connector_for(document, settings, secrets.__getitem__, egress=egress)


def unlucky(world):
    """Return a connector that is on no line but the sandbox's own, and has little patience."""
    return connected(world.sandbox.url, limits=Limits(2, 0.4, 0.5))


class DynamicsWorld(OnALine):
    """A Dynamics, and on the way to it a line on which things go wrong."""

    name = "dynamics"
    names = MappingProxyType({"country": "address1_country", "phone": "telephone1"})

    def __init__(self, line, sandbox):
        self._line, self.sandbox, self.crm = line, sandbox, sandbox.fake
        self._stack = contextlib.ExitStack()
        self._written = []
        self.crm.records.rules += [_no_country_is_called_refused, self._keep]
        self.win = self.crm.win

    def connector(self, **document):
        made = connected(self._line.url, **document)
        self._stack.callback(made.close)
        return made

    def close(self):
        self._stack.close()

    @property
    def seen(self):
        """What was asked on the line."""
        return self._line.seen

    # --- what its people do ---

    def person(self, email, **fields):
        id = self.crm.make_contact(email)
        for name, value in fields.items():
            self.set_field(id, name, value)
        return id

    def opportunity(self, *contacts, name="500 widgets"):
        first, *more = contacts or ("",)
        id = self.crm.make_opportunity(name, first)
        for contact in more:
            self.crm.add_stakeholder(id, contact)
        return id

    def set_phase(self, opportunity, phase):
        self.crm.set_column("opportunity", opportunity, "regp_buying_phase", phase.title())

    def set_field(self, contact, name, value):
        self.crm.set_column("contact", contact, self._named(name), value)

    def opt_out(self, contact, email, newsletter):
        del contact
        self.crm.opt_out(email, newsletter)

    def wants_no_mail(self, contact, email):
        del email
        self.crm.set_column("contact", contact, "donotbulkemail", "Do Not Allow")

    def make_list(self, name):
        self.crm.make_topic(name)

    def rename_lists(self, name, to):
        for id, row in self.rows("msdynmkt_topic").items():
            if row["msdynmkt_name"] == name:
                self.crm.set_column("msdynmkt_topic", id, "msdynmkt_name", to)

    def forbid(self, contact):
        self.crm.forbid("contact", contact)
        return True

    def keep_notes(self, contact):
        for id, row in self.rows("annotation").items():
            if row["objectid"] == ("contact", contact):
                self.crm.forbid("annotation", id)
        return True

    def delete(self, contact):
        self.crm.delete("contact", contact)

    def lose_key(self):
        contact = self.crm.records.tables["contact"]
        contact.keys.clear()
        return contact.columns.pop("regp_id").name

    def stand_still(self):
        now = self.crm.records.clock()
        self.crm.records.clock = lambda: now

    # --- what its people see ---

    def people(self, email):
        return [
            id
            for id, row in self.rows("contact").items()
            if str(row["emailaddress1"]).casefold() == email.casefold()
        ]

    def field(self, contact, name):
        return self.rows("contact")[contact][self._named(name)]

    def phase(self, opportunity):
        value = self.rows("opportunity")[opportunity]["regp_buying_phase"]
        options = self.crm.records.tables["opportunity"].columns["regp_buying_phase"].options
        return next((one.label.lower() for one in options if one.value == value), None)

    def why(self, opportunity):
        return self.rows("opportunity")[opportunity]["regp_buying_phase_reason"]

    def notes(self, contact):
        return [
            row["notetext"]
            for row in self.rows("annotation").values()
            if row["objectid"] == ("contact", contact)
        ]

    def wants(self, contact, email, newsletter):
        del contact
        topics = [
            ("msdynmkt_topic", id)
            for id, row in self.rows("msdynmkt_topic").items()
            if row["msdynmkt_name"] == newsletter
        ]
        said = [
            {534120001: True, 534120002: False}.get(row["msdynmkt_value"])
            for row in self.rows("msdynmkt_contactpointconsent4").values()
            if row["msdynmkt_contactpointvalue"].casefold() == email.casefold()
            and row["msdynmkt_topicid"] in topics
        ]
        return any(said) if {*said} - {None} else None

    def rows(self, table):
        """Return the records of a table by id."""
        return self.crm.records.rows[table]

    # --- what happens on the way ---

    def trouble(self, kind, times=1):
        after = NO_TOKEN if kind == "auth" else REFUSALS[kind]  # the token is asked for anew
        self._line.refusals += [REFUSALS[kind], *[after] * (times - 1)]

    def history(self, id, name):
        """Return what a field of a record said, one after the other."""
        column = self._named(name)
        values = [of[column] for which, of in self._written if which == id and column in of]
        options = {
            one.value: one.external
            for one in self.crm.records.tables["opportunity"].columns["regp_buying_phase"].options
        }
        return [options[one] if name == "buying_phase" else one for one in values]

    # --- inside ---

    def _named(self, name):
        """Call a field as Dynamics does."""
        return self.names.get(name) or OURS.get(name, name)

    def _keep(self, table, id, values):
        """Keep what is written; a plug-in that is against nothing."""
        del table
        self._written.append((id, dict(values)))


def _no_country_is_called_refused(table, id, values):
    """A plug-in of the customer's."""
    del id
    is_bad = table == "contact" and values.get("address1_country") == "refused"
    return "No such country: ask Ann" if is_bad else None


@contextlib.contextmanager
def dynamics(*, is_set_up=True):
    """Give a Dynamics with nobody in it but who works there, and a topic."""
    crm = Dynamics()
    crm.make_topic("prices")
    crm.entrance.most = 100_000  # a test calls more often than an application does
    with serving(crm, web_root()) as sandbox:
        if is_set_up:
            maker = connected(sandbox.url)
            assert all(one.fine for one in maker.provision(VOCABULARY, dry_run=False))
            maker.close()
        with between(sandbox.url, is_write, is_read) as line:
            world = DynamicsWorld(line, sandbox)
            yield world
            world.close()
