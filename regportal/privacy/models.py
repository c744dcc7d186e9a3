"""Links to one's own page, proofs of erasures, when we last tidied up, and mails that came back."""

import enum
import uuid
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.identity import models as _identity  # noqa: F401 - the tables that keys point at
from regportal.identity.addresses import Address
from regportal.store.base import Base, Count, Flag, Id, Json, MaybeMoment, Moment, choice


class Leads(enum.StrEnum):
    """Where a mailed link leads, and what it proves."""

    PAGE = "page"
    """To the person's own page; it proves the browser in which it is pressed."""
    ADDRESS = "address"
    """It proves one more mailbox of somebody whose page is open; that becomes the main one."""


class OwnLink(Base):
    """
    That somebody asked for a link to his own page, at whatever address he typed.

    The request writes this row, whoever he is. The worker finds out whether there is anything to
    show; where not, the address goes with the letter that is not written. The row itself stays:
    whether a letter went must not show where its code is typed.
    """

    __tablename__ = "own_link"
    personal: ClassVar = {
        "email": "To send you the link to your own page.",
        "match_key": "To find what is kept under this address.",
        "locale": "To write to you in your language.",
        "browser": "The rough name of the browser that asked, for the letter.",
        "made_at": "To let the link end after a quarter of an hour.",
    }
    plain = frozenset(
        {
            "id",
            "leads",
            "contact_id",
            "hash",
            "expires_at",
            "used_at",
            "asked_by",
            "tries",
            "code_until",
        }
    )
    person: ClassVar = {"contact_id": "contact.id", "match_key": "address"}
    clock = "security"
    aged_by = "made_at"

    id: Mapped[Id]
    leads: Mapped[Leads] = mapped_column(choice(Leads))
    email: Mapped[str]
    match_key: Mapped[str] = mapped_column(index=True)
    locale: Mapped[str]
    browser: Mapped[str]
    contact_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("contact.id"), index=True)
    """For a new address: whose it is to be."""
    hash: Mapped[bytes | None] = mapped_column(unique=True)
    """Of the token in the letter; None until it is written."""
    made_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    used_at: Mapped[MaybeMoment]
    asked_by: Mapped[bytes | None] = mapped_column(index=True)
    """Hash of the token of the browser that asked: it alone may type the code of the letter."""
    tries: Mapped[Count]
    """How many wrong codes were typed there."""
    code_until: Mapped[MaybeMoment]
    """Until when a code may be typed, letter or not; None: the browser keeps no cookie."""

    @property
    def address(self) -> Address:
        """Return the address it is sent to."""
        return Address(self.email, self.email, self.match_key)


class Erasure(Base):
    """The proof that somebody was erased: what, where, when; it names nobody."""

    __tablename__ = "erasure"
    plain = frozenset({"id", "key", "at", "by", "counts", "told", "newsletters", "digest"})

    id: Mapped[Id]
    key: Mapped[str]
    """Our key for the person; nothing stands behind it any more."""
    at: Mapped[Moment]
    by: Mapped[str]
    """``person``, ``administrator``, or ``time``: nothing was heard of him for too long."""
    counts: Mapped[dict[str, Any]] = mapped_column(Json)
    """Table → how many rows were deleted, or emptied."""
    told: Mapped[dict[str, Any]] = mapped_column(Json)
    """Connector → how many keys it was told to erase."""
    newsletters: Mapped[list[Any]] = mapped_column(Json)
    digest: Mapped[str]
    """The SHA-256 of all this, as the report prints it."""


class Chore(Base):
    """When something that is done by night was last done, and what it did."""

    __tablename__ = "chore"
    plain = frozenset({"name", "at", "did"})

    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[Moment]
    did: Mapped[dict[str, Any]] = mapped_column(Json)


class MailEvent(Base):
    """What became of a mail of the company's mailer, as it told us: each is taken once."""

    __tablename__ = "mail_event"
    __table_args__ = (
        sa.UniqueConstraint("api_key_id", "event_id"),
        sa.Index("ix_mail_event_address", "address_hash", "at"),
    )
    personal: ClassVar = {
        "address_hash": "A keyed hash of the address, to count the mails that came back."
    }
    plain = frozenset(
        {"id", "api_key_id", "event_id", "type", "permanent", "newsletter", "at", "received_at"}
    )
    person: ClassVar = {"address_hash": "address_hash"}
    clock: ClassVar = "letters"
    aged_by: ClassVar = "received_at"

    id: Mapped[Id]
    api_key_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("api_key.id"))
    event_id: Mapped[str]
    type: Mapped[str]
    """``bounce``, ``complaint`` or ``unsubscribe``."""
    permanent: Mapped[Flag]
    newsletter: Mapped[str | None]
    address_hash: Mapped[bytes]
    at: Mapped[Moment]
    received_at: Mapped[Moment]
