"""
A proxy for browsers that cannot be told names: some are this machine, no other host is there.

Not ``*.test`` as elsewhere: for WebKitGTK a site is what the list of public suffixes says, and
where that knows no ``test``, ``go.acme.test`` is a stranger to ``www.acme.test``.
"""

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from socket import SHUT_WR, create_connection, socket

LINE = 65536
NAMED = 3
TAKEN, REFUSED = b"\5\0\0\1" + bytes(6), b"\5\2\0\1" + bytes(6)


class _Passing(socketserver.StreamRequestHandler):
    """One connection of a browser (SOCKS 5, RFC 1928)."""

    def handle(self) -> None:
        """Pass a connection on where its name is one of ours."""
        _, methods = self.rfile.read(2)
        self.rfile.read(methods)
        self.wfile.write(b"\5\0")
        *_, kind = self.rfile.read(4)
        name = self.rfile.read(self.rfile.read(1)[0]) if kind == NAMED else self.rfile.read(4)
        port = int.from_bytes(self.rfile.read(2), "big")
        if not name.endswith((b".example.com", b".example.net")):
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


@contextlib.contextmanager
def only_this_machine() -> Iterator[str]:
    """Give the address of the proxy, as ``host:port``."""
    with _Server(("127.0.0.1", 0), _Passing) as server:
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
