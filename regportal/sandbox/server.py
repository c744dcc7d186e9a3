"""The server of a sandbox: it asks the fake, and spoils the answer on the wire."""

import contextlib
import io
import select
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.test import EnvironBuilder, run_wsgi_app

from regportal.errors import ConfigError
from regportal.sandbox.base import Fake
from regportal.sandbox.faults import Pause, Reply, Reset, Step
from regportal.sandbox.luck import GOOD, Luck, Odds
from regportal.sandbox.pages import PREFIX, Board, Seen, create_pages

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"
LARGEST = 64 * 2**20
"""Bytes of a body that are read: more than any CRM takes."""
KEPT = 200
"""Calls that are remembered."""
LINGER = struct.pack("ii", 1, 0)
"""Closed like this, a connection is reset."""


class Sandbox(ThreadingHTTPServer):
    """A fake CRM on this machine, with its page and with bad luck."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, fake: Fake, web: Path, luck: Luck, port: int = 0) -> None:
        """Listen on loopback; ``web`` is where templates and static files are."""
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise ConfigError(f"cannot listen on {HOST} port {port}: {error.strerror}") from error
        self.fake, self.luck, self.lock = fake, luck, threading.Lock()
        self.seen: deque[Seen] = deque(maxlen=KEPT)
        self.count = 0
        """How many calls there were."""
        self.pages = create_pages(Board(fake, luck, self.seen, self.lock), web)

    @property
    def url(self) -> str:
        """Return where the CRM is; its page is below ``/sandbox/``."""
        return f"http://{HOST}:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that broke: that is what they are here for."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Sandbox
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        """Answer one call, well or badly."""
        body = self._body()
        if body is None:
            return
        sandbox, path = self.server, self.path.partition("?")[0]
        if path == "/" or path.startswith(f"{PREFIX}/"):
            play(self.connection, [self._asked(sandbox.pages, body).whole()])
            return
        fault = sandbox.luck.draw()
        reply = Reply(0)
        with sandbox.lock:
            sandbox.count += 1
            if fault is None or fault.applies:
                reply = self._asked(sandbox.fake.app, body)
            name = fault.name if fault else ""
            sandbox.seen.append(
                Seen(datetime.now(UTC), self.command, self.path, reply.status, name)
            )
        if fault is None:
            play(self.connection, [reply.whole()])
            return
        self.close_connection = True
        play(self.connection, fault.spoil(reply.last(), sandbox.url))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815 - http.server's names

    def _body(self) -> bytes | None:
        """Return what was sent; None where it broke off, or says no length or too great a one."""
        text = self.headers.get("Content-Length", "0")
        size = int(text) if text.isascii() and text.isdigit() else None
        if size is None or "Transfer-Encoding" in self.headers:
            refused = HTTPStatus.LENGTH_REQUIRED
        elif size > LARGEST:
            refused = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        else:
            body = self.rfile.read(size)
            self.close_connection = len(body) < size
            return None if self.close_connection else body
        self.close_connection = True
        play(self.connection, [Reply(refused).last().whole()])
        return None

    def _asked(self, app: "WSGIApplication", body: bytes) -> Reply:
        """Ask an application."""
        path, _, query = self.path.partition("?")
        environ = EnvironBuilder(
            path=path,
            query_string=query,
            base_url=self.server.url,
            method=self.command,
            headers=list(self.headers.items()),
            input_stream=io.BytesIO(body),
            content_length=len(body),
        ).get_environ()
        pieces, status, headers = run_wsgi_app(app, environ)
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        kept += [("Date", self.date_time_string())]
        text = b"" if self.command == "HEAD" else b"".join(pieces)
        return Reply(int(status.partition(" ")[0]), tuple(kept), text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Say nothing: the page does."""


@contextlib.contextmanager
def serving(fake: Fake, web: Path, odds: Odds = GOOD, port: int = 0) -> Iterator[Sandbox]:
    """Give a sandbox that answers; raise ConfigError where it cannot listen."""
    with Sandbox(fake, web, Luck(odds), port) as sandbox:
        thread = threading.Thread(target=sandbox.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield sandbox
        finally:
            sandbox.shutdown()
            thread.join()


def play(line: socket.socket, steps: Iterable[Step]) -> bool:
    """Take steps on the wire; return whether the other side stayed to the end."""
    for step in steps:
        match step:
            case bytes():
                line.sendall(step)
            case Pause():
                if _hangs_up(line, step.seconds):
                    return False
            case Reset():
                with socket.socket(fileno=line.detach()) as bare:
                    bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    return True


def _hangs_up(line: socket.socket, within: float) -> bool:
    """Wait, and return whether the other side has hung up meanwhile."""
    readable, _, _ = select.select([line], [], [], within)
    return bool(readable) and not line.recv(1, socket.MSG_PEEK)
