"""The letters about a gate: was this you, and here is your link."""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from regportal.consent.schema import Newsletter
from regportal.consent.suppression import is_left_alone
from regportal.forms.schema import Gate
from regportal.identity.actions import add_proof
from regportal.identity.codes import code_of
from regportal.identity.contact_tokens import UNSUBSCRIBE, contact_token, unsubscribe_headers
from regportal.identity.letters import preferences_url, reader
from regportal.identity.models import Claim, ClaimState
from regportal.identity.rules import CODE, LINK
from regportal.mail.post import Draft, Kind, Owed, Recipient
from regportal.store.documents import Site, said
from regportal.store.tokens import derived_token
from regportal.store.words import N_, moment_shown, translated


class ClaimLetter:
    """Somebody gave this address: was this you? It carries the link that proves it."""

    name: ClassVar[str] = "claim"
    waits: ClassVar[frozenset[ClaimState]] = frozenset({ClaimState.OPEN, ClaimState.CONFIRMED})
    """How a claim stands while its letter is still wanted."""

    def recipient(self, session: Session, owed: Owed) -> Recipient | None:
        """Return the claimed address, while the claim waits for an answer."""
        claim = session.get(Claim, uuid.UUID(owed.payload["claim"]))
        if claim is None or claim.state not in self.waits:
            return None
        if is_left_alone(session, claim.match_key, owed.settings.pepper_text):
            return None
        return reader(session, claim.email, claim.match_key, claim.locale)

    def draft(self, session: Session, owed: Owed, recipient: Recipient, *, now: datetime) -> Draft:
        """Return the letter, and keep its link: the same letter has the same one."""
        claim = session.get_one(Claim, uuid.UUID(owed.payload["claim"]))
        token = derived_token(owed.settings.keys, "mail", owed.id.bytes)
        newsletter = owed.payload.get("newsletter")
        proof = add_proof(
            session,
            claim,
            owed.payload["gate"],
            token,
            newsletter,
            visitor_id=self._asked_by(owed, claim),
            message_id=owed.message_id,
            now=now,
        )
        about = {
            "link": f"{owed.settings.base_url}/m/{token}",
            "code": code_of(proof, owed.settings.keys),
            "code_minutes": int(CODE.total_seconds() / 60),
            "valid_until": moment_shown(now + LINK, recipient.locale),
            "preferences_url": preferences_url(session, owed, recipient, now=now),
            **self._about(owed, recipient.locale),
        }
        headers = self._headers(session, owed, claim, now=now)
        return Draft(self._subject(about, recipient.locale), self.name, about, headers)

    def _headers(
        self, session: Session, owed: Owed, claim: Claim, *, now: datetime
    ) -> dict[str, str]:
        """Return headers of its own: none."""
        del session, owed, claim, now
        return {}

    def _asked_by(self, owed: Owed, claim: Claim) -> uuid.UUID | None:
        """Return whose browser may type the code; nobody's at a kiosk."""
        if self._at_kiosk(owed):
            return None
        named = owed.payload.get("visitor")  # a debt from before codes names nobody
        return uuid.UUID(named) if named else claim.visitor_id

    def _about(self, owed: Owed, locale: str) -> dict[str, Any]:
        """Return what the letter says of the gate."""
        gate = owed.published.find(Gate, owed.payload["gate"])
        by_mail = gate is not None and (gate.delivery == "mail" or self._at_kiosk(owed))
        return {"headline": said(gate.headline, locale) if gate else "", "mail_delivery": by_mail}

    def _at_kiosk(self, owed: Owed) -> bool:
        """Return whether the address was given on a device that passers-by share."""
        gate, site = owed.published.find(Gate, owed.payload["gate"]), Site.of(owed.published)
        shared = gate is not None and gate.stands_at_kiosk(site)
        return shared or bool(owed.payload.get("kiosk"))

    def _subject(self, about: dict[str, Any], locale: str) -> str:
        """Return the letter's subject: the same for a known and an unknown address (R10)."""
        link, asks = N_("Your link: %(headline)s"), N_("Was this you? %(headline)s")
        return translated(link if about["mail_delivery"] else asks, locale) % about


class ConsentLetter(ClaimLetter):
    """Somebody asked for a newsletter: please confirm. It carries the link that does."""

    name: ClassVar[str] = "consent"
    waits: ClassVar[frozenset[ClaimState]] = frozenset({ClaimState.CONFIRMED})

    def _headers(
        self, session: Session, owed: Owed, claim: Claim, *, now: datetime
    ) -> dict[str, str]:
        """Return how mail programs take the request back, with one press (RFC 8058)."""
        newsletter = owed.payload.get("newsletter")
        if claim.contact_id is None or newsletter is None:
            return {}
        keys, contact = owed.settings.keys, claim.contact_id
        token = contact_token(session, keys, contact, UNSUBSCRIBE, newsletter, now=now)
        return unsubscribe_headers(f"{owed.settings.base_url}/u/{token}")

    def _about(self, owed: Owed, locale: str) -> dict[str, Any]:
        """Return what the letter says of the newsletter."""
        newsletter = owed.published.find(Newsletter, owed.payload.get("newsletter") or "")
        return {"newsletter": said(newsletter.title, locale) if newsletter else ""}

    def _subject(self, about: dict[str, Any], locale: str) -> str:
        """Return the letter's subject."""
        return translated(N_("Please confirm: %(newsletter)s"), locale) % about


LETTERS: dict[str, Kind] = {"mail.claim": ClaimLetter(), "mail.consent": ConsentLetter()}
"""Who writes which topic of the outbox."""
