"""A receiver on this machine, which verifies what it gets with an independent library."""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook

from regportal.sandbox.faults import MENU, Pause, Reply
from regportal.sandbox.server import play
from tests.patience import PATIENCE

SOON = 0.05  # seconds
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Call:
    """One call as it came."""

    path: str
    headers: dict
    body: bytes
    peer: tuple

    @property
    def message(self):
        return json.loads(self.body)


@dataclass
class Receiver:
    """What a receiver got, and what it answers: a status, headers, a body; or a behaviour."""

    url: str = ""
    port: int = 0
    calls: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    forged: list = field(default_factory=list)
    opened: int = 0
    outlasted: int = 0
    """How many waited longer for an answer than anybody may."""

    def take(self, call):
        self.calls.append(call)
        try:
            Webhook(SECRET).verify(call.body, call.headers)
        except Exception as error:  # noqa: BLE001 - whatever the library raises is a fault of ours
            self.forged.append(error)
        return self.answers.pop(0) if self.answers else 204


@contextmanager
def receiving(host="127.0.0.1", answers=()):
    """Receive on a free port of a loopback address."""
    receiver = Receiver(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            receiver.opened += 1
            self.receiver = receiver
            super().setup()

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = receiver.take(Call(self.path, dict(self.headers), body, self.client_address))
            if callable(answer):
                self.close_connection = True
                is_over = play(self.connection, answer())
                receiver.outlasted += is_over and answer in WAITING
                return
            status, headers, text = answer if isinstance(answer, tuple) else (answer, {}, b"")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass  # a client that hung up is what some of these tests are about

    with Server((host, 0), Handler) as server:
        receiver.port = server.server_address[1]
        receiver.url = f"http://{host}:{receiver.port}/in"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def silent():
    """Answer nothing for longer than anybody waits."""
    yield Pause(PATIENCE)


def hang_up():
    """Take the call and hang up without a word."""
    yield from ()


def slow_status():
    """Answer with a status line of one byte every now and then."""
    yield b"HTTP/1.1 200 "
    yield from _dripping()


def slow_head():
    """Answer 200 with headers of one byte every now and then."""
    yield b"HTTP/1.1 200 OK\r\nX-Slow: "
    yield from _dripping()


def slow_body():
    """Answer 200 with a body of one byte every now and then."""
    yield Reply(200).last().head()
    yield from _dripping()


def spoiled(name):
    """Return an answer of 200, spoiled as the menu of the sandboxes says."""
    return lambda: MENU[name].spoil(Reply(200, body=b"{}").last(), "")


def _dripping():
    for _ in range(int(PATIENCE / SOON)):
        yield b"x"
        yield Pause(SOON)


WAITING = (silent, slow_status, slow_head, slow_body)
"""Whoever hears these out has waited longer than anybody may."""
