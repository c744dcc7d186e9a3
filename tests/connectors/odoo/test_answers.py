"""What an Odoo may answer, each as a real one did, and what becomes of it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from regportal.connectors.base import InboundRequest, Vocabulary, connector_for
from regportal.connectors.egress import Answer
from regportal.connectors.odoo.answers import judged
from regportal.connectors.odoo.transport import Odoo
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector
from tests.connectors.changes import Outbox

ANN, KEY = "ann@acme.example", "3f0b4a52-6d0e-4d5c-9a3b-0c6f2f3a1b11"
HTML = b"<!doctype html><title>404 Not Found</title>"
SAYS = "Wrong value for res.partner.x_size: 'ann@acme.example'"


def error(name, message=""):
    return {"name": name, "message": message, "arguments": [], "debug": "File /opt/odoo/x.py"}


def old(said):
    return {"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "data": said}}


@pytest.fixture
def odoo_at(receiver, settings):
    """Speak to an Odoo of a version that answers so."""

    def connected(version, *answers, **words):
        told = {"key": "crm", "type": "odoo", "url": receiver.url, "secret": "env:CRM_SECRET"}
        told |= {"database": "acme", "client": "api", "version": version} | words
        receiver.answers += [
            (status, {}, said if isinstance(said, bytes) else json.dumps(said).encode())
            for status, said in answers
        ]
        document = Connector(**{name: one for name, one in told.items() if one})
        return connector_for(document, settings)

    return connected


@pytest.mark.parametrize(
    ("status", "said", "outcome"),
    [
        (500, error("builtins.ValueError", SAYS), Outcome.REJECTED),
        (422, error("odoo.exceptions.ValidationError", SAYS), Outcome.REJECTED),
        (403, error("odoo.exceptions.AccessError", SAYS), Outcome.REJECTED),
        (404, error("odoo.exceptions.MissingError", SAYS), Outcome.RETRY),
        (401, error("werkzeug.exceptions.Unauthorized"), Outcome.AUTH),
        (500, error("psycopg2.errors.SerializationFailure"), Outcome.RETRY),
        (500, error("psycopg2.OperationalError"), Outcome.RETRY),
        (500, error("psycopg2.errors.NotNullViolation"), Outcome.REJECTED),
        (500, error("psycopg2.errors.AdminShutdown"), Outcome.RETRY),
        (500, error("psycopg2.errors.TooManyConnections"), Outcome.RETRY),
        (500, error("psycopg2.errors.DiskFull"), Outcome.RETRY),
        (500, error("psycopg2.InterfaceError"), Outcome.RETRY),
        (500, error("odoo.sql_db.PoolError"), Outcome.RETRY),
        (503, error("werkzeug.exceptions.ServiceUnavailable"), Outcome.RETRY),
        (429, error("werkzeug.exceptions.TooManyRequests"), Outcome.THROTTLED),
        (500, error("psycopg2.errors.CheckViolation"), Outcome.REJECTED),
        (500, error("psycopg2.DataError"), Outcome.REJECTED),
        (500, error("psycopg2.errors.StringDataRightTruncation"), Outcome.REJECTED),
        (400, error("werkzeug.exceptions.BadRequest"), Outcome.REJECTED),
        (500, error("acme_module.BusyError"), Outcome.RETRY),
        (401, HTML, Outcome.RETRY),
        (403, HTML, Outcome.RETRY),
        (404, HTML, Outcome.RETRY),
        (429, HTML, Outcome.THROTTLED),
        (502, HTML, Outcome.RETRY),
        (200, HTML, Outcome.RETRY),
    ],
)
def test_an_answer_is_judged_by_the_name_of_its_exception(odoo_at, status, said, outcome):
    (result,) = Outbox(odoo_at("19.0", (status, said))).deliver(Outbox(None).knows(KEY, ANN))
    assert result.outcome is outcome
    assert not {ANN, "/opt/odoo", "debug"} & {*result.says.split()}
    assert "ann" not in result.says


@pytest.mark.parametrize(
    "body", [json.dumps(error("werkzeug.exceptions.TooManyRequests")).encode(), HTML]
)
def test_until_when_odoo_is_called_too_often_is_kept(body):
    busy = Answer(429, {"Retry-After": "7"}, body)
    wait = judged(busy, "crm.lead/write").retry_at - datetime.now(UTC)

    assert timedelta(seconds=6) < wait <= timedelta(seconds=7)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (old(error("builtins.ValueError", SAYS)), Outcome.REJECTED),
        (old(error("odoo.exceptions.AccessDenied")), Outcome.AUTH),
        (old(error("odoo.exceptions.MissingError")), Outcome.RETRY),
        (old(error("psycopg2.OperationalError", "host 10.0.0.7")), Outcome.RETRY),
        ({"jsonrpc": "2.0", "id": 1, "error": None}, Outcome.RETRY),
        ({"result": False}, Outcome.AUTH),
        ([], Outcome.RETRY),
    ],
)
def test_the_older_transport_says_200_of_everything(odoo_at, said, outcome):
    (result,) = Outbox(odoo_at("17.0", (200, said))).deliver(Outbox(None).knows(KEY, ANN))
    assert result.outcome is outcome
    assert "10.0.0.7" not in result.says


def test_the_key_is_in_no_address_and_in_no_header_of_the_older_transport(odoo_at, receiver):
    Outbox(odoo_at("19.0", (200, []), (200, []))).deliver(Outbox(None).knows(KEY, ANN))
    Outbox(odoo_at("17.0", (200, {"result": 7}))).deliver(Outbox(None).knows(KEY, ANN))
    new, *_, last = receiver.calls
    assert new.headers["Authorization"].startswith("bearer whsec_")
    assert new.headers["X-Odoo-Database"] == "acme"
    assert "whsec_" not in "".join(call.path for call in receiver.calls)
    assert last.path.endswith("/jsonrpc")
    assert "whsec_" not in str(last.headers)


@pytest.mark.parametrize(
    ("answers", "version"),
    [
        ([(200, {"result": {"server_version": "17.0"}})], 17),
        ([(200, {"result": {"server_version": "saas~19.1"}})], 19),
    ],
)
def test_the_version_is_asked_for_where_nobody_wrote_it(odoo_at, receiver, answers, version):
    connector = odoo_at(None, *answers, (200, {"result": 7}))
    assert isinstance(connector._desk._odoo, Odoo)
    assert connector._desk._odoo.version == version
    assert receiver.calls[0].message["params"]["service"] == "common"


def test_an_old_odoo_needs_a_login(odoo_at):
    (found,) = odoo_at("17.0", client=None).check(Vocabulary())
    assert (found.fine, found.says) == (False, "Odoo 17 needs client (the login) and database")


def test_a_key_that_ends_soon_is_told_of(odoo_at):
    ends = [{"id": 1, "expiration_date": "2000-02-11 05:34:58"}]
    found = odoo_at("19.0", (200, {"uid": 5}), (200, ends), *[(200, True)] * 8).check(Vocabulary())
    (key,) = [one for one in found if one.subject == "key"]
    assert (key.fine, key.says) == (
        False,
        "the first key of this user ends on 2000-02-11: make a new one",
    )


def test_rights_that_are_missing_are_named(odoo_at):
    answers = [(200, True)] * 4 + [(200, False)] + [(404, error("werkzeug.exceptions.NotFound"))]
    connector = odoo_at("19.0", (200, {"uid": 5}), (200, []), *answers, *[(200, True)] * 2)
    (rights,) = [one for one in connector.check(Vocabulary()) if one.subject == "rights"]
    assert rights.says == "the user may not crm.lead: unlink, mailing.contact: create"


def test_no_call_of_odoo_is_believed(odoo_at, now):
    assert odoo_at("19.0").accept(InboundRequest({}, b"{}"), now=now).status == 401
