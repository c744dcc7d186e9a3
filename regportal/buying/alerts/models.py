"""Which moves a colleague is told of, and how often each wants to hear."""

import enum
import uuid
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Id, MaybeMoment, Moment, choice


class Choice(enum.StrEnum):
    """How often somebody is told; the words are those of the site's document."""

    EACH = "each"
    DIGEST = "digest"
    OFF = "off"


class AlertReader(Base):
    """A colleague who is told: known by a keyed hash, for the address stands in the CRM."""

    __tablename__ = "alert_reader"
    personal: ClassVar = {
        "address_hash": "A keyed hash of a colleague's address, to know what he chose.",
        "choice": "How often he wants to hear that his opportunities moved.",
        "chosen_at": "When he chose that.",
    }
    plain = frozenset({"id", "since"})
    person: ClassVar = {"address_hash": "address_hash"}
    outlives: ClassVar = "Whoever said that he wants no such mails gets none, whoever comes back."

    id: Mapped[Id]
    address_hash: Mapped[bytes] = mapped_column(unique=True)
    choice: Mapped[Choice | None] = mapped_column(choice(Choice))
    """None: what the site's document says."""
    chosen_at: Mapped[MaybeMoment]
    since: Mapped[Moment]


class Alert(Base):
    """
    A move that somebody is to be told of, once: written with the move, settled with the letter.

    While it waits it has a time at which it is ``due``; whom it goes to is found out then.
    """

    __tablename__ = "alert"
    personal: ClassVar = {
        "at": "When what you did was to be told to whoever looks after your purchase.",
        "told_at": "When it was told, or when it was decided to tell nobody.",
        "because": "Why nobody was told.",
    }
    plain = frozenset({"move_id", "contact_id", "interaction_id", "due", "reader_id", "letter_id"})
    person: ClassVar = {"contact_id": "contact.id"}
    clock = "letters"
    aged_by = "at"
    __table_args__ = (
        sa.Index(
            "ix_alert_due",
            "due",
            sqlite_where=sa.text("due IS NOT NULL"),
            postgresql_where=sa.text("due IS NOT NULL"),
        ),
        sa.Index("ix_alert_reader", "reader_id", "told_at"),
    )

    move_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("move.id"), primary_key=True)
    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contact.id"), index=True)
    """Who did it."""
    interaction_id: Mapped[uuid.UUID]
    """What he did; an id and no reference, so that it holds nothing that is to go."""
    at: Mapped[Moment]
    due: Mapped[MaybeMoment]
    """None: it is settled."""
    reader_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("alert_reader.id"))
    letter_id: Mapped[uuid.UUID | None]
    """The message of the outbox that tells it."""
    told_at: Mapped[MaybeMoment]
    because: Mapped[str | None]
