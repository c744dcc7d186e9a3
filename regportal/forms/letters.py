"""The letters about a gate: was this you, and here is your link."""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment
from sqlalchemy.orm import Session

from regportal.config import Settings
from regportal.connectors.base import Change, Outcome, Result
from regportal.consent.schema import Newsletter
from regportal.errors import RefusedError, UnreachableError
from regportal.forms.pages import site_shown
from regportal.forms.schema import Gate
from regportal.identity.actions import add_proof
from regportal.identity.models import Claim, ClaimState
from regportal.identity.rules import LINK
from regportal.identity.tokens import derived_token
from regportal.mail.actions import stamp
from regportal.mail.postman import letter, postman_for
from regportal.store.documents import Published, Shelf, Site, said
from regportal.store.sessions import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A letter that may go now, or why it does not."""

    when: datetime | None
    """When it may go; None: it is not to go at all."""
    claim: Claim | None = None
    token: str = ""


class Post:
    """Delivers the mails the outbox owes; what the request may not know of an address, it does."""

    def __init__(self, settings: Settings, store: Store, shelf: Shelf, pages: Environment) -> None:
        """
        Find the postman; ``pages`` has the templates.

        Raises ConfigError where MAIL_URL names no postman.
        """
        host = urlsplit(settings.base_url).hostname or "localhost"
        self._postman = postman_for(settings.mail_url.get_secret_value(), host)
        self._pages = pages
        self._settings = settings
        self._store = store
        self._shelf = shelf

    def deliver(self, changes: Sequence[Change], *, now: datetime) -> list[Result]:
        """Send each mail and say what became of it."""
        return [self._deliver(change, now=now) for change in changes]

    def _deliver(self, change: Change, *, now: datetime) -> Result:
        """Count a mail against the caps, then hand it over; the same mail has the same link."""
        with self._store.read() as session:
            published = self._shelf.published(session)
        ready = self._store.write(lambda session: self._prepare(session, change, now=now))
        if ready.claim is None:
            if ready.when is None:
                return Result(change.id, Outcome.NOOP, "not sent: answered, or over the limit")
            return Result(change.id, Outcome.LATER, "two minutes between two", ready.when)
        try:
            message = self._compose(published, ready.claim, change.payload, ready.token, now=now)
        except Exception:
            log.exception("a letter cannot be composed")
            return Result(change.id, Outcome.REJECTED, "the letter cannot be composed")
        try:
            self._postman.post(message, change.id, now=now)
        except UnreachableError as error:
            return Result(change.id, Outcome.RETRY, str(error))
        except RefusedError as error:
            return Result(change.id, Outcome.REJECTED, str(error))
        return Result(change.id, Outcome.DONE)

    def _prepare(self, session: Session, change: Change, *, now: datetime) -> _Ready:
        """Decide whether a mail goes, and keep the link it carries."""
        newsletter = change.payload.get("newsletter")
        claim = session.get(Claim, uuid.UUID(change.payload["claim"]))
        waiting = {ClaimState.CONFIRMED} if newsletter else {ClaimState.OPEN, ClaimState.CONFIRMED}
        if claim is None or claim.state not in waiting:
            return _Ready(None)
        when = stamp(
            session,
            claim.match_key,
            "consent" if newsletter else "claim",
            change.id,
            pepper=self._settings.pepper.get_secret_value(),
            limits=self._settings.limits == "on",
            now=now,
        )
        if when != now:
            return _Ready(when)
        token = derived_token(self._settings.keys, "mail", change.id.bytes)
        add_proof(session, claim, change.payload["gate"], token, newsletter, now=now)
        return _Ready(now, claim, token)

    def _compose(
        self,
        published: Published,
        claim: Claim,
        payload: Mapping[str, Any],
        token: str,
        *,
        now: datetime,
    ) -> EmailMessage:
        """Write the mail: nothing in it was typed by whoever claimed the address."""
        site = Site.of(published)
        gate = published.find(Gate, payload["gate"])
        newsletter = published.find(Newsletter, payload.get("newsletter") or "")
        kind = "consent" if payload.get("newsletter") else "claim"
        about = {
            "site": {**site_shown(site), "theme": site.theme},
            "headline": said(gate.headline, claim.locale) if gate else "",
            "newsletter": said(newsletter.title, claim.locale) if newsletter else "",
            "link": f"{self._settings.base_url}/m/{token}",
            "valid_until": f"{now + LINK:%d %B %Y, %H:%M} UTC",
            "mail_delivery": gate is not None and gate.delivery == "mail",
        }
        text, html = (
            self._pages.get_template(f"mail/{kind}.{part}").render(about)
            for part in ("txt", "html")
        )
        asks = "Your link:" if about["mail_delivery"] else "Was this you?"
        subjects = {
            "claim": f"{asks} {about['headline']}",
            "consent": f"Please confirm: {about['newsletter']}",
        }
        return letter(
            sender=self._postman.sender,
            to=claim.email,
            subject=subjects[kind],
            kind=kind,
            text=text,
            html=html,
            now=now,
        )
