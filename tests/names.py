"""
A proxy for browsers that cannot be told names: some are this machine, no other host is there.

``elsewhere`` says at which port of this machine somebody else's host is to be found.

Not ``*.test`` as elsewhere: for WebKitGTK a site is what the list of public suffixes says, and
where that knows no ``test``, ``go.acme.test`` is a stranger to ``www.acme.test``.
"""

import contextlib
import socketserver
import threading
from collections.abc import Iterator, Mapping
from socket import SHUT_WR, create_connection, socket

LINE = 65536
NAMED = 3
OURS = (".example.com", ".example.net")
TAKEN, REFUSED = b"\5\0\0\1" + bytes(6), b"\5\2\0\1" + bytes(6)


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
            self.wfile.write(TAKEN)
            back = threading.Thread(target=_pour, args=(there, self.connection))
            back.start()
            _pour(self.connection, there)
            back.join()


def _pour(source: socket, target: socket) -> None:
    with contextlib.suppress(OSError):
        while some := source.recv(LINE):
            target.sendall(some)
    with contextlib.suppress(OSError):
        target.shutdown(SHUT_WR)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    elsewhere: Mapping[str, int]


@contextlib.contextmanager
def only_this_machine(elsewhere: Mapping[str, int] | None = None) -> Iterator[str]:
    """Give the address of the proxy, as ``host:port``."""
    with _Server(("127.0.0.1", 0), _Passing) as server:
        server.elsewhere = elsewhere or {}
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
