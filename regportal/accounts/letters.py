"""The letter by which a colleague comes into the Studio: for the first time, or anew."""

import uuid
from datetime import datetime
from typing import ClassVar

from sqlalchemy.orm import Session

from regportal.accounts.actions import LASTS, make_link
from regportal.accounts.models import Purpose, StudioUser
from regportal.mail.post import Draft, Kind, Owed, Recipient
from regportal.outbox.actions import News, put
from regportal.outbox.models import MAIL
from regportal.store.documents import Site
from regportal.store.tokens import derived_token
from regportal.store.words import N_, moment_shown, translated

TOPIC = "mail.invitation"


def owe_invitation(session: Session, user: StudioUser, locale: str, *, now: datetime) -> None:
    """Owe somebody a letter with a link, in his language, or in ``locale`` where he chose none."""
    news = News(
        topic=TOPIC,
        subject=f"staff:{user.id}",
        payload={"user": str(user.id), "locale": user.locale or locale},
        occurred_at=now,
        merges="invitation",
    )
    put(session, MAIL, news, now=now)


class InvitationLetter:
    """A colleague may come in, or lost what he came in by. It carries a link that opens once."""

    name: ClassVar[str] = "invitation"

    def recipient(self, session: Session, owed: Owed) -> Recipient | None:
        """Return the colleague; None where he may not come in any more."""
        user = session.get(StudioUser, uuid.UUID(owed.payload["user"]))
        if user is None or not user.active:
            return None
        return Recipient(user.email, user.email, owed.payload["locale"])

    def draft(self, session: Session, owed: Owed, recipient: Recipient, *, now: datetime) -> Draft:
        """Return the letter, and keep the hash of its link: the same letter has the same one."""
        token = derived_token(owed.settings.keys, "studio invitation", owed.id.bytes)
        make_link(session, uuid.UUID(owed.payload["user"]), token, now=now)
        says = translated(N_("Your way into the Studio of %(site)s"), recipient.locale)
        until = now + LASTS[Purpose.INVITATION]
        about = {
            "link": f"{owed.settings.studio_address}/welcome/{token}",
            "valid_until": moment_shown(until, recipient.locale),
        }
        site = Site.of(owed.published).shown(recipient.locale)
        return Draft(says % {"site": site["name"]}, self.name, about)


LETTERS: dict[str, Kind] = {TOPIC: InvitationLetter()}
"""Who writes which topic of the outbox."""
