"""Handing letters over: to an SMTP server, or into a folder, one file a mail."""

import contextlib
import os
import smtplib
import ssl
import uuid
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, getaddresses
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from email_validator import validate_email

from regportal.errors import ConfigError, RefusedError, UnreachableError

TIMEOUT = 10  # seconds for each step of the conversation
LONGEST_LINE = 900  # characters; RFC 5321 lets servers refuse more than 998
UNWRITABLE = "no letter can be written to this address"
AS_THEY_ARE = frozenset({"list-unsubscribe", "list-unsubscribe-post"})
"""Headers that mail programs read only as they are: an address in them is never encoded."""


class Policy(EmailPolicy):
    """
    How letters are written out: as the standard library does, but for long addresses and subjects.

    It breaks a subject with letters beyond ASCII into encoded words, and loses blanks between them.
    """

    def fold(self, name: str, value: str) -> str:
        """Return a header as lines."""
        return self._otherwise(name, value) or str(super().fold(name, value))

    def fold_binary(self, name: str, value: str) -> bytes:
        """Return a header as the lines that are sent."""
        lines = self._otherwise(name, value)
        return lines.encode("ascii") if lines else super().fold_binary(name, value)

    def _otherwise(self, name: str, value: str) -> str | None:
        """Return the lines of a header that the library would not write as it must be."""
        if name.lower() in AS_THEY_ARE:
            return f"{name}: {value}{self.linesep}"
        if name.lower() == "subject" and not value.isascii():
            words = Header(str(value), "utf-8", header_name=name).encode(linesep=self.linesep)
            return f"{name}: {words}{self.linesep}"
        return None


POLICY = Policy(linesep="\r\n")


class Postman(Protocol):
    """Whoever takes our letters."""

    sender: str

    def post(self, letter: EmailMessage, letter_id: uuid.UUID, *, now: datetime) -> None:
        """Hand a letter over; raise UnreachableError (again) or RefusedError (never)."""


def postman_for(url: str, host: str) -> Postman:
    """
    Return the postman a MAIL_URL names; ``host`` names the sender where the URL does not.

    Raises ConfigError for an URL that names none.
    """
    parts = urlsplit(url)
    sender = (parse_qs(parts.query).get("from") or [f"no-reply@{host}"])[0]
    if parts.scheme == "file" and parts.path:
        return Folder(Path(unquote(parts.path)), sender)
    if parts.scheme in {"smtp", "smtps"} and parts.hostname:
        return Smtp(
            parts.hostname,
            parts.port or (465 if parts.scheme == "smtps" else 587),
            sender,
            tls=parts.scheme == "smtps",
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )
    raise ConfigError("REGPORTAL_MAIL_URL must be smtp://…, smtps://… or file:///folder")


def letter(
    *, sender: str, to: str, subject: str, kind: str, text: str, html: str, now: datetime
) -> EmailMessage:
    """
    Compose a letter with a text and an HTML part, to this one address and no other.

    Raises RefusedError where the address cannot be written into a letter as it is.
    """
    message = EmailMessage(policy=POLICY)
    message["From"] = sender
    try:
        message["To"] = recipient = _in_ascii(to)
    except ValueError as error:  # it would break out of its line
        raise RefusedError(UNWRITABLE) from error
    if getaddresses([str(message["To"])]) != [("", recipient)]:
        raise RefusedError(UNWRITABLE)
    message["Subject"] = _on_one_line(subject)
    message["Date"] = format_datetime(now)
    message["X-Regportal-Kind"] = kind
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text, cte=_encoding(text))
    message.add_alternative(html, subtype="html", cte=_encoding(html))
    return message


def _on_one_line(subject: str) -> str:
    r"""
    Return a subject that stays one header, whatever it is made of.

    What looks like an encoded word (RFC 2047) would be decoded when it is written, with the line
    break that may be in it:

    >>> _on_one_line("Prices\n=?utf-8?q?=0D=0ABcc:_eve=40evil.example?=")
    'Prices = ?utf-8?q?=0D=0ABcc:_eve=40evil.example?='
    """
    return " ".join(subject.split()).replace("=?", "= ?")


def _encoding(text: str) -> Literal["7bit", "quoted-printable"]:
    """Return how a text goes through servers that know ASCII only; a link stays on its line."""
    short = all(len(line) <= LONGEST_LINE for line in text.splitlines())
    return "7bit" if text.isascii() and short else "quoted-printable"


def _in_ascii(address: str) -> str:
    """
    Return an address as every mail server understands it: the domain as DNS knows it.

    Raises ValueError where it is none.

    >>> _in_ascii("ann@bücher.example")
    'ann@xn--bcher-kva.example'
    """
    found = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    return f"{found.local_part}@{found.ascii_domain}"


class Folder:
    """A folder in which each mail is one RFC 5322 file, complete when it appears."""

    def __init__(self, folder: Path, sender: str) -> None:
        """Keep the folder; it is made with the first letter."""
        self.folder = folder
        self.sender = sender

    def post(self, letter: EmailMessage, letter_id: uuid.UUID, *, now: datetime) -> None:
        """Write the letter as ``<UTC>-<id>.eml``; the same letter again is the same file."""
        letter["Message-ID"] = message_id(letter_id, self.sender)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if any(self.folder.glob(f"*-{letter_id}.eml")):
                return
            name = f"{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{letter_id}.eml"
            unfinished = self.folder / f".{letter_id}.{os.getpid()}.tmp"
            unfinished.write_bytes(letter.as_bytes())
            unfinished.replace(self.folder / name)
        except OSError as error:
            raise UnreachableError(f"the mail folder cannot be written: {error}") from error


class Smtp:
    """An SMTP server; STARTTLS is used wherever it is offered."""

    def __init__(
        self, host: str, port: int, sender: str, *, tls: bool, user: str, password: str
    ) -> None:
        """Keep the address; a connection is made for each letter."""
        self.host = host
        self.port = port
        self.sender = sender
        self._tls = tls
        self._user = user
        self._password = password

    def post(self, letter: EmailMessage, letter_id: uuid.UUID, *, now: datetime) -> None:
        """Hand the letter to the server."""
        del now
        letter["Message-ID"] = message_id(letter_id, self.sender)
        try:
            with self._connect() as server:
                server.send_message(letter)
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            self._tell(code, "refused the recipient", error)
        except smtplib.SMTPResponseException as error:
            self._tell(error.smtp_code, "refused the mail", error)
        except (OSError, smtplib.SMTPException) as error:
            says = f"the mail server {self.host} cannot be reached"
            raise UnreachableError(says) from error

    def _connect(self) -> smtplib.SMTP:
        """Open a connection, encrypted and signed in as far as the account asks."""
        with contextlib.ExitStack() as undo:
            server = self._dial()
            undo.callback(server.close)  # unless all of it succeeds
            server.ehlo()
            if not self._tls and server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
            if self._user:
                server.login(self._user, self._password)
            undo.pop_all()
        return server

    def _dial(self) -> smtplib.SMTP:
        """Open a bare connection."""
        if self._tls:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=TIMEOUT)

    def _tell(self, code: int, what: str, error: Exception) -> None:
        """Say again (4xx) or never (5xx)."""
        says = f"the mail server {self.host} {what} ({code})"
        raise (RefusedError(says) if code >= 500 else UnreachableError(says)) from error  # noqa: PLR2004 - SMTP's own


def message_id(letter_id: uuid.UUID, sender: str) -> str:
    """Return the Message-ID: the same for the same letter, however often it is handed over."""
    return f"<{letter_id}@{sender.rpartition('@')[2]}>"
