"""Which letters went out, to keep the caps."""

import uuid
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Id, MaybeMoment, Moment


class Letter(Base):
    """One mail that left, or was held back by a cap. The address is kept as a peppered hash."""

    __tablename__ = "letter"
    personal: ClassVar = {
        "address_hash": "To keep our letters to an address few; the address itself is not kept.",
        "kind": "What kind of letter it was.",
        "sent_at": "To count the letters of the last 30 days.",
        "answered_at": "Whether somebody pressed a button in it.",
    }
    plain = frozenset({"id", "message_id"})
    person: ClassVar = {"address_hash": "address_hash"}
    clock = "letters"
    aged_by = "sent_at"
    __table_args__ = (sa.Index("ix_letter_address", "address_hash", "sent_at"),)

    id: Mapped[Id]
    address_hash: Mapped[bytes]
    kind: Mapped[str]
    message_id: Mapped[uuid.UUID | None] = mapped_column(unique=True)
    """The outbox row that owed it: sending the same debt again is not a second letter."""
    sent_at: Mapped[Moment]
    answered_at: Mapped[MaybeMoment]
