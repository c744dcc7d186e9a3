"""The log: interactions, their visits, and what became known of them later."""

import enum
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Id, Json, Moment, Ordinal, Sequence, choice


class Attributed(enum.StrEnum):
    """Whose interaction it is, and how we know (design.md 4)."""

    ANONYMOUS = "anonymous"
    CLAIMED = "claimed"
    VERIFIED = "verified"
    IMPORTED = "imported"


class Judged(enum.StrEnum):
    """Whether a person did it."""

    PERSON = "person"
    MACHINE = "machine"


class EntryKind(enum.StrEnum):
    """What kind of fact a line of the log is about; ``ref`` names the row."""

    INTERACTION = "interaction"
    """New interactions; ``ref`` is the interaction."""
    ATTRIBUTION = "attribution"
    """Interactions became somebody's, or nobody's; ``ref`` is the contact, or the claim."""
    OPPORTUNITY = "opportunity"
    """An opportunity or its contact roles changed; ``ref`` is the opportunity."""


class LogEntry(Base):
    """
    One line of the order in which facts became known.

    The weigher reads the lines in order and exactly once: by (transaction, number), where
    ``transaction`` is PostgreSQL's transaction number (0 on SQLite, which has one writer), so
    that a line whose transaction commits late is never skipped.
    """

    __tablename__ = "log_entry"
    __table_args__ = (sa.Index("ix_log_entry_order", "transaction", "number"),)

    number: Mapped[Ordinal]
    transaction: Mapped[int] = mapped_column(Sequence)
    kind: Mapped[EntryKind] = mapped_column(choice(EntryKind))
    ref: Mapped[uuid.UUID]
    at: Mapped[Moment]


class Touch(Base):
    """Where a visit came from: query parameters and referrer, kept as they arrived."""

    __tablename__ = "touch"
    personal = frozenset({"referrer", "parameters"})

    id: Mapped[Id]
    visit_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("visit.id"), index=True)
    at: Mapped[Moment]
    referrer: Mapped[str | None]
    parameters: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class Visit(Base):
    """What one visitor did without a long pause (``site.visit`` of idle time ends it)."""

    __tablename__ = "visit"
    __table_args__ = (sa.Index("ix_visit_newest", "visitor_id", "last_at"),)

    id: Mapped[Id]
    visitor_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("visitor.id"))
    started_at: Mapped[Moment]
    last_at: Mapped[Moment]


class Interaction(Base):
    """
    Verb, object and moment, append-only.

    ``attribution``, ``judged`` and ``contact_id`` are what was known when it was taken; the
    newest :class:`Attribution` holds over them. ``claim_id`` names the claim it waits for.
    """

    __tablename__ = "interaction"
    __table_args__ = (
        sa.Index("ix_interaction_contact", "contact_id", "occurred_at"),
        sa.Index("ix_interaction_once", "visitor_id", "type", "object", "visit_id"),
    )
    personal = frozenset({"properties"})

    id: Mapped[Id]
    type: Mapped[str]
    object: Mapped[str]
    category: Mapped[str | None]
    properties: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    occurred_at: Mapped[Moment]
    received_at: Mapped[Moment]
    visitor_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("visitor.id"))
    visit_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("visit.id"), index=True)
    claim_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("claim.id"), index=True)
    contact_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("contact.id"))
    attribution: Mapped[Attributed] = mapped_column(choice(Attributed))
    judged: Mapped[Judged] = mapped_column(choice(Judged))
    judged_because: Mapped[str | None]


class Attribution(Base):
    """A later fact: this interaction is (no longer) this contact's. The newest holds."""

    __tablename__ = "attribution"
    __table_args__ = (sa.Index("ix_attribution_contact", "contact_id"),)

    id: Mapped[Id]
    interaction_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("interaction.id"), index=True)
    contact_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("contact.id"))
    attribution: Mapped[Attributed] = mapped_column(choice(Attributed))
    at: Mapped[Moment]
    because: Mapped[str]
