"""What browsers tell is taken by one thread, all at once: each call still fares for itself."""

import json
import socket
import threading
from contextlib import ExitStack, closing, contextmanager

import pytest
import sqlalchemy as sa
from waitress.trigger import trigger

from regportal.app.front import Front
from regportal.app.server import Server, listen
from regportal.config import Settings
from regportal.identity.limits import HOUR, LIMITS, Limit
from regportal.tracking.models import Parcel
from tests.app.test_the_collectors_door import event
from tests.patience import FOR_EVER, PATIENCE, until

CALLS = 12


@contextmanager
def served(application, store):
    """Serve an application as ``regportal serve`` does; give the port and the server."""
    with closing(listen("127.0.0.1", 0)) as listening:
        server = Server(application, listening, Settings(), store.gathering)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield listening.getsockname()[1], server
        finally:
            server.stop()
            thread.join(PATIENCE)


@pytest.fixture
def serving(portal):
    with portal.store.read() as session:
        portal.shelf.published(session)
    with served(portal.app.wsgi_app, portal.store) as serving:
        yield serving


@pytest.fixture
def port(serving):
    return serving[0]


def call(body, **more):
    """Return a browser's call as it goes over the wire."""
    headers = {
        "Host": "localhost:8000",
        "Origin": "http://localhost:8000",
        "Content-Type": "text/plain;charset=UTF-8",
        "Content-Length": len(body),
        **more,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /api/v1/interactions HTTP/1.1\r\n{lines}\r\n".encode() + body


def told(*events):
    return json.dumps({"events": events}).encode()


def open_line(port, here="127.0.0.1"):
    line = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE, source_address=(here, 0))
    return closing(line)


def status_of(line):
    answer = line.recv(65536)
    return int(answer[9:12]), answer


def statuses(port, calls, meanwhile=lambda: None):
    """Send calls at once, each on a line of its own; return how each was answered."""
    with ExitStack() as stack:
        lines = [stack.enter_context(open_line(port)) for _ in calls]
        for line, one in zip(lines, calls, strict=True):
            line.sendall(one)
        meanwhile()
        return [status_of(line)[0] for line in lines]


def kept(portal):
    with portal.store.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Parcel))


@contextmanager
def writer_held(portal, serving):
    """Keep the writer busy; give what lets it go on once all calls have come meanwhile."""
    _, server = serving
    held, free = threading.Event(), threading.Event()

    def hold(_session, abouts):
        held.set()
        free.wait(PATIENCE)
        return abouts

    waiting = threading.Thread(target=portal.store.write_together, args=(hold, None))
    waiting.start()
    assert held.wait(PATIENCE)

    def until_all_wait():
        assert until(lambda: sum(bool(one.requests) for one in server._channels()) == CALLS)
        free.set()

    yield until_all_wait
    waiting.join(PATIENCE)


def test_calls_that_come_at_once_share_commits_and_each_is_answered(portal, serving, port):
    commits = []
    sa.event.listen(portal.store._writing, "commit", lambda connection: commits.append(1))
    with writer_held(portal, serving) as until_all_wait:
        answers = statuses(port, [call(told(event())) for _ in range(CALLS)], until_all_wait)

    assert answers == [202] * CALLS
    assert kept(portal) == CALLS
    assert len(commits) < CALLS


def test_one_that_is_odd_does_not_hold_up_the_others(portal, port):
    odd = [
        (call(b"{"), 400),
        (call(told(event()), Origin="https://evil.example"), 403),
        (call(told(event()), Cookie="x" * 9000), 202),
        (call(told({"type": "purchase"})), 202),
        (call(told(event()), **{"Content-Type": "text/html"}), 400),
        (call(b"x" * 70_000), 413),
        (call(told(event()), Authorization="Bearer x"), 401),
    ]
    answers = statuses(port, [one for sent, _ in odd for one in (sent, call(told(event())))])

    assert answers[::2] == [status for _, status in odd]
    assert answers[1::2] == [202] * len(odd)


