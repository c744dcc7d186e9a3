"""A mail server for tests: it keeps what it is given."""

from contextlib import contextmanager

from aiosmtpd.controller import Controller

from tools.ports import free_port


class Box:
    """A mail server that keeps the bytes it was given."""

    def __init__(self):
        self.envelopes = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        self.envelopes.append(envelope)
        return "250 OK"


@contextmanager
def mail_server():
    """Take mail on a free port; lines longer than RFC 5321 allows are refused."""
    box = Box()
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()
