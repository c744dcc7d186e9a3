"""Ports for servers that are about to start."""

import contextlib
import random
import socket

BELOW = range(20_000, 32_000)
"""
Where no call goes out from on Linux, macOS and Windows.

Whoever calls a port of those again and again, until somebody answers, may reach himself: the
system takes the same port for his end of the line.
"""


def free_port(together: int = 1) -> int:
    """Return a port nobody listens on; the first of so many that follow each other."""
    while True:
        first = random.choice(BELOW)  # noqa: S311 - which one, nobody need guess
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError):
            for port in range(first, first + together):
                probes.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
