"""The letters about one's own page: here is your link, is this your new address, it has moved."""

import uuid
from datetime import datetime, timedelta
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.consent.suppression import has_bounced, is_left_alone
from regportal.identity.contact_tokens import PREFERENCES, contact_token
from regportal.identity.letters import reader
from regportal.identity.models import Claim, Contact
from regportal.mail.post import Draft, Kind, Owed, Recipient
from regportal.privacy.models import OwnLink
from regportal.privacy.proving import code_of
from regportal.privacy.rules import LINK_LIFE
from regportal.store.documents import Site
from regportal.store.tokens import derived_token, hash_of
from regportal.store.words import N_, moment_shown, translated

MINUTE = timedelta(minutes=1)


class OwnPageLetter:
    """Somebody asked to see what we keep under this address. It carries what proves it."""

    name: ClassVar[str] = "me"
    subject: ClassVar[str] = N_("Your data at %(site)s")

    def recipient(self, session: Session, owed: Owed) -> Recipient | None:
        """
        Return the address, where anything is kept under it; else forget that it was typed.

        The row stays as long as others do: a wrong code is counted there like anywhere.
        """
        link = session.get(OwnLink, uuid.UUID(owed.payload["link"]))
        if link is None:
            return None
        alone = self._is_left_alone(session, link, owed.settings.pepper_text)
        if alone or not self._goes(session, link):
            link.email = link.match_key = ""
            return None
        return reader(session, link.email, link.match_key, link.locale)

    def draft(self, session: Session, owed: Owed, recipient: Recipient, *, now: datetime) -> Draft:
        """Return the letter, and keep the hash of its link: the same letter has the same one."""
        link = session.get_one(OwnLink, uuid.UUID(owed.payload["link"]))
        token = derived_token(owed.settings.keys, "own page", owed.id.bytes)
        link.hash = hash_of(token)
        minutes = round((link.code_until - now) / MINUTE) if link.code_until else 0
        code = code_of(link, owed.settings.keys) if minutes > 0 else None
        if link.used_at is None:
            link.expires_at = now + LINK_LIFE
        about = {
            "link": f"{owed.settings.base_url}/me/{token}",
            "code": code,
            "code_minutes": minutes,
            "valid_until": moment_shown(now + LINK_LIFE, recipient.locale),
        }
        return Draft(self._says(owed, recipient), self.name, about)

    def _is_left_alone(self, session: Session, link: OwnLink, pepper: str) -> bool:
        """Return whether no mail arrives there; who complained still gets to his own page."""
        return has_bounced(session, link.match_key, pepper)

    def _goes(self, session: Session, link: OwnLink) -> bool:
        """Return whether anything is kept under the address."""
        kept = sa.union_all(
            sa.select(Contact.id).where(Contact.match_key == link.match_key),
            sa.select(Claim.id).where(Claim.match_key == link.match_key),
        )
        return session.execute(kept.limit(1)).first() is not None

    def _says(self, owed: Owed, recipient: Recipient) -> str:
        """Return the letter's subject."""
        site = _site_name(owed, recipient.locale)
        return translated(self.subject, recipient.locale) % {"site": site}


class NewAddressLetter(OwnPageLetter):
    """
    Somebody says that this is his new address. It carries the link that proves it.

    He may be anybody with an address of his own, so this is a letter that a stranger can cause.
    """

    name: ClassVar[str] = "address"
    subject: ClassVar[str] = N_("Is this your address? %(site)s")

    def _is_left_alone(self, session: Session, link: OwnLink, pepper: str) -> bool:
        """Return whether nobody may be asked anything at that address."""
        return is_left_alone(session, link.match_key, pepper)

    def _goes(self, session: Session, link: OwnLink) -> bool:
        """Return whether whoever asked is still there."""
        return link.contact_id is not None and session.get(Contact, link.contact_id) is not None


class MovedLetter:
    """To the old address: letters go to another one from now on."""

    name: ClassVar[str] = "alert"

    def recipient(self, session: Session, owed: Owed) -> Recipient | None:
        """Return the old address."""
        contact = session.get(Contact, uuid.UUID(owed.payload["contact"]))
        if contact is None:
            return None
        return reader(session, contact.email, contact.match_key, contact.locale)

    def draft(self, session: Session, owed: Owed, recipient: Recipient, *, now: datetime) -> Draft:
        """Return the letter; its link leads to what this address still gets."""
        contact_id = uuid.UUID(owed.payload["contact"])
        token = contact_token(session, owed.settings.keys, contact_id, PREFERENCES, now=now)
        subject = translated(N_("Your address at %(site)s was changed"), recipient.locale)
        site = _site_name(owed, recipient.locale)
        about = {"link": f"{owed.settings.base_url}/p/{token}"}
        return Draft(subject % {"site": site}, "moved", about)


def _site_name(owed: Owed, locale: str) -> str:
    """Return what the site is called."""
    return Site.of(owed.published).shown(locale)["name"]


LETTERS: dict[str, Kind] = {
    "mail.me": OwnPageLetter(),
    "mail.address": NewAddressLetter(),
    "mail.moved": MovedLetter(),
}
"""Who writes which topic of the outbox."""
