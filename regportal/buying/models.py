"""Opportunities, who has a part in them, and every move of their phase."""

import enum
import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, validates

from regportal.buying.telling import owner_key
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
        "owner_key": "To find what a colleague looks after: the address, or the name.",
        "name": "What the company's system calls a purchase; some name it after a person.",
        "account": "Whose purchase it is, as the company's system describes them.",
    }
    plain = frozenset(
        {
            *("id", "connector", "external_id", "stage", "probability", "amount", "currency"),
            *("close_date", "is_closed", "is_won", "url", "told_at", "phase", "phase_since"),
        }
    )
    person: ClassVar = dict.fromkeys(("owner", "owner_key", "name", "account"), "mention")
    clock = "contacts"
    emptied = "A purchase is the company's; only the name of who looks after it goes."
    __table_args__ = (
        sa.UniqueConstraint("connector", "external_id"),
        sa.Index("ix_opportunity_since", "is_closed", "phase_since", "id"),
        sa.Index("ix_opportunity_phase", "phase", "is_closed", "phase_since", "id"),
        sa.Index("ix_opportunity_owner", "owner_key", "is_closed", "phase_since", "id"),
    )

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
    url: Mapped[str | None]
    """Where the CRM shows it, as far as it says."""
    owner: Mapped[dict[str, Any] | None] = mapped_column(Json)
    owner_key: Mapped[str | None]
    """As :func:`owner_key` makes it of the owner, whoever sets him."""
    account: Mapped[dict[str, Any] | None] = mapped_column(Json)
    told_at: Mapped[Moment]
    """The CRM's own time of this description: an older one never overwrites it."""
    phase: Mapped[str]
    phase_since: Mapped[Moment]

    @validates("owner")
    def _owned(self, _name: str, owner: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Keep by what the owner is found."""
        self.owner_key = owner_key(owner)
        return owner

    @property
    def key(self) -> str:
        """Return our key for this opportunity."""
        return str(self.id)

    @property
    def named(self) -> dict[str, str | None]:
        """Return how lists name it."""
        return {
            "opportunity": self.key,
            "connector": self.connector,
            "external_id": self.external_id,
            "name": self.name,
        }


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
    """event, timer, crm, correction, rules or override."""
    evidence: Mapped[list[Any]] = mapped_column(Json)
    """As `buying/evidence.py` keeps it: conditions and keys, no names."""
    rules_version: Mapped[int]


class Ended(enum.StrEnum):
    """How an override ended."""

    TIME = "time"
    HAND = "hand"
    """A colleague took it back."""
    REPLACED = "replaced"
    """A colleague said something else."""
    WON = "won"
    LOST = "lost"
    """The opportunity was closed."""
    RULES = "rules"
    """Other rules were published, which do not know the phase."""


class PhaseOverride(Base):
    """
    What a colleague says over the rules: the phase an opportunity is in, until when, and why.

    Of an opportunity at most one has not ended. The rules' own phase goes on in the standing.
    """

    __tablename__ = "phase_override"
    personal: ClassVar = {
        "by": "Which colleague said how far a purchase has come.",
        "because": "Why; it may speak of the people who buy.",
    }
    plain = frozenset(
        {
            *("id", "opportunity_id", "phase", "rules_phase", "is_further", "came_at"),
            *("since", "until", "ended_at", "ended", "through"),
        }
    )
    person: ClassVar = {"by": "mention", "because": "mention"}
    clock = "contacts"
    emptied = "How far a purchase was said to be stays; what named somebody goes."
    __table_args__ = (
        sa.Index(
            "uq_phase_override_holding",
            "opportunity_id",
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    opportunity_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("opportunity.id"))
    phase: Mapped[str]
    by: Mapped[str]
    because: Mapped[str]
    since: Mapped[Moment]
    until: Mapped[Moment]
    ended_at: Mapped[MaybeMoment]
    """When it really ended: at ``until``, or before."""
    ended: Mapped[Ended | None] = mapped_column(choice(Ended))
    rules_phase: Mapped[str]
    """What the rules said against it: when it began or, if it held what they said, first."""
    is_further: Mapped[bool | None]
    """Whether it says that the purchase is further than that; None: it says the same."""
    came_at: Mapped[MaybeMoment]
    """When, while it held, the rules first came as far."""
    through: Mapped[str | None]
    """The name of the key with which a program said it; None: said by a command."""

    def has_ended(self, on: datetime | None = None) -> bool:
        """Return whether it holds no more, or did not at a moment."""
        return self.ended_at is not None and (on is None or self.ended_at <= on)


def _looked_for(table: str) -> tuple[sa.Index, sa.Index]:
    """Return the indexes by which standings are found whose time has come, or whose rules have."""
    wakes = sa.text("wake_at IS NOT NULL")
    return (
        sa.Index(f"ix_{table}_wake_at", "wake_at", sqlite_where=wakes, postgresql_where=wakes),
        sa.Index(f"ix_{table}_rules", "rules"),
    )


class _Standing(Base):
    """
    Where a person or an opportunity stands under rules: a cache, made anew from what holds.

    ``subject_id`` is the opportunity, or the contact that stands for the person.
    """

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
    __abstract__ = True

    subject_id: Mapped[Id]
    subject: Mapped[SubjectKind] = mapped_column(choice(SubjectKind))
    rules: Mapped[str]
    """The digest of the rules: under others it says nothing any more."""
    state: Mapped[str]
    """As `kept.written` writes it."""
    phase: Mapped[str]
    """What the rules say, whatever a person said over them."""
    since: Mapped[MaybeMoment]
    as_of: Mapped[Moment]
    wake_at: Mapped[MaybeMoment]


class KeptStanding(_Standing):
    """Where a person or an opportunity stands under the rules that are published."""

    __tablename__ = "standing"
    __table_args__ = _looked_for("standing")


class ShadowStanding(_Standing):
    """The same under the draft in shadow."""

    __tablename__ = "shadow_standing"
    __table_args__ = _looked_for("shadow_standing")


class ShadowRules(Base):
    """The draft that runs beside the published rules, and of which nobody is told; one at most."""

    __tablename__ = "shadow_rules"
    plain = frozenset({"id", "rules", "begun_at"})

    id: Mapped[Id]
    rules: Mapped[dict[str, Any]] = mapped_column(sa.JSON())
    """In the order it was written."""
    begun_at: Mapped[Moment]


class ShadowMove(Base):
    """A move that the draft in shadow would have made; never changed, deleted with the draft."""

    __tablename__ = "shadow_move"
    plain = frozenset({"id", "opportunity_id", "from_phase", "to_phase", "at", "cause", "evidence"})

    id: Mapped[Id]
    opportunity_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("opportunity.id"))
    from_phase: Mapped[str]
    to_phase: Mapped[str]
    at: Mapped[Moment]
    cause: Mapped[str]
    evidence: Mapped[list[Any]] = mapped_column(Json)
    """As `buying/evidence.py` keeps it: conditions and keys, no names."""


class KnownInteraction(Base):
    """An interaction that was found to be a contact's own: the CRM is told of it once."""

    __tablename__ = "known_interaction"
    plain = frozenset({"interaction_id"})
    person: ClassVar = {"interaction_id": "interaction.id"}

    interaction_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("interaction.id"), primary_key=True
    )


class LogPlace(Base):
    """The place to which a shard of the log has been weighed."""

    __tablename__ = "log_place"
    plain = frozenset({"shard", "transaction", "number", "at"})

    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    transaction: Mapped[int] = mapped_column(Sequence)
    number: Mapped[int] = mapped_column(Sequence)
    at: Mapped[MaybeMoment]
    """The latest moment read so far: the clock of this shard, which never goes back."""
