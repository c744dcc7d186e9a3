"""The sandbox of Salesforce, over real HTTP; its people work there by its deeds."""

import contextlib
import itertools
import json
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from regportal.app import web_root
from regportal.config import load
from regportal.connectors.base import connector_for
from regportal.connectors.egress import Egress, Limits
from regportal.connectors.schema import Connector
from regportal.sandbox.salesforce import CLIENT, SECRET, Salesforce
from regportal.sandbox.salesforce.refusals import RefusedError
from regportal.sandbox.server import serving
from tests.connectors.between import between
from tests.connectors.worlds.base import NO_TOKEN, OnALine

PATIENT = Limits()
NAMED = {
    "email": "Email",
    "country": "MailingCountry",
    "phone": "Phone",
    "regportal_fit": "Regportal_Fit__c",
    "regportal_id": "Regportal_Id__c",
    "buying_phase": "Buying_Phase__c",
}
REFUSALS = {
    "auth": (401, b'[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]'),
    "throttled": (
        403,
        b'[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]',
    ),
    "down": (503, b""),
}


def ticking():
    """A clock that is a second further whenever it is looked at: Salesforce keeps whole seconds."""
    ticks = itertools.count()
    began = datetime.now(UTC).replace(microsecond=0)
    return lambda: began + timedelta(seconds=next(ticks))


def is_write(method, path, body):
    """Whether a call changes records: a composite of readings does not."""
    if path.startswith("/services/oauth2/"):
        return False
    if method == "POST" and path.endswith("/composite"):
        return any(one["method"] != "GET" for one in json.loads(body)["compositeRequest"])
    return method != "GET"


def is_read(method, path, body):
    """Whether a call reads records, and not a description."""
    return b"/query" in body or "/query" in path


NO_ACCESS = ("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")


class SalesforceWorld(OnALine):
    name = "salesforce"
    names = MappingProxyType({name: NAMED[name] for name in ("country", "phone")})

    def __init__(self):
        self._stack = contextlib.ExitStack()
        self.fake = Salesforce(ticking())
        self.org = self.fake.org
        self.org.rules["Contact"].append(
            lambda row: "no" if row.get("MailingCountry") == "refused" else None
        )
        self._written, self._forbidden = [], set()
        self.org.rules["Contact"].append(self._is_ours)
        for entity in ("Contact", "Opportunity"):
            self.org.rules[entity].append(self._keep)
        self.sandbox = self._stack.enter_context(serving(self.fake, web_root()))
        self._line = self._stack.enter_context(between(self.sandbox.url, is_write, is_read))
        self.fake.door.instance = self._line.url
        self.win, self.delete = self.fake.win, self.fake.delete

    def close(self):
        self._stack.close()

    def connector(self, **document):
        return self.connected(self._line.url, **document)

    def connected(self, url, limits=PATIENT, **document):
        words = {"key": "crm", "type": "salesforce", "url": url, "client": CLIENT}
        settings = load(allow_private_targets="127.0.0.0/8", _env_file=None)
        made = connector_for(
            Connector(**words | {"secret": "env:SECRET"} | document),
            settings,
            {"env:SECRET": SECRET}.__getitem__,
            egress=Egress(settings.allow_private_targets, limits=limits),
        )
        self._stack.callback(made.close)
        return made

    # --- what its people do ---

    def person(self, email, **fields):
        made = self.fake.contact(email)
        for name, value in fields.items():
            self.set_field(made, name, value)
        return made

    def opportunity(self, *contacts, name="500 widgets"):
        made = self.fake.opportunity(name)
        for one in contacts:
            self.fake.role(made, one)
        return made

    def set_phase(self, opportunity, phase):
        self.fake.set(opportunity, "Buying_Phase__c", phase)

    def set_field(self, contact, name, value):
        self.fake.set(contact, NAMED.get(name, name), value)

    def opt_out(self, contact, email, newsletter):
        self.fake.opt_out(contact, newsletter)

    def wants_no_mail(self, contact, email):
        del email
        self.fake.opt_out(contact)

    def make_list(self, name):
        self.org.insert("Campaign", {"Name": name})

    def rename_lists(self, name, to):
        for row in self.rows("Campaign"):
            if row["Name"] == name:
                self.fake.set(row["Id"], "Name", to)

    def lose_key(self):
        return self.org.objects["Contact"].fields.pop("Regportal_Id__c").name

    def stand_still(self):
        now = self.org.clock()
        self.org.clock = lambda: now

    def backdate(self, opportunity, by):
        self.org.existing("Opportunity", opportunity)["SystemModstamp"] -= by

    # --- what its people see ---

    def rows(self, kind):
        """The records of a kind that are not deleted."""
        return [row for row in self.org.rows(kind) if not row.get("IsDeleted")]

    def people(self, email):
        rows = self.rows("Contact")
        return [row["Id"] for row in rows if str(row["Email"]).casefold() == email.casefold()]

    def field(self, contact, name):
        return self.org.existing("Contact", contact)[NAMED.get(name, name)]

    def phase(self, opportunity):
        return self.org.existing("Opportunity", opportunity)["Buying_Phase__c"]

    def why(self, opportunity):
        return self.org.existing("Opportunity", opportunity)["Buying_Phase_Reason__c"]

    def notes(self, contact):
        return [row["Description"] for row in self.rows("Task") if row["WhoId"] == contact]

    def wants(self, contact, email, newsletter):
        campaigns = {row["Id"]: row["Name"] for row in self.rows("Campaign")}
        said = [
            {"Subscribed": True, "Unsubscribed": False}.get(row["Status"])
            for row in self.rows("CampaignMember")
            if row["ContactId"] == contact and campaigns[row["CampaignId"]] == newsletter
        ]
        return any(said) if {*said} - {None} else None

    def history(self, id, name):
        """Return what a field of a record said, one after the other."""
        field = NAMED.get(name, name)
        said = [values[field] for row, values in self._written if row["Id"] == id]
        return [value for value, _ in itertools.groupby(said) if value is not None]

    def forbid(self, contact):
        self._forbidden.add(contact)
        return True

    def keep_notes(self, contact):
        delete, kept = (
            self.org.delete,
            {r["Id"] for r in self.rows("Task") if r["WhoId"] == contact},
        )

        def refusing(id, by=None):
            if id in kept:
                raise RefusedError(*NO_ACCESS)
            delete(id, by)

        self.org.delete = refusing
        return True

    def _is_ours(self, row):
        """Refuse what the sharing rules of an org leave to others."""
        if row["Id"] in self._forbidden:
            raise RefusedError(*NO_ACCESS)

    def _keep(self, row):
        """Keep what is written; a rule that is against nothing."""
        self._written.append((row, dict(row)))

    # --- what happens on the way ---

    def trouble(self, kind, times=1):
        status, body = REFUSALS[kind]
        refused = (status, {"Content-Type": "application/json"}, body)
        after = NO_TOKEN if kind == "auth" else refused  # the token is asked for anew
        self._line.refusals += [refused, *[after] * (times - 1)]


def unlucky(world):
    """Return a connector that is on no line but the sandbox's own, and has little patience."""
    world.fake.door.instance = None
    return world.connected(world.sandbox.url, Limits(connect=1, read=0.4, total=1))
