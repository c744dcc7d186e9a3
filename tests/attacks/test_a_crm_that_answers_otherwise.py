"""
Whoever stands in a CRM's place answers 200 and JSON of another shape, to break what reads it.

Where it works: a client that trusts what it asked for ends in a traceback, and with it the worker
or the command that asked. Each connector reads the shape of an answer where it comes in, and says
in one sentence that it is not the CRM's.
"""

import contextlib
import json
import uuid

import pytest
from flask import request

from regportal.app import web_root
from regportal.config import load
from regportal.connectors.base import Link, Vocabulary, connector_for
from regportal.connectors.desk import NotTakenError
from regportal.connectors.schema import Connector
from regportal.errors import UnreachableError
from regportal.sandbox.server import serving
from tests.attacks.anybody import Anybody
from tests.connectors.changes import Outbox

NAMES = Vocabulary({"comparison": "Comparison"}, {"fit": "Fit"}, {"prices": "Prices"})
ID = "7"
A_SECRET = "regportal:word"
TYPES = {
    "hubspot": {"inbound_secret": "env:CRM"},
    "salesforce": {"client": "regportal"},
    "dynamics": {"client": "regportal", "token_url": "{url}/oauth2/v2.0/token"},
    "odoo-17": {"database": "acme", "client": "api", "version": "17.0"},
    "odoo-19": {"database": "acme", "client": "api", "version": "19.0"},
    "odoo": {"database": "acme", "client": "api"},
    "suitecrm": {"client": "regportal"},
    "espocrm": {"admin_secret": "env:CRM"},
    "tryton": {"database": "acme"},
}
INNER = [
    None,
    [],
    7,
    "text",
    {},
    {"id": None},
    {"id": {"id": 7}, "name": ["text"]},
    {"id": "7", "type": {}, "name": {}, "options": 7, "contactsIds": [{}], "cRegportalId": 7},
    {"id": 7, "name": None, "__class__": "datetime", "write_date": "never"},
    {"Id": "7", "Name": [7], "attributes": "text", "properties": [7], "fields": {"name": 7}},
]
KEPT = ("results", "list", "value", "records", "data", "result")
"""Under what CRMs answer their records."""
SHAPES = [
    *INNER,
    True,
    7.5,
    [[]],
    [[None, None]],
    *([one] for one in INNER[:5]),
    *(dict.fromkeys(KEPT) for _ in range(1)),
    *({name: [one] for name in KEPT} for one in INNER),
    [INNER[-3]],
    [INNER[-2]],
    {"fields": [], "settings": 7, "acl": {"table": {"Contact": "text"}}},
    {"acl": 7, "result": {}, "data": {"id": "7", "attributes": [7]}},
    {"name": 7, "email": {"readonly": 7, "selection": [7]}, "buying_phase": {"selection": 7}},
    {"__class__": "Decimal", "decimal": "text"},
]

EVIL = "\x1b]0;mine\x07\x1b[2J\n" + "9" * 5000
"""What nobody wants on a screen: the name of a window, an empty screen, pages of digits."""
VERSIONS = [
    {"version": EVIL, "settings": {"version": EVIL}, "acl": {}, "result": EVIL},
    {"result": {"server_version": EVIL}, "DailyApiRequests": {"Remaining": EVIL, "Max": EVIL}},
]


class Otherwise(Anybody):
    """Answers the same to everything, but to who we are."""

    def answer(self, path):
        if path.endswith("token"):
            here = request.host_url.rstrip("/")
            return 200, {"access_token": "word", "token_type": "Bearer", "instance_url": here}
        return self.status, {} if path.endswith("get_preferences") else self.told


@pytest.fixture(scope="module")
def otherwise():
    with serving(Otherwise(), web_root()) as sandbox:
        yield sandbox


@pytest.fixture(params=TYPES)
def connector(otherwise, request):
    words = {name: one.format(url=otherwise.url) for name, one in TYPES[request.param].items()}
    told = {"key": "crm", "type": request.param.partition("-")[0], "url": otherwise.url}
    document = Connector(**told | {"secret": "env:CRM"} | words)
    settings = load(allow_private_targets="127.0.0.0/8", _env_file=None)
    connector = connector_for(document, settings, {"env:CRM": A_SECRET}.__getitem__)
    yield connector
    connector.close()


def news(outbox):
    """Return one change of each kind, of somebody new."""
    who = str(uuid.uuid4()), "ann@acme.example"
    claim = {"id": str(uuid.uuid4()), "email": who[1]}
    return [
        outbox.knows(*who, name="Ann", company="Acme"),
        outbox.did(*who, ID),
        outbox.day(*who, "Price list"),
        outbox.allows(*who, "prices", "confirmed"),
        outbox.allows(*who, "prices", "withdrawn"),
        outbox.scores(*who, "fit", 7),
        outbox.moves(ID, "comparison"),
        outbox.forgets(who[0]),
        outbox.claims("contact.claimed", claim, fields={}),
        outbox.claims("contact.claim_ended", claim, ended="rejected"),
    ]


@pytest.mark.parametrize(
    ("status", "shape"),
    [*((200, one) for one in SHAPES), *((400, one) for one in INNER)],
    ids=lambda one: json.dumps(one)[:60],
)
def test_json_of_another_shape_is_an_answer_like_others(otherwise, connector, shape, status):
    otherwise.fake.status, otherwise.fake.told = status, shape
    outbox = Outbox(connector)
    for change in news(outbox):
        for link in (None, Link(ID)):
            (result,) = connector.deliver([change._replace(link=link)], now=outbox.now)
            assert result.id == change.id
    for ask in (
        lambda: connector.check(NAMES),
        lambda: connector.provision(NAMES),
        lambda: connector.provision(NAMES, dry_run=False),
        lambda: connector.read("contact", [ID], ["name"]),
        lambda: connector.read("opportunity", [ID], ["name"]),
        lambda: connector.open_opportunities([ID]),
        lambda: connector.changes(None, 50),
    ):
        with contextlib.suppress(NotTakenError, UnreachableError):
            ask()


@pytest.mark.parametrize("shape", VERSIONS)
def test_what_stands_there_for_a_version_is_repeated_in_part_and_obeyed_by_no_terminal(
    otherwise, connector, shape
):
    otherwise.fake.status, otherwise.fake.told = 200, shape
    found = connector._desk.check()

    assert found
    assert all(one.says.isprintable() for one in found)
    assert max(len(one.says) for one in found) < 200
