"""
A proxy for browsers that cannot be told names: some are this machine, no other host is there.

``elsewhere`` says at which port of this machine somebody else's host is to be found; ``line`` is
what lies between the browser and everything, frames of other sites too.

Not only ``*.test`` as elsewhere: for WebKitGTK a site is what the list of public suffixes says, and
where that knows no ``test``, ``go.acme.test`` is a stranger to ``www.acme.test``.
"""

import contextlib
import math
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from queue import SimpleQueue
from socket import SHUT_WR, create_connection, socket

PIECE = 4096
NAMED = 3
OURS = (".example.com", ".example.net", ".test")
TAKEN, REFUSED = b"\5\0\0\1" + bytes(6), b"\5\2\0\1" + bytes(6)


class Line:
    """A line that all connections share."""

    def __init__(self, there_and_back: float = 0.0, rate: float = math.inf) -> None:
        """Take the seconds from a question to its answer, and the bytes a second each way."""
        self.there_and_back = there_and_back
        self.up, self.down = _Way(there_and_back / 2, rate), _Way(there_and_back / 2, rate)


class _Way:
    """One direction of it."""

    def __init__(self, delay: float, rate: float) -> None:
        self._delay, self._rate = delay, rate
        self._free, self._turn = 0.0, threading.Lock()

    def arrival(self, size: int) -> float:
        """Return when so many bytes that set out now are there."""
        with self._turn:
            self._free = max(self._free, time.monotonic()) + size / self._rate
            return self._free + self._delay


AT_ONCE = Line()
SLOW_3G = Line(there_and_back=0.4, rate=50e3)
"""As WebPageTest has it: 400 kbit/s."""


class _Passing(socketserver.StreamRequestHandler):
    """One connection of a browser (SOCKS 5, RFC 1928)."""

    def handle(self) -> None:
        """Pass a connection on where its name is one of ours."""
        _, methods = self.rfile.read(2)
        self.rfile.read(methods)
        self.wfile.write(b"\5\0")
        *_, kind = self.rfile.read(4)
        called = self.rfile.read(self.rfile.read(1)[0]) if kind == NAMED else self.rfile.read(4)
        name = called.decode(errors="replace")
        port = int.from_bytes(self.rfile.read(2), "big")
        if name in self.server.elsewhere:
            port = self.server.elsewhere[name]
        elif not name.endswith(OURS):
            self.wfile.write(REFUSED)
            return
        with contextlib.suppress(OSError), create_connection(("127.0.0.1", port)) as there:
            line = self.server.line
            time.sleep(line.there_and_back)
            self.wfile.write(TAKEN)
            back = threading.Thread(target=_pour, args=(there, self.connection, line.down))
            back.start()
            _pour(self.connection, there, line.up)
            back.join()


def _pour(source: socket, target: socket, way: _Way) -> None:
    """Bring what comes from one to the other, when it is there."""
    under_way: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
    arriving = threading.Thread(target=_arrive, args=(under_way, target))
    arriving.start()
    with contextlib.suppress(OSError):
        while some := source.recv(PIECE):
            under_way.put((way.arrival(len(some)), some))
    under_way.put((way.arrival(0), b""))
    arriving.join()


def _arrive(under_way: "SimpleQueue[tuple[float, bytes]]", target: socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            at, some = under_way.get()
            time.sleep(max(0.0, at - time.monotonic()))
            if not some:
                target.shutdown(SHUT_WR)
                return
            target.sendall(some)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    elsewhere: Mapping[str, int]
    line: Line


@contextlib.contextmanager
def only_this_machine(
    elsewhere: Mapping[str, int] | None = None, line: Line = AT_ONCE
) -> Iterator[str]:
    """Give the address of the proxy, as ``host:port``."""
    with _Server(("127.0.0.1", 0), _Passing) as server:
        server.elsewhere, server.line = elsewhere or {}, line
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def known(text: str) -> str:
    """Return a text with names that browsers know the ends of."""
    return text.replace("acme.test", "example.com").replace("vendor.test", "example.net")
