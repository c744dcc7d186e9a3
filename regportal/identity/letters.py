"""The letter that tells somebody of an alarm about a browser of theirs."""

import uuid
from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.contact_tokens import PREFERENCES, contact_token
from regportal.identity.models import Claim, ClaimState, Contact
from regportal.mail.post import Draft, Kind, Owed, Recipient
from regportal.store.documents import Site
from regportal.store.words import N_, translated


def preferences_url(
    session: Session, owed: Owed, recipient: Recipient, *, now: datetime
) -> str | None:
    """Return where the reader of a letter chooses what he gets; None for whom nothing is kept."""
    known = sa.select(Contact.id).where(Contact.match_key == recipient.match_key)
    contact_id = session.scalar(known)
    if contact_id is None:
        return None
    token = contact_token(session, owed.settings.keys, contact_id, PREFERENCES, now=now)
    return f"{owed.settings.base_url}/p/{token}"


def reader(session: Session, email: str, match_key: str, locale: str) -> Recipient:
    """Return whom a letter goes to: in the language he chose, else in that of the page."""
    chosen = sa.select(Contact.language).where(Contact.match_key == match_key)
    return Recipient(email, match_key, session.scalar(chosen) or locale)


class AlertLetter:
    """An old token was used: we signed this browser out. Its link opens the own page only."""

    name: ClassVar[str] = "alert"

    def recipient(self, session: Session, owed: Owed) -> Recipient | None:
        """Return the owner of the address that was proven in that browser."""
        claim = session.get(Claim, uuid.UUID(owed.payload["claim"]))
        if claim is None or claim.state != ClaimState.CONFIRMED:
            return None
        return reader(session, claim.email, claim.match_key, claim.locale)

    def draft(self, session: Session, owed: Owed, recipient: Recipient, *, now: datetime) -> Draft:
        """Return the letter; it carries nothing that proves anything."""
        site = Site.of(owed.published).shown(recipient.locale)
        says = translated(N_("We signed one of your browsers out of %(name)s"), recipient.locale)
        about = {
            "link": f"{owed.settings.base_url}/me",
            "preferences_url": preferences_url(session, owed, recipient, now=now),
        }
        return Draft(says % {"name": site["name"]}, self.name, about)


LETTERS: dict[str, Kind] = {"mail.alert": AlertLetter()}
"""Who writes which topic of the outbox."""
