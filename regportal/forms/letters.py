"""The letters about a gate: was this you, and here is your link."""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from regportal.consent.schema import Newsletter
from regportal.forms.schema import Gate
from regportal.identity.actions import add_proof
from regportal.identity.models import Claim, ClaimState
from regportal.identity.rules import LINK
from regportal.identity.tokens import derived_token
from regportal.mail.post import Draft, Kind, Owed, Recipient
from regportal.store.documents import said


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
        return Recipient(claim.email, claim.match_key, claim.locale)

    def draft(self, session: Session, owed: Owed, recipient: Recipient, *, now: datetime) -> Draft:
        """Return the letter, and keep its link: the same letter has the same one."""
        claim = session.get_one(Claim, uuid.UUID(owed.payload["claim"]))
        token = derived_token(owed.settings.keys, "mail", owed.id.bytes)
        newsletter = owed.payload.get("newsletter")
        add_proof(session, claim, owed.payload["gate"], token, newsletter, now=now)
        about = {
            "link": f"{owed.settings.base_url}/m/{token}",
            "valid_until": f"{now + LINK:%d %B %Y, %H:%M} UTC",
            **self._about(owed, recipient.locale),
        }
        return Draft(self._subject(about), self.name, about)

    def _about(self, owed: Owed, locale: str) -> dict[str, Any]:
        """Return what the letter says of the gate."""
        gate = owed.published.find(Gate, owed.payload["gate"])
        return {
            "headline": said(gate.headline, locale) if gate else "",
            "mail_delivery": gate is not None and gate.delivery == "mail",
        }

    def _subject(self, about: dict[str, Any]) -> str:
        """Return the letter's subject: the same for a known and an unknown address (R10)."""
        asks = "Your link:" if about["mail_delivery"] else "Was this you?"
        return f"{asks} {about['headline']}"


class ConsentLetter(ClaimLetter):
    """Somebody asked for a newsletter: please confirm. It carries the link that does."""

    name: ClassVar[str] = "consent"
    waits: ClassVar[frozenset[ClaimState]] = frozenset({ClaimState.CONFIRMED})

    def _about(self, owed: Owed, locale: str) -> dict[str, Any]:
        """Return what the letter says of the newsletter."""
        newsletter = owed.published.find(Newsletter, owed.payload.get("newsletter") or "")
        return {"newsletter": said(newsletter.title, locale) if newsletter else ""}

    def _subject(self, about: dict[str, Any]) -> str:
        """Return the letter's subject."""
        return f"Please confirm: {about['newsletter']}"


LETTERS: dict[str, Kind] = {"mail.claim": ClaimLetter(), "mail.consent": ConsentLetter()}
"""Who writes which topic of the outbox."""
