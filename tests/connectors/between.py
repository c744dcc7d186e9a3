"""A line between a connector and a CRM, on which things go wrong when a test wants it."""

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PATIENCE = 30
HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}
Says = Callable[[str, str, bytes], bool]
"""Says of a call, by its method, path and body, whether it is one of a kind."""
Refusal = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body with which a CRM refuses."""


class Line(ThreadingHTTPServer):
    """
    Hands every call on to a server, and its answer back.

    ``writes(method, path, body)`` says which calls change something there, ``reads`` which of the
    others read records: all, where it is not given.
    """

    daemon_threads = True

    def __init__(self, server: str, writes: Says, reads: Says = lambda *_: True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.to, self.writes, self.reads = urlsplit(server), writes, reads
        self.refusals: list[Refusal] = []
        self.seen: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.lost, self.count = 0, 0
        self.ahead = timedelta()
        """By how much later it is than the answers of the server say."""
        self.meanwhile: Callable[[], None] | None = None
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Return where to call instead of the server."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that we broke is no news."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of the connector."""

    server: Line
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two packets; the second would wait 40 ms

    def _hand_on(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        line = self.server
        with line.lock:
            line.count += 1
            line.seen.append((self.command, self.path, dict(self.headers), body))
            refusal = line.refusals.pop(0) if line.refusals else None
        if refusal is not None:
            self._answer(*refusal)
            return
        is_write = line.writes(self.command, self.path, body)
        is_read = not is_write and line.reads(self.command, self.path, body)
        status, headers, answer = self._asked(body)
        with line.lock:
            is_lost = is_write and line.lost > 0
            line.lost -= is_lost
            meanwhile = line.meanwhile if is_read else None
            line.meanwhile = None if is_read else line.meanwhile
        if meanwhile is not None:
            meanwhile()
        if is_lost:
            self.close_connection = True
            self.connection.close()
            return
        self._answer(status, headers, answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _hand_on  # noqa: N815 - http.server's names

    def _asked(self, body: bytes) -> Refusal:
        """Ask the server."""
        there = http.client.HTTPConnection(
            self.server.to.hostname or "", self.server.to.port, timeout=PATIENCE
        )
        kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        with contextlib.closing(there):
            there.request(self.command, self.path, body or None, kept)
            answer = there.getresponse()
            given = {name: value for name, value in answer.getheaders() if name.lower() not in HOP}
            if "Date" in given:
                at = parsedate_to_datetime(given["Date"]) + self.server.ahead
                given["Date"] = format_datetime(at, usegmt=True)
            return answer.status, given, answer.read()

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Answer the connector."""
        self.send_response_only(status)  # the other headers are the server's
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


@contextlib.contextmanager
def between(server: str, writes: Says, reads: Says = lambda *_: True) -> Iterator[Line]:
    """Give a line to a server on loopback."""
    line = Line(server, writes, reads)
    thread = threading.Thread(target=line.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield line
    finally:
        line.shutdown()
        line.server_close()
        thread.join()
