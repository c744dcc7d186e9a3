"""What the CRM told us, kept raw."""

import enum
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, MaybeMoment, Moment, Ordinal, choice


class NoticeState(enum.StrEnum):
    """What became of a notice."""

    TAKEN = "taken"
    DONE = "done"
    WAITING = "waiting"
    """For something it speaks of and we have not heard of yet, or until the CRM was asked."""
    UNKNOWN = "unknown"
    """Verified, and not understood: a person must look."""


class Notice(Base):
    """One call of a CRM: verified, stored as it came, then understood."""

    __tablename__ = "notice"
    personal: ClassVar = {
        "body": "What the company's own system told us, as it came, for a while: to understand it, "
        "or to let a person look.",
    }
    plain = frozenset(
        {
            "number",
            "connector",
            "message_id",
            "digest",
            "received_at",
            "state",
            "because",
            "waits_for",
            "settled_at",
        }
    )
    person: ClassVar = {"body": "mention"}
    clock = "webhooks"
    aged_by = "received_at"
    emptied = "Its id and its digest keep a repeated call from having a second effect."
    when_emptied: ClassVar = {"state": "done", "because": "emptied", "waits_for": None}
    __table_args__ = (
        sa.UniqueConstraint("connector", "message_id"),
        sa.Index("ix_notice_state", "state", "number"),
    )

    number: Mapped[Ordinal]
    connector: Mapped[str]
    message_id: Mapped[str]
    digest: Mapped[str]
    body: Mapped[bytes]
    received_at: Mapped[Moment]
    state: Mapped[NoticeState] = mapped_column(choice(NoticeState), default=NoticeState.TAKEN)
    because: Mapped[str | None]
    waits_for: Mapped[str | None]
    """The external id of the opportunity it waits for; None: for what the CRM says to it."""
    settled_at: Mapped[MaybeMoment]


class Poll(Base):
    """How far a CRM was asked what happened there, and when it is asked again."""

    __tablename__ = "poll"
    plain = frozenset({"connector", "cursor", "due", "awaited", "trouble"})

    connector: Mapped[str] = mapped_column(primary_key=True)
    cursor: Mapped[str | None]
    """Where to ask on: the connector's own words. None: it was never asked."""
    due: Mapped[Moment]
    awaited: Mapped[MaybeMoment]
    """From when on it should have been asked, and was not with success: only that moves it on."""
    trouble: Mapped[str | None]
    """Why it could not be asked the last time."""
