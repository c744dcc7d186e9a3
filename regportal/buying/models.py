"""Opportunities, who has a part in them, and every move of their phase."""

import enum
import uuid
from datetime import date
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Flag, Id, Json, MaybeMoment, Moment, Sequence, choice


class SubjectKind(enum.StrEnum):
    """Who can be in a phase."""

    OPPORTUNITY = "opportunity"
    PERSON = "person"


class Opportunity(Base):
    """A purchase in the making, as the CRM last described it; the phase is ours."""

    __tablename__ = "opportunity"
    personal: ClassVar = {
        "owner": "Who at the company looks after a purchase: a colleague's name and address.",
        "name": "What the company's system calls a purchase; some name it after a person.",
        "account": "Whose purchase it is, as the company's system describes them.",
    }
    plain = frozenset(
        {
            *("id", "connector", "external_id", "stage", "probability", "amount", "currency"),
            *("close_date", "is_closed", "is_won", "told_at", "phase", "phase_since"),
        }
    )
    person: ClassVar = {"owner": "mention", "name": "mention", "account": "mention"}
    clock = "contacts"
    emptied = "A purchase is the company's; only the name of who looks after it goes."
    __table_args__ = (sa.UniqueConstraint("connector", "external_id"),)

    id: Mapped[Id]
    connector: Mapped[str]
    external_id: Mapped[str]
    name: Mapped[str | None]
    stage: Mapped[str | None]
    probability: Mapped[int | None]
    amount: Mapped[str | None]
    currency: Mapped[str | None]
    close_date: Mapped[date | None]
    is_closed: Mapped[Flag]
    is_won: Mapped[Flag]
    owner: Mapped[dict[str, Any] | None] = mapped_column(Json)
    account: Mapped[dict[str, Any] | None] = mapped_column(Json)
    told_at: Mapped[Moment]
    """The CRM's own time of this description: an older one never overwrites it."""
    phase: Mapped[str]
    phase_since: Mapped[Moment]

    @property
    def key(self) -> str:
        """Return our key for this opportunity."""
        return str(self.id)


class Snapshot(Base):
    """How an opportunity stood when the CRM told us; never changed."""

    __tablename__ = "opportunity_snapshot"
    personal: ClassVar = {
        "body": "How a purchase stood when the company's system told us, with who looked after it.",
    }
    plain = frozenset({"id", "opportunity_id", "told_at", "received_at"})
    person: ClassVar = {"body": "mention"}
    clock = "contacts"
    emptied = "That the purchase changed then stays; what named somebody goes."

    id: Mapped[Id]
    opportunity_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("opportunity.id"), index=True)
    told_at: Mapped[Moment]
    received_at: Mapped[Moment]
    body: Mapped[dict[str, Any]] = mapped_column(Json)


class ContactRole(Base):
    """One contact's part in one opportunity, from when until when (never deleted)."""

    __tablename__ = "contact_role"
    personal: ClassVar = {
        "role": "Your part in a purchase of your company, as the company's system knows it.",
        "is_primary": "Whether you are the one to talk to.",
        "since": "Since when you have this part.",
        "until": "Until when you had it.",
    }
    plain = frozenset({"id", "opportunity_id", "contact_id", "told_at"})
    person: ClassVar = {"contact_id": "contact.id"}
    clock = "contacts"
    __table_args__ = (sa.Index("ix_contact_role_contact", "contact_id", "until"),)

    id: Mapped[Id]
    opportunity_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("opportunity.id"), index=True)
    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contact.id"))
    role: Mapped[str | None]
    is_primary: Mapped[Flag]
    since: Mapped[Moment]
    until: Mapped[MaybeMoment]
    told_at: Mapped[Moment]
    """The CRM's own time of the last word on it: an older one changes nothing."""


class Move(Base):
    """A change of phase and its evidence; never changed. The sentence is made when read."""

    __tablename__ = "move"
    plain = frozenset(
        {
            "id",
            "opportunity_id",
            "from_phase",
            "to_phase",
            "at",
            "cause",
            "evidence",
            "rules_version",
        }
    )
    __table_args__ = (sa.Index("ix_move_opportunity", "opportunity_id", "at"),)

    id: Mapped[Id]
    opportunity_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("opportunity.id"))
    from_phase: Mapped[str]
    to_phase: Mapped[str]
    at: Mapped[Moment]
    cause: Mapped[str]
    """event, timer, crm, correction, merge or rules."""
    evidence: Mapped[list[Any]] = mapped_column(Json)
    """As `buying/evidence.py` keeps it: conditions and keys, no names."""
    rules_version: Mapped[int]


class KeptStanding(Base):
    """
    Where a person or an opportunity stands under the rules: a cache, made anew from what holds.

    ``subject_id`` is the opportunity, or the contact that stands for the person.
    """

    __tablename__ = "standing"
    personal: ClassVar = {
        "state": "How far what you did and answered has brought a purchase, to go on from there.",
        "phase": "Which step that is.",
        "since": "Since when it has lasted.",
        "as_of": "Until when it was worked out.",
        "wake_at": "When it may be another one though nothing happens.",
    }
    plain = frozenset({"subject_id", "subject", "rules"})
    person: ClassVar = {"subject_id": "contact.id"}
    clock = "contacts"
    __table_args__ = (
        sa.Index(
            "ix_standing_wake_at",
            "wake_at",
            sqlite_where=sa.text("wake_at IS NOT NULL"),
            postgresql_where=sa.text("wake_at IS NOT NULL"),
        ),
        sa.Index("ix_standing_rules", "rules"),
    )

    subject_id: Mapped[Id]
    subject: Mapped[SubjectKind] = mapped_column(choice(SubjectKind))
    rules: Mapped[str]
    """The digest of the rules: under others it says nothing any more."""
    state: Mapped[str]
    """As `standing.written` writes it."""
    phase: Mapped[str]
    """What the rules say, whatever a person said over them."""
    since: Mapped[MaybeMoment]
    as_of: Mapped[Moment]
    wake_at: Mapped[MaybeMoment]


class KnownInteraction(Base):
    """An interaction that was found to be a contact's own: the CRM is told of it once."""

    __tablename__ = "known_interaction"
    plain = frozenset({"interaction_id"})
    person: ClassVar = {"interaction_id": "interaction.id"}

    interaction_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("interaction.id"), primary_key=True
    )


class LogPlace(Base):
    """The place in the log to which a reader has read."""

    __tablename__ = "log_place"
    plain = frozenset({"reader", "transaction", "number", "at"})

    reader: Mapped[str] = mapped_column(primary_key=True)
    transaction: Mapped[int] = mapped_column(Sequence)
    number: Mapped[int] = mapped_column(Sequence)
    at: Mapped[MaybeMoment]
    """The latest moment read so far: the log's own clock, which never goes back."""
