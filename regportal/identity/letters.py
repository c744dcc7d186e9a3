"""The letter that tells somebody of an alarm about a browser of theirs."""

import uuid
from datetime import datetime
from typing import ClassVar

from sqlalchemy.orm import Session

from regportal.identity.models import Claim, ClaimState
from regportal.mail.post import Draft, Kind, Owed, Recipient
from regportal.store.documents import Site
from regportal.store.words import N_, translated


class AlertLetter:
    """An old token was used: we signed this browser out. Its link opens the own page only."""

    name: ClassVar[str] = "alert"

    def recipient(self, session: Session, owed: Owed) -> Recipient | None:
        """Return the owner of the address that was proven in that browser."""
        claim = session.get(Claim, uuid.UUID(owed.payload["claim"]))
        if claim is None or claim.state != ClaimState.CONFIRMED:
            return None
        return Recipient(claim.email, claim.match_key, claim.locale)

    def draft(self, session: Session, owed: Owed, recipient: Recipient, *, now: datetime) -> Draft:
        """Return the letter; it carries nothing that proves anything."""
        del session, now
        site = Site.of(owed.published).shown(recipient.locale)
        says = translated(N_("We signed one of your browsers out of %(name)s"), recipient.locale)
        link = {"link": f"{owed.settings.base_url}/me"}
        return Draft(says % {"name": site["name"]}, self.name, link)


LETTERS: dict[str, Kind] = {"mail.alert": AlertLetter()}
"""Who writes which topic of the outbox."""