def test_answers_given_at_once_wake_the_network_once(portal, serving, port, monkeypatch):
    woken = []
    pull = trigger._physical_pull
    monkeypatch.setattr(trigger, "_physical_pull", lambda its: (woken.append(1), pull(its)))
    with writer_held(portal, serving) as until_all_wait:
        answers = statuses(port, [call(told(event())) for _ in range(CALLS)], until_all_wait)

    assert answers == [202] * CALLS
    assert len(woken) < CALLS


def test_a_connection_is_read_again_as_soon_as_it_was_answered(portal, monkeypatch):
    monkeypatch.setattr("regportal.app.server.LOOKS", FOR_EVER)
    with served(portal.app.wsgi_app, portal.store) as (port, _), open_line(port) as line:
        for _ in range(5):
            line.sendall(call(told(event())))

            assert status_of(line)[0] == 202


@contextmanager
def served_slowly(portal):
    """Serve an installation whose Flask answers once it is set free; give port and freedom."""
    free = threading.Event()

    def slow(environ, start_response):
        free.wait(PATIENCE)
        return type(portal.app).wsgi_app(portal.app, environ, start_response)

    with portal.store.read() as session:
        portal.shelf.published(session)
    with served(Front(portal.app, slow), portal.store) as (port, _):
        yield port, free


@pytest.mark.parametrize("odd", ["no JSON", "another kind", "another page"])
def test_nobody_waits_for_somebody_elses_odd_call(portal, odd):
    """What Flask must answer is answered by other threads than what is only to be kept."""
    sent, status = {
        "no JSON": (call(b"{"), 400),
        "another kind": (call(told(event()), **{"Content-Type": "text/html"}), 400),
        "another page": (call(told(event()), Origin="https://evil.example"), 403),
    }[odd]
    with served_slowly(portal) as (port, free), open_line(port) as first:
        first.sendall(sent)
        answers = statuses(port, [call(told(event())) for _ in range(CALLS)])
        free.set()
        late, _ = status_of(first)

    assert answers == [202] * CALLS
    assert late == status


def test_nobody_waits_for_somebody_who_told_too_much(limited, monkeypatch):
    monkeypatch.setitem(LIMITS, "events", Limit(CALLS, HOUR))
    with served_slowly(limited) as (port, free), open_line(port, "127.0.0.9") as first:
        for _ in range(CALLS):
            first.sendall(call(told(event())))

            assert status_of(first)[0] == 202
        first.sendall(call(told(event())))
        answers = statuses(port, [call(told(event())) for _ in range(CALLS)])
        free.set()
        late, _ = status_of(first)

    assert answers == [202] * CALLS
    assert late == 429


def test_who_hangs_up_at_once_was_still_heard(portal, port):
    """A page that is being closed sends, and does not wait."""
    for _ in range(CALLS):
        with open_line(port) as line:
            line.sendall(call(told(event())))

    assert until(lambda: kept(portal) >= CALLS)
    assert kept(portal) == CALLS


def test_an_answer_is_one_piece(portal, port):
    with open_line(port) as line:
        line.sendall(call(told(event())))
        status, answer = status_of(line)

    assert status == 202
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["accepted"] == 1


def test_one_that_breaks_breaks_alone(portal):
    def breaks(environ, start_response):
        if environ.get("HTTP_X_BREAK"):
            raise RuntimeError("broken")
        return portal.app.wsgi_app(environ, start_response)

    with portal.store.read() as session:
        portal.shelf.published(session)
    with served(breaks, portal.store) as (port, _):
        good, bad = (call(told(event()), **more) for more in ({}, {"X-Break": "1"}))
        answers = statuses(port, [good, bad, call(told(event())), call(told(event()))])

    assert answers == [202, 500, 202, 202]


def test_calls_on_one_connection_are_answered_in_order(portal, port):
    with open_line(port) as line:
        line.sendall(call(told(event(), event())) + call(told(event())))
        read = b""
        while read.count(b'"accepted"') < 2:
            read += line.recv(65536)

    assert read.index(b'"accepted":2') < read.index(b'"accepted":1')
