"""A made HubSpot over real HTTP (`regportal/sandbox/hubspot/`), and its people."""

import contextlib
import html
from datetime import UTC, datetime
from ipaddress import ip_network
from types import MappingProxyType

from regportal.app import web_root
from regportal.config import load
from regportal.connectors.base import Vocabulary, connector_for
from regportal.connectors.egress import Egress, Limits
from regportal.connectors.hubspot.values import in_full
from regportal.connectors.schema import Connector
from regportal.sandbox.hubspot import CLIENT_SECRET, TOKEN, HubSpot
from regportal.sandbox.hubspot.refusing import invalid
from regportal.sandbox.server import serving
from tests.connectors.between import between
from tests.connectors.shapes import hubspots
from tests.connectors.worlds.base import OnALine
from tests.connectors.worlds.made import PHASES

VOCABULARY = Vocabulary({one: one.title() for one in PHASES}, {"fit": "Fit"})
NEWSLETTER = "prices"
REFUSALS = {
    "auth": (
        401,
        {"Content-Type": "application/json"},
        b'{"status":"error","category":"INVALID_AUTHENTICATION","message":"..."}',
    ),
    "throttled": (
        429,
        {"Content-Type": "application/json"},
        b'{"status":"error","category":"RATE_LIMITS","policyName":"TEN_SECONDLY_ROLLING"}',
    ),
    "down": (502, {}, b"<h1>Bad gateway</h1>"),
}
READS = ("/batch/read", "/search")


def _is_write(method, path, body):
    del body
    return method != "GET" and not path.partition("?")[0].endswith(READS)


def _is_read(method, path, body):
    del body
    return path.endswith("/batch/read") and "/crm/objects/" in path


SECRETS = {"env:KEY": TOKEN, "env:APP": CLIENT_SECRET}


def connected(url, secrets=SECRETS, egress=None, **document):
    """Return a connector to an account."""
    words = {"key": "crm", "type": "hubspot", "url": url, "secret": "env:KEY"}
    settings = load(allow_private_targets="127.0.0.0/8", _env_file=None)
    given = Connector(**words | {"inbound_secret": "env:APP"} | document)
    return connector_for(given, settings, secrets.__getitem__, egress=egress)


def unlucky(world):
    """Return a connector that is on no line but the sandbox's own, and has little patience."""
    egress = Egress([ip_network("127.0.0.0/8")], limits=Limits(2, 0.4, 0.5))
    return connected(world.sandbox.url, egress=egress)


class HubSpotWorld(OnALine):
    """An account, and whoever works with it."""

    name = "hubspot"
    names = MappingProxyType({})
    shares_addresses = False

    def __init__(self, line, sandbox):
        self._line, self.sandbox, self.fake = line, sandbox, sandbox.fake
        self._stack = contextlib.ExitStack()

    def connector(self, **document):
        made = connected(self._line.url, **document)
        self._stack.callback(made.close)
        return made

    def close(self):
        self._stack.close()

    # --- what its people do ---

    def person(self, email, **fields):
        return self.fake.contact(email, **fields)

    def opportunity(self, *contacts, name="500 widgets"):
        return self.fake.deal(name, ",".join(contacts))

    def set_phase(self, opportunity, phase):
        self.fake.set(opportunity, "buying_phase", phase)

    def set_field(self, contact, name, value):
        self.fake.set(contact, name, value)

    def opt_out(self, contact, email, newsletter):
        del contact
        self.fake.opt_out(email, newsletter)

    def wants_no_mail(self, contact, email):
        del contact
        self.fake.opt_out(email)

    def make_list(self, name):
        self.fake.define(name)

    def rename_lists(self, name, to):
        types = self.fake.subscriptions.types
        types |= {number: to for number, one in types.items() if one == name}

    def keep_notes(self, contact):
        portal = self.fake.portal
        archive, kept = portal.archive, {*portal.linked("contacts", contact, "notes")}

        def refusing(record, source, **more):
            if record.kind == "notes" and record.id in kept:
                raise invalid("This record cannot be deleted")
            archive(record, source, **more)

        portal.archive = refusing
        return True

    def win(self, opportunity):
        self.fake.win(opportunity)

    def delete(self, contact):
        self.fake.delete(contact)

    def lose_key(self):
        return self.fake.portal.properties["contacts"].pop("regportal_id").name

    def stand_still(self):
        now = datetime.now(UTC)
        self.fake.portal.clock = lambda: now

    def backdate(self, opportunity, by):
        deal = self.fake.portal.find("deals", opportunity)
        deal.updated -= by
        deal.values["hs_lastmodifieddate"] = in_full(deal.updated)

    # --- what its people see ---

    def people(self, email):
        return [
            one.id
            for one in self.fake.portal.all("contacts")
            if one.values.get("email") == email.lower()
        ]

    def field(self, contact, name):
        return self.fake.portal.find("contacts", contact).values.get(name) or None

    def phase(self, opportunity):
        return self._of_deal(opportunity, "buying_phase")

    def why(self, opportunity):
        return self._of_deal(opportunity, "buying_phase_reason")

    def notes(self, contact):
        beside = self.fake.portal.linked("contacts", contact, "notes")
        notes = [self.fake.portal.find("notes", id) for id in beside]
        return [html.unescape(one.values["hs_note_body"].replace("<br>", "\n")) for one in notes]

    def wants(self, contact, email, newsletter):
        del contact
        types = self.fake.subscriptions.types
        said = [
            status.state == "SUBSCRIBED"
            for (address, number), status in self.fake.subscriptions.statuses.items()
            if address == email.lower() and types[number] == newsletter
        ]
        return any(said) if said else None

    def history(self, id, name):
        """Return what a property of a record said, one after the other."""
        record = next(of[id] for of in self.fake.portal.records.values() if id in of)
        return [value for which, value, _, _ in record.history if which == name]

    # --- what happens on the way ---

    def trouble(self, kind, times=1):
        self._line.refusals += [REFUSALS[kind]] * times

    def _of_deal(self, id, name):
        return self.fake.portal.find("deals", id).values.get(name) or None


@contextlib.contextmanager
def hubspot(**given):
    """Give an account with nobody in it, our properties, and one rule of its administrator's."""
    fake = HubSpot(**given)
    fake.define(NEWSLETTER)
    fake.portal.rules["contacts", "country"] = r"(?s)(?!refused$).*"
    fake.account.limits.burst = 10_000  # a test calls more often than a person does
    fake.account.limits.searches = 10_000
    shapes = hubspots()
    if shapes:
        fake.app = shapes.watching(fake.app)
    with serving(fake, web_root()) as sandbox:
        maker = connected(sandbox.url)
        assert all(one.fine for one in maker.provision(VOCABULARY, dry_run=False))
        maker.close()
        with between(sandbox.url, _is_write, _is_read) as line:
            world = HubSpotWorld(line, sandbox)
            yield world
            world.close()
    if shapes:
        assert not shapes.faults, "\n".join(shapes.faults)
