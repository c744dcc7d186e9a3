"""
The load: a small process of its own that sends prepared requests and times the answers.

Reads one JSON object from standard input and prints one. It knows nothing of what it asks, so
that every contestant is asked by the same code.
"""

import base64
import json
import socket
import sys
import threading
import time
import zlib
from dataclasses import dataclass, field
from typing import Any

PIECE = 1 << 18


@dataclass(slots=True)
class Run:
    """What is sent, and what came back, by the place of the request in the list."""

    address: tuple[str, int]
    requests: list[bytes]
    rate: float | None
    """Requests a second that arrive whether or not the last one was answered; None: as fast
    as the answers come."""
    keep: bool
    next: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)
    answers: dict[int, tuple[int, float, int, int, str]] = field(default_factory=dict)
    began: float = 0.0

    def take(self) -> int | None:
        """Return the place of the next request to send."""
        with self.guard:
            if self.next == len(self.requests):
                return None
            self.next += 1
            return self.next - 1


class Line:
    """One keep-alive connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        """Take where to; connects with the first request."""
        self._address = address
        self._socket: socket.socket | None = None

    def ask(self, request: bytes) -> tuple[int, bytes, bytes]:
        """Send a request and return status, head and body of the answer."""
        line = self._socket or socket.create_connection(self._address, timeout=60)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = line
        line.sendall(request)
        head, _, rest = self._head(line)
        length = _length(head)
        parts = [rest]
        left = length - len(rest)
        while left > 0:
            part = line.recv(min(PIECE, left))
            if not part:
                raise OSError("the answer broke off")
            parts.append(part)
            left -= len(part)
        if b"connection: close" in head.lower():
            line.close()
            self._socket = None
        return int(head[9:12]), head, b"".join(parts)

    def _head(self, line: socket.socket) -> tuple[bytes, bytes, bytes]:
        """Read as far as the empty line."""
        read = b""
        while b"\r\n\r\n" not in read:
            part = line.recv(PIECE)
            if not part:
                raise OSError("no answer")
            read += part
        return read.partition(b"\r\n\r\n")


def _length(head: bytes) -> int:
    """Return the length the head promises."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def client(run: Run) -> None:
    """Send requests until none is left."""
    line = Line(run.address)
    while (place := run.take()) is not None:
        due = time.perf_counter()
        if run.rate:
            due = run.began + place / run.rate
            time.sleep(max(0.0, due - time.perf_counter()))
        try:
            status, head, body = line.ask(run.requests[place])
        except OSError:
            line = Line(run.address)
            status, head, body = 0, b"", b""
        took = time.perf_counter() - due
        kept = (head + b"\r\n\r\n" + body).decode("utf-8", "replace") if run.keep else ""
        run.answers[place] = (status, took, len(body), zlib.crc32(body), kept)


def main() -> None:
    """Do what standard input says."""
    asked: dict[str, Any] = json.load(sys.stdin)
    requests = [base64.b64decode(one) for one in asked["requests"]]
    run = Run(("127.0.0.1", asked["port"]), requests, asked.get("rate"), asked["keep"])
    threads = [
        threading.Thread(target=client, args=(run,)) for _ in range(asked.get("clients", 16))
    ]
    run.began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - run.began
    answers = [run.answers[place] for place in range(len(requests))]
    json.dump({"seconds": seconds, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
