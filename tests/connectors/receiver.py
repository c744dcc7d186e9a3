"""A receiver on this machine, which verifies what it gets with an independent library."""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook

from tests.patience import PATIENCE, until

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
                answer(self)
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


def endless(handler):
    """Answer 200 with a body that never ends."""
    _begin(handler, "200 OK")
    while True:
        handler.wfile.write(b"x" * 65536)


def slow_body(handler):
    """Answer 200 with a body of one byte every now and then."""
    _begin(handler, "200 OK")
    _drip(handler)


def slow_status(handler):
    """Answer with a status line of one byte every now and then."""
    handler.wfile.write(b"HTTP/1.1 200 ")
    _drip(handler)


def slow_head(handler):
    """Answer 200 with headers of one byte every now and then."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(handler)


def silent(handler):
    """Answer nothing for longer than anybody waits."""
    handler.connection.settimeout(PATIENCE)
    try:
        handler.rfile.read(1)
    except TimeoutError:
        handler.receiver.outlasted += 1


def hang_up(handler):
    """Take the call and hang up without a word."""


def garbage(handler):
    """Answer something that is not HTTP."""
    handler.wfile.write(b"\x00\xff nonsense\r\n\r\n")


def truncated(handler):
    """Answer 200 and break off in the middle of a chunk."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc")


def _begin(handler, status):
    handler.wfile.write(f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n".encode())


def _drip(handler):
    until(lambda: handler.connection.sendall(b"x"))
    handler.receiver.outlasted += 1
