"""The web server: what is asked gets its answer, and the end is graceful."""

import json
import logging
import socket
import threading
from contextlib import closing
from types import SimpleNamespace

import pytest
import requests

from regportal.app.logs import Lines
from regportal.app.server import Server, answers, listen, refuse_debugging
from regportal.config import Settings
from regportal.errors import ConfigError
from tests.patience import FOR_EVER, PATIENCE

BIG = 30_000_000


class Site:
    """A site of three pages: one at once, one slow, one long."""

    def __init__(self):
        self.slow, self.goes_on = threading.Event(), threading.Event()

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        if path == "/slow":
            self.slow.set()
            self.goes_on.wait(PATIENCE)
        if path == "/long":
            return (b"x" * 100_000 for _ in range(BIG // 100_000))
        if path == "/headers":
            return [json.dumps({k: v for k, v in environ.items() if isinstance(v, str)}).encode()]
        return [f"{path} {len(body)}".encode()]


@pytest.fixture
def serving(monkeypatch):
    """A server in this process, and how to end it; whoever is waited for is, for ever."""
    monkeypatch.setattr("regportal.app.server.PATIENCE", FOR_EVER)
    made = []

    def serve(**settings):
        site = Site()
        listening = listen("127.0.0.1", 0)
        port = listening.getsockname()[1]
        server = Server(site, listening, Settings(**settings))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        made.append((server, thread, listening))
        return SimpleNamespace(
            url=f"http://127.0.0.1:{port}",
            port=port,
            site=site,
            stop=server.stop,
            thread=thread,
            tuned=server._server.adj,
        )

    yield serve
    for server, thread, listening in made:
        server.stop()
        thread.join(PATIENCE)
        listening.close()


def test_it_is_ready_when_it_answers(serving):
    assert answers("127.0.0.1", serving().port, Settings(), within=PATIENCE)


def test_it_is_not_ready_where_nobody_answers():
    with closing(listen("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]

    assert not answers("127.0.0.1", port, Settings(), within=0.2)


def test_a_port_in_use_is_one_sentence():
    with closing(listen("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {port}: .*in use"):
            listen("127.0.0.1", port)


def test_a_host_that_is_none_is_one_sentence():
    with pytest.raises(ConfigError, match="not an address to listen on"):
        listen("300.300.300.300", 0)


def test_a_request_under_way_is_answered_before_the_end(serving):
    server = serving()
    answered = []
    client = threading.Thread(
        target=lambda: answered.append(
            requests.get(f"{server.url}/slow", timeout=PATIENCE).status_code
        )
    )
    client.start()
    assert server.site.slow.wait(PATIENCE)
    server.stop()
    server.site.goes_on.set()
    client.join(PATIENCE)
    server.thread.join(PATIENCE)

    assert answered == [200]
    assert not server.thread.is_alive()
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=PATIENCE)


def test_a_download_under_way_is_finished_before_the_end(serving):
    server = serving()
    with requests.get(f"{server.url}/long", stream=True, timeout=PATIENCE) as answer:
        parts = answer.iter_content(100_000)
        length = len(next(parts))
        server.stop()
        length += sum(len(part) for part in parts)
    server.thread.join(PATIENCE)

    assert length == BIG
    assert not server.thread.is_alive()


def test_idle_connections_do_not_hold_up_the_end(serving):
    server = serving()
    with requests.Session() as session, socket.create_connection(("127.0.0.1", server.port)):
        session.get(server.url, timeout=PATIENCE)
        server.stop()
        server.thread.join(PATIENCE)

        assert not server.thread.is_alive()


def test_slow_senders_hold_up_nobody(serving):
    server = serving()
    server.tuned.channel_timeout = FOR_EVER
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(300)]
    for line in slow:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")

    statuses = [requests.get(server.url, timeout=PATIENCE).status_code for _ in range(8)]

    assert statuses == [200] * 8
    for line in slow:
        line.close()


def test_ten_megabytes_are_read_so_that_the_sender_hears_the_answer(serving):
    assert requests.post(serving().url, data=b"x" * 10_000_000, timeout=PATIENCE).status_code == 200
    answer = requests.post(
        serving().url, data=b"", headers={"Content-Length": str(2**30)}, timeout=PATIENCE
    )
    assert answer.status_code == 413


def test_nobody_says_what_server_it_is(serving):
    assert "Server" not in requests.get(serving().url, timeout=PATIENCE).headers


@pytest.mark.parametrize(("hops", "seen"), [(0, None), (1, "203.0.113.9")])
def test_forwarded_addresses_count_only_behind_a_proxy(serving, hops, seen):
    server = serving(proxy_hops=hops)
    headers = {"X-Forwarded-For": "203.0.113.9"}

    told = requests.get(f"{server.url}/headers", headers=headers, timeout=PATIENCE).json()

    assert told.get("HTTP_X_FORWARDED_FOR") == seen


def test_the_log_has_a_line_a_request_without_tokens_or_queries(serving, caplog):
    server = serving()
    with caplog.at_level(logging.INFO, "regportal.requests"):
        requests.get(f"{server.url}/m/3q2-secret?email=jane@acme.example", timeout=PATIENCE)

    (line,) = [one for one in caplog.records if one.name == "regportal.requests"]
    told = json.loads(Lines().format(line))

    assert (told["says"], told["method"], told["path"]) == ("answered", "GET", "/m/***")
    assert (told["status"], type(told["ms"])) == (200, float)
    assert "jane" not in str(told)


def test_an_error_is_one_line_that_says_where_and_not_what_about():
    with pytest.raises(ValueError, match="jane") as raised:
        int("jane@acme.example")
    record = logging.LogRecord(
        "regportal", logging.ERROR, __file__, 1, "it failed\nbadly", (), (None, raised.value, None)
    )

    line = Lines().format(record)

    assert "\n" not in line
    assert "jane" not in line
    told = json.loads(line)
    assert told["says"] == "it failed\nbadly"
    assert told["error"] == "ValueError"
    assert "test_serving.py" in told["through"]


def test_a_debugger_is_refused(monkeypatch):
    monkeypatch.setenv("FLASK_DEBUG", "1")

    with pytest.raises(ConfigError, match="FLASK_DEBUG"):
        refuse_debugging()
