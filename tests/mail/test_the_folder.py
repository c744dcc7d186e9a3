"""Mails as files: whole when they appear, and one a letter."""

import email
import email.policy
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest

from regportal.errors import ConfigError, UnreachableError
from regportal.mail.postman import Folder, Smtp, letter, postman_for
from regportal.store.ids import uuid7
from tests.patience import until

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def write(text="Hello", subject="Was this you?", to="ann@acme.example"):
    return letter(
        sender="no-reply@acme.example",
        to=to,
        subject=subject,
        kind="claim",
        text=text,
        html=f"<p>{text}</p>",
        now=NOON,
    )


def read(file):
    return email.message_from_bytes(file.read_bytes(), policy=email.policy.default)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "mail"


@pytest.fixture
def postman(folder):
    return Folder(folder, "no-reply@acme.example")


def test_a_mail_is_one_file_named_by_its_time_and_id(postman, folder):
    id = uuid7()
    postman.post(write(), id, now=NOON + timedelta(microseconds=5))
    [file] = folder.iterdir()

    assert file.name == f"20260304T120000.000005Z-{id}.eml"
    mail = read(file)
    assert mail["To"] == "ann@acme.example"
    assert mail["X-Regportal-Kind"] == "claim"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == f"<{id}@acme.example>"
    assert mail["Date"].datetime == NOON
    assert mail.get_body(("plain",)).get_content().strip() == "Hello"
    assert mail.get_body(("html",)).get_content().strip() == "<p>Hello</p>"


def test_the_same_letter_again_is_the_same_file(postman, folder):
    id = uuid7()
    for minutes in range(3):
        postman.post(write(), id, now=NOON + timedelta(minutes=minutes))
    postman.post(write(), uuid7(), now=NOON)

    assert len([*folder.iterdir()]) == 2


def test_a_mail_is_whole_when_it_appears(postman, folder):
    whole = "x" * 70 + "\r\n"
    ended, seen = threading.Event(), {}

    def look():
        while not ended.is_set():
            for file in folder.glob("*.eml"):
                seen.setdefault(file.name, len(file.read_bytes()))

    looker = threading.Thread(target=look)
    looker.start()
    for _ in range(60):
        postman.post(write(whole * 500), uuid7(), now=NOON)
    until(lambda: len(seen) == 60)
    ended.set()
    looker.join()

    assert len(seen) == 60
    assert seen == {file.name: file.stat().st_size for file in folder.iterdir()}


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(UnreachableError, match="the mail folder cannot be written"):
        Folder(tmp_path / "file" / "mail", "x@acme.example").post(write(), uuid7(), now=NOON)


@pytest.mark.parametrize(
    "hostile",
    [
        "Prices\nBcc: eve@evil.example",
        "Prices\r\nBcc: eve@evil.example",
        "Prices\rBcc: eve@evil.example",
    ],
)
def test_no_subject_adds_a_header(postman, folder, hostile):
    postman.post(write(subject=hostile), uuid7(), now=NOON)
    [mail] = map(read, folder.iterdir())

    assert "Bcc" not in mail
    assert mail["Subject"].startswith("Prices Bcc: ")


@pytest.mark.parametrize("address", ["=cmd|calc@example.com", "o'brien@example.com"])
def test_odd_addresses_arrive_as_they_are(postman, folder, address):
    postman.post(write(to=address), uuid7(), now=NOON)
    [mail] = map(read, folder.iterdir())

    assert [one.addr_spec for one in mail["To"].addresses] == [address]


def test_other_alphabets_arrive_as_they_are(postman, folder):
    postman.post(write("Grüße, Ελλάδα, 日本", "Für dich: Ελλάδα 日本"), uuid7(), now=NOON)
    [file] = folder.iterdir()

    assert file.read_bytes().isascii()
    assert read(file)["Subject"] == "Für dich: Ελλάδα 日本"
    assert read(file).get_body(("plain",)).get_content().strip() == "Grüße, Ελλάδα, 日本"


@pytest.mark.parametrize(
    ("url", "kind", "sender"),
    [
        ("file:///var/mail%20out", Folder, "no-reply@portal.example"),
        ("file:///var/mail?from=hello@acme.example", Folder, "hello@acme.example"),
        ("smtp://mail.example", Smtp, "no-reply@portal.example"),
        ("smtps://ann:p%40ss@mail.example?from=a@b.example", Smtp, "a@b.example"),
    ],
)
def test_mail_url_names_the_postman_and_the_sender(url, kind, sender):
    postman = postman_for(url, "portal.example")

    assert isinstance(postman, kind)
    assert postman.sender == sender


@pytest.mark.parametrize(
    ("url", "port"),
    [("smtp://m.example", 587), ("smtps://m.example", 465), ("smtp://m.example:25", 25)],
)
def test_mail_url_names_the_port(url, port):
    assert postman_for(url, "portal.example").port == port


@pytest.mark.parametrize("url", ["", "mail.example", "http://mail.example", "smtp://", "file://"])
def test_an_url_that_names_no_postman_is_refused(url):
    says = "REGPORTAL_MAIL_URL must be smtp://…, smtps://… or file:///folder"

    with pytest.raises(ConfigError, match=f"^{re.escape(says)}$"):
        postman_for(url, "portal.example")
