"""Access tokens against a server on this machine that gives them out, and takes them back."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from urllib.parse import parse_qs

import pytest

from regportal.connectors.calls import Calls
from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Egress
from regportal.connectors.rules import Outcome
from regportal.connectors.tokens import Token
from regportal.errors import UnreachableError

ASKED = {"client_id": "acme", "client_secret": "hush hush"}


class Crm(ThreadingHTTPServer):
    """Gives out tokens t1, t2…, and takes those that are ``good``."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.given, self.good, self.calls, self.forms = 0, set(), [], []
        self.refusal = None
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/token":
            self.server.calls.append((self.headers["Authorization"], body))
            is_good = self.headers["Authorization"] in self.server.good
            self._answer(200 if is_good else 401, b'{"done": true}' if is_good else b"[]")
            return
        self.server.forms.append(parse_qs(body.decode()))
        if self.server.refusal:
            self._answer(*self.server.refusal)
            return
        self.server.given += 1
        token = f"t{self.server.given}"
        self.server.good.add(f"Bearer {token}")
        self._answer(200, json.dumps({"access_token": token, "instance_url": "x"}).encode())

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextmanager
def running():
    with Crm() as crm:
        thread = threading.Thread(target=crm.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield crm
        crm.shutdown()
        thread.join()


@pytest.fixture
def crm():
    with running() as crm:
        yield crm


@pytest.fixture
def calls(crm):
    with Egress([ip_network("127.0.0.0/8")]) as egress:
        token = Token(f"{crm.url}/token", egress, ASKED)
        yield Calls(crm.url, egress, token.headers, renew=token.renew)


def test_every_answer_is_heeded_whatever_it_means(crm):
    heeded = []
    with Egress([ip_network("127.0.0.0/8")]) as egress:
        token = Token(f"{crm.url}/token", egress, ASKED)
        there = Calls(
            crm.url,
            egress,
            token.headers,
            renew=token.renew,
            heed=lambda answer: heeded.append(answer.status),
        )
        there.ask("POST", "/", told={})
        crm.good = type("Nobody", (set,), {"add": lambda *_: None})()
        with pytest.raises(NotTakenError):
            there.ask("POST", "/", told={})

    assert heeded == [200, 401, 401]


def test_a_token_is_fetched_once_and_kept(crm, calls):
    for _ in range(3):
        calls.ask("POST", "/", told={})

    assert [who for who, _ in crm.calls] == ["Bearer t1"] * 3
    grant = {name: [value] for name, value in ASKED.items()}
    assert crm.forms == [{"grant_type": ["client_credentials"], **grant}]


def test_a_call_with_a_token_that_ended_is_made_once_more_with_another(crm, calls):
    calls.ask("POST", "/", told={"n": 1})
    crm.good.clear()

    assert calls.ask("POST", "/", told={"n": 2}) == {"done": True}
    assert [who for who, _ in crm.calls] == ["Bearer t1", "Bearer t1", "Bearer t2"]
    assert json.loads(crm.calls[-1][1]) == {"n": 2}


def test_a_second_refusal_means_that_we_are_not_let_in(crm, calls):
    calls.ask("POST", "/", told={})
    crm.good = type("Nobody", (set,), {"add": lambda *_: None})()

    with pytest.raises(NotTakenError) as caught:
        calls.ask("POST", "/", told={})
    assert caught.value.outcome is Outcome.AUTH
    assert (len(crm.calls), crm.given) == (3, 2)


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [
        ((400, b'{"error":"invalid_grant","error_description":"ann@acme.example"}'), Outcome.AUTH),
        ((401, b'{"error":"invalid_client"}'), Outcome.AUTH),
        ((400, b'{"error":"login_rate_exceeded"}'), Outcome.THROTTLED),
        ((400, b'{"error":"temporarily_unavailable"}'), Outcome.RETRY),
        ((429, b""), Outcome.THROTTLED),
        ((503, b"<html>"), Outcome.RETRY),
        ((400, b"<html>"), Outcome.RETRY),
        ((401, b""), Outcome.RETRY),
        ((401, b"<h1>Proxy</h1>"), Outcome.RETRY),
        ((403, b'{"message": "blocked by a wall"}'), Outcome.RETRY),
        ((403, b'{"error":"access_denied"}'), Outcome.AUTH),
        ((503, b'{"error":"invalid_client"}'), Outcome.RETRY),
        ((200, b'{"access_token": "a\\r\\nX-Evil: 1"}'), Outcome.RETRY),
        ((200, b'{"access_token": null}'), Outcome.RETRY),
        ((200, b"[]"), Outcome.RETRY),
        ((200, b"<html>"), Outcome.RETRY),
    ],
)
def test_no_token_is_told_for_what_it_is(crm, calls, refusal, outcome):
    crm.refusal = refusal

    with pytest.raises(NotTakenError) as caught:
        calls.ask("POST", "/", told={})
    assert caught.value.outcome is outcome
    assert "ann" not in str(caught.value)
    assert crm.calls == []
    crm.refusal = None
    assert calls.ask("POST", "/", told={}) == {"done": True}


def test_an_endpoint_behind_our_own_walls_is_not_asked(crm):
    with Egress() as egress, pytest.raises(UnreachableError):
        Token(f"{crm.url}/token", egress, ASKED).told()
    assert crm.forms == []
