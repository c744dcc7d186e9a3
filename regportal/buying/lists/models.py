"""What a list of people shows and asks for: one row a person, made anew from what holds."""

import uuid
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.identity.models import Assurance
from regportal.store.base import Base, Bytewise, Moment, choice


class ListedPerson(Base):
    """
    One person as lists find him: a cache, which the weigher keeps and may lose.

    The row is that of the contact who stands for the person. Each index begins with what a list is
    narrowed to, and goes on with what puts it in order.
    """

    __tablename__ = "listed_person"
    personal: ClassVar = {
        "address": "To find you by the beginning of your address.",
        "assurance": "How we know you: you answered our mail, or somebody else named you.",
        "last_at": "When you did something last, to see who is interested at the moment.",
        "account": "Which company you are of, as far as anybody knows.",
        "phase": "How far the purchase has come in which you have a part.",
    }
    plain = frozenset({"contact_id"})
    person: ClassVar = {"contact_id": "contact.id"}
    clock = "contacts"
    __table_args__ = (
        sa.Index("ix_listed_person_last_at", "last_at", "contact_id"),
        sa.Index("ix_listed_person_phase", "phase", "last_at", "contact_id"),
        sa.Index("ix_listed_person_account", "account", "last_at", "contact_id"),
        sa.Index("ix_listed_person_assurance", "assurance", "last_at", "contact_id"),
        sa.Index("ix_listed_person_address", "address"),
    )

    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contact.id"), primary_key=True)
    address: Mapped[str] = mapped_column(Bytewise)
    """As addresses are compared."""
    assurance: Mapped[Assurance] = mapped_column(choice(Assurance))
    last_at: Mapped[Moment]
    """When he did something himself last; until then, since when he is known."""
    account: Mapped[str | None] = mapped_column(Bytewise)
    """As ``accounts.account_of`` names it."""
    phase: Mapped[str | None]
    """Of the open opportunity in which he has a part and whose phase changed last."""
