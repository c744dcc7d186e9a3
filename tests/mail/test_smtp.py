"""Handing letters to a mail server: taken, again later, or never."""

import contextlib
import email
import email.policy
import socket
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from regportal.errors import RefusedError, UnreachableError
from regportal.mail import postman as mail
from regportal.mail.postman import Smtp, letter
from regportal.store.ids import uuid7
from tests.patience import PATIENCE

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Stern:
    """A mail server that knows nobody, and waits for whoever it refused to hang up."""

    def __init__(self, listening):
        self.listening = listening
        self.hung_up = threading.Event()
        self.thread = threading.Thread(target=self._talk)
        self.thread.start()

    def _talk(self):
        connection, _ = self.listening.accept()
        connection.settimeout(PATIENCE)
        with connection, connection.makefile("rwb", buffering=0) as talk:
            talk.write(b"220 hello\r\n")
            with contextlib.suppress(OSError):
                for line in talk:
                    says = {b"EHLO": b"250-hello\r\n250 AUTH PLAIN", b"AUTH": b"535 no"}
                    talk.write(says.get(line[:4].upper(), b"250 OK") + b"\r\n")
                self.hung_up.set()


class Server:
    """A mail server that takes everything, but for what it is told to answer."""

    def __init__(self):
        self.mails, self.asked, self.says = [], [], {}

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        self.asked.append(address)
        if "RCPT" in self.says:
            return self.says["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        if "MAIL" in self.says:
            return self.says["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        if "DATA" in self.says:
            return self.says["DATA"]
        self.mails.append(envelope)
        return "250 OK"


@contextmanager
def serving(**options):
    """Take mail on a free port of this machine."""
    server = Server()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    controller = Controller(server, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield server, port
    finally:
        controller.stop()


@pytest.fixture
def server():
    with serving() as (server, port):
        server.port = port
        yield server


def post(port, id=None, *, tls=False, user="", password="", to="ann@acme.example"):
    """Hand a letter to the server on this port."""
    sender = "no-reply@acme.example"
    postman = Smtp("127.0.0.1", port, sender, tls=tls, user=user, password=password)
    message = letter(
        sender=sender,
        to=to,
        subject="Grüße",
        kind="claim",
        text="Hello",
        html="<p>Hello</p>",
        now=NOON,
    )
    postman.post(message, id or uuid7(), now=NOON)


def test_a_letter_arrives_whole(server):
    id = uuid7()
    post(server.port, id)
    [envelope] = server.mails
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)

    assert (envelope.mail_from, envelope.rcpt_tos) == (
        "no-reply@acme.example",
        ["ann@acme.example"],
    )
    assert message["Message-ID"] == f"<{id}@acme.example>"
    assert message["Subject"] == "Grüße"
    assert message.get_body(("plain",)).get_content().strip() == "Hello"


def test_the_same_letter_again_is_known_by_its_message_id(server):
    id = uuid7()
    post(server.port, id)
    post(server.port, id)
    ids = {
        email.message_from_bytes(one.content, policy=email.policy.default)["Message-ID"]
        for one in server.mails
    }

    assert len(server.mails) == 2
    assert len(ids) == 1


@pytest.mark.parametrize("address", ["o'brien@acme.example", "=cmd|calc@acme.example"])
def test_odd_addresses_are_asked_for_as_they_are(server, address):
    post(server.port, to=address)

    assert server.asked == [address]


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("code", [421, 450, 451, 452])
def test_again_is_again(server, step, code):
    server.says[step] = f"{code} try later"

    with pytest.raises(UnreachableError) as trouble:
        post(server.port)
    assert str(code) in str(trouble.value)
    assert server.mails == []


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("code", [550, 552, 553, 554])
def test_never_is_never(server, step, code):
    server.says[step] = f"{code} no"

    with pytest.raises(RefusedError, match=f"the mail server 127.0.0.1 refused the .*{code}"):
        post(server.port)


def test_a_server_that_is_not_there_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    with pytest.raises(UnreachableError, match=r"the mail server 127\.0\.0\.1 cannot be reached"):
        post(port)


def test_a_server_that_says_nothing_is_tried_again(monkeypatch):
    monkeypatch.setattr(mail, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(UnreachableError):
        post(mute.getsockname()[1])


def test_a_server_that_hangs_up_is_tried_again(server):
    server.says["DATA"] = "421 bye"

    with pytest.raises(UnreachableError):
        post(server.port)
    server.says.clear()
    post(server.port)
    assert len(server.mails) == 1


def test_where_encryption_is_offered_nothing_goes_without_it():
    broken = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # has no certificate to show
    with serving(tls_context=broken) as (server, port), pytest.raises(UnreachableError):
        post(port)

    assert server.asked == []


def test_where_encryption_is_asked_for_nothing_goes_without_it(server, monkeypatch):
    monkeypatch.setattr(mail, "TIMEOUT", 1)
    with pytest.raises(UnreachableError):
        post(server.port, tls=True)

    assert server.asked == []


def test_whoever_is_not_let_in_hangs_up():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Stern(listening)
        with pytest.raises(RefusedError, match="535") as trouble:
            post(listening.getsockname()[1], user="ann", password="wrong")
        hung_up = server.hung_up.wait(PATIENCE / 2)

        assert hung_up, trouble.value
        server.thread.join()


def test_a_server_that_knows_us_is_told_who_we_are():
    given = []

    def check(server, session, envelope, mechanism, login):
        given.append((login.login, login.password))
        return AuthResult(success=login.password == b"right", handled=False)

    options = {"authenticator": check, "auth_require_tls": False}
    with serving(**options) as (server, port):
        post(port, user="ann", password="right")
        with pytest.raises(RefusedError, match="535") as trouble:
            post(port, user="ann", password="wrong")

    assert given[0] == (b"ann", b"right")
    assert len(server.mails) == 1
    assert "wrong" not in str(trouble.value)
