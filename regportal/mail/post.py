"""Sending the letters we owe: each kind says to whom and what, the caps say when."""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

from jinja2 import Environment
from sqlalchemy.orm import Session

from regportal.config import Settings
from regportal.connectors.base import Change, Outcome, Result
from regportal.errors import RefusedError, UnreachableError
from regportal.mail.actions import stamp
from regportal.mail.look import inlined, tidy
from regportal.mail.postman import letter, message_id, postman_for
from regportal.store.documents import Published, Shelf, Site
from regportal.store.sessions import Store
from regportal.store.words import speaking

log = logging.getLogger(__name__)

UNCOUNTED = frozenset({"alert", "invitation"})
"""What somebody is told whatever strangers made us send to his address before."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a letter goes to, and in which language."""

    email: str
    match_key: str
    locale: str


@dataclass(frozen=True, slots=True)
class Owed:
    """One letter the outbox owes, with the documents and keys it is written with."""

    settings: Settings
    published: Published
    id: uuid.UUID
    """The message's id, the same over all attempts: what is derived from it is, too."""
    message_id: str
    """The Message-ID the letter goes out with, to know it again in evidence."""
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a letter says: a template's name, what it is told, and headers of its own."""

    subject: str
    template: str
    """``claim`` is templates/mail/claim.txt and claim.html."""
    about: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


class Kind(Protocol):
    """
    One kind of letter.

    What the request may not know of an address is decided here, in the worker.
    """

    name: ClassVar[str]
    """The kind in ``X-Regportal-Kind``."""

    def recipient(self, session: Session, owed: Owed) -> Recipient | None:
        """Return whom it goes to; None where it is not to go (any more)."""

    def draft(self, session: Session, owed: Owed, recipient: Recipient, *, now: datetime) -> Draft:
        """Return what it says, and keep the links it carries."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A letter that may go now, or why it does not."""

    when: datetime | None
    """When it may go; None: it is not to go at all."""
    recipient: Recipient | None = None
    draft: Draft | None = None


class Post:
    """Delivers the mails the outbox owes; its topics are ``mail.<kind>``."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        shelf: Shelf,
        pages: Environment,
        kinds: Mapping[str, Kind],
    ) -> None:
        """
        Find the postman; ``pages`` has the templates, ``kinds`` who writes which topic.

        Raises ConfigError where MAIL_URL names no postman.
        """
        host = urlsplit(settings.base_url).hostname or "localhost"
        self._postman = postman_for(settings.mail_url.get_secret_value(), host)
        self._pages = pages
        self._settings = settings
        self._store = store
        self._shelf = shelf
        self._kinds = kinds

    def deliver(self, changes: Sequence[Change], *, now: datetime) -> list[Result]:
        """Send each mail and say what became of it."""
        return [self._deliver(change, now=now) for change in changes]

    def _deliver(self, change: Change, *, now: datetime) -> Result:
        """Count a mail against the caps, then hand it over; the same mail has the same link."""
        kind = self._kinds[change.topic]
        with self._store.read() as session:
            published = self._shelf.published(session)
        known_as = message_id(change.id, self._postman.sender)
        owed = Owed(self._settings, published, change.id, known_as, change.payload)
        ready = self._store.write(lambda session: self._prepare(session, kind, owed, now=now))
        if ready.recipient is None or ready.draft is None:
            if ready.when is None:
                return Result(change.id, Outcome.NOOP, "not sent: answered, or over the limit")
            return Result(change.id, Outcome.LATER, "two minutes between two", ready.when)
        try:
            message = self._compose(Site.of(published), kind, ready.recipient, ready.draft, now=now)
            self._postman.post(message, change.id, now=now)
        except UnreachableError as error:
            return Result(change.id, Outcome.RETRY, str(error))
        except RefusedError as error:
            return Result(change.id, Outcome.REJECTED, str(error))
        except Exception:
            log.exception("a letter cannot be composed")
            return Result(change.id, Outcome.REJECTED, "the letter cannot be composed")
        return Result(change.id, Outcome.DONE)

    def _prepare(self, session: Session, kind: Kind, owed: Owed, *, now: datetime) -> _Ready:
        """Decide whether a mail goes, and keep the links it carries."""
        recipient = kind.recipient(session, owed)
        if recipient is None:
            return _Ready(None)
        if kind.name in UNCOUNTED:
            return _Ready(now, recipient, kind.draft(session, owed, recipient, now=now))
        when = stamp(
            session,
            recipient.match_key,
            kind.name,
            owed.id,
            pepper=self._settings.pepper_text,
            limits=self._settings.limits == "on",
            now=now,
        )
        if when != now:
            return _Ready(when)
        return _Ready(now, recipient, kind.draft(session, owed, recipient, now=now))

    def _compose(
        self, site: Site, kind: Kind, recipient: Recipient, draft: Draft, *, now: datetime
    ) -> EmailMessage:
        """Write the mail: nothing in it was typed by whoever claimed the address."""
        about = {
            "site": {**site.shown(recipient.locale), "theme": site.theme},
            **speaking(recipient.locale),
            **draft.about,
        }
        text, html = (
            self._pages.get_template(f"mail/{draft.template}.{part}").render(about)
            for part in ("txt", "html")
        )
        message = letter(
            sender=self._postman.sender,
            to=recipient.email,
            subject=draft.subject,
            kind=kind.name,
            text=tidy(text),
            html=inlined(html),
            now=now,
        )
        for name, value in draft.headers.items():
            message[name] = value
        return message
