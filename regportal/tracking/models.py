"""The log: interactions, their visits, and what became known of them later."""

import enum
import uuid
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

# Our columns that point at its tables have no type before those are known.
from regportal.identity import models as _identity  # noqa: F401 - the tables that keys point at
from regportal.store.base import (
    Base,
    Count,
    Flag,
    Id,
    Json,
    MaybeMoment,
    Moment,
    Ordinal,
    Sequence,
    choice,
)

CONTINUES = "continues"
"""Under this name the parameters of a touch say which visit it goes on from."""


def _of_somebody(name: str, *columns: str) -> sa.Index:
    """Return an index without the rows in which its first column is empty: most of them."""
    there = sa.text(f"{columns[0]} IS NOT NULL")
    return sa.Index(name, *columns, sqlite_where=there, postgresql_where=there)


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
    """
    Interactions became somebody's, or nobody's; ``ref`` is the contact.

    Also where a contact was joined to a person or split off: what was theirs changed, too.
    """
    VERDICT = "verdict"
    """Somebody, or newer rules, judged anew who did it; ``ref`` is the interaction."""
    ANSWER = "answer"
    """A contact became known, or what he answered; ``ref`` is the contact."""
    OPPORTUNITY = "opportunity"
    """An opportunity or its contact roles changed; ``ref`` is the opportunity."""


OF_CONTACTS = frozenset({EntryKind.ATTRIBUTION, EntryKind.ANSWER})
"""Kinds of lines whose ``ref`` is a contact."""


class LogEntry(Base):
    """
    One line of the order in which facts became known.

    The weigher reads the lines of each shard in order and exactly once: by (transaction, number),
    where ``transaction`` is PostgreSQL's transaction number (0 on SQLite, which has one writer), so
    that a line whose transaction commits late is never skipped.
    """

    __tablename__ = "log_entry"
    plain = frozenset({"number", "shard", "transaction", "kind", "ref", "at"})
    __table_args__ = (sa.Index("ix_log_entry_shard", "shard", "transaction", "number"),)

    number: Mapped[Ordinal]
    shard: Mapped[Count]
    """As `tracking/shards.py` says; never changed."""
    transaction: Mapped[int] = mapped_column(Sequence)
    kind: Mapped[EntryKind] = mapped_column(choice(EntryKind))
    ref: Mapped[uuid.UUID]
    at: Mapped[Moment]


class Touch(Base):
    """Where a visit came from: query parameters and referrer, kept as they arrived."""

    __tablename__ = "touch"
    personal: ClassVar = {
        "referrer": "The page a visit came from, to see which of our pages and campaigns help.",
        "parameters": "The campaign that led to a visit, and the visit it went on from.",
        "at": "When the visit began.",
    }
    plain = frozenset({"id", "visit_id"})
    person: ClassVar = {"visit_id": "visit.id"}
    clock = "anonymous"

    id: Mapped[Id]
    visit_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("visit.id"), index=True)
    at: Mapped[Moment]
    referrer: Mapped[str | None]
    parameters: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class Visit(Base):
    """What one visitor did without a long pause (``site.visit`` of idle time ends it)."""

    __tablename__ = "visit"
    personal: ClassVar = {
        "started_at": "To ask one thing a visit, not more.",
        "last_at": "To know when a visit has ended.",
    }
    plain = frozenset({"id", "visitor_id"})
    person: ClassVar = {"visitor_id": "visitor.id"}
    clock = "anonymous"
    aged_by = "last_at"
    __table_args__ = (sa.Index("ix_visit_newest", "visitor_id", "last_at"),)

    id: Mapped[Id]
    visitor_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("visitor.id"))
    started_at: Mapped[Moment]
    last_at: Mapped[Moment]


class Interaction(Base):
    """
    Verb, object and moment, append-only.

    ``attribution``, ``contact_id`` and ``judged`` are what was known when it was taken; the
    newest :class:`Attribution` and :class:`Verdict` hold over them (``tracking/later.py``).
    ``claim_id`` names the claim it waits for.
    """

    __tablename__ = "interaction"
    personal: ClassVar = {
        "type": "What you did: to offer what fits, and to tell the people who serve you.",
        "object": "The paper, page or file it was about.",
        "category": "What kind of paper, page or file it was.",
        "properties": "Details of what you did, such as the seconds of a film you watched.",
        "occurred_at": "When you did it.",
        "received_at": "When we heard of it.",
        "attribution": "How sure we were that it was you when we heard of it.",
        "judged": "Whether a person did it, or a machine.",
        "judged_because": "Why we took it for a machine's.",
    }
    plain = frozenset({"id", "visitor_id", "visit_id", "claim_id", "contact_id", "judged_by"})
    person: ClassVar = {
        "id": "attribution.interaction_id",
        "contact_id": "contact.id",
        "claim_id": "claim.id",
        "visitor_id": "visitor.id",
    }
    clock = "anonymous"
    aged_by = "received_at"
    __table_args__ = (
        _of_somebody("ix_interaction_contact", "contact_id", "occurred_at"),
        _of_somebody("ix_interaction_visitor", "visitor_id", "occurred_at"),
        _of_somebody("ix_interaction_claim_id", "claim_id"),
        _of_somebody("ix_interaction_visit_id", "visit_id"),
    )

    id: Mapped[Id]
    type: Mapped[str]
    object: Mapped[str]
    category: Mapped[str | None]
    properties: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    occurred_at: Mapped[Moment]
    received_at: Mapped[Moment]
    visitor_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("visitor.id"))
    visit_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("visit.id"))
    claim_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("claim.id"))
    contact_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("contact.id"))
    attribution: Mapped[Attributed] = mapped_column(choice(Attributed))
    judged: Mapped[Judged] = mapped_column(choice(Judged))
    judged_because: Mapped[str | None]
    judged_by: Mapped[str | None]
    """The version of the rules; None of what was taken before versions were kept."""


class Attribution(Base):
    """A later fact: this interaction is (no longer) this contact's. The newest holds."""

    __tablename__ = "attribution"
    personal: ClassVar = {
        "attribution": "That something was done by you, or was not, as it became known later.",
        "at": "When that became known.",
        "because": "How that became known.",
    }
    plain = frozenset({"id", "interaction_id", "contact_id"})
    person: ClassVar = {"contact_id": "contact.id", "interaction_id": "interaction.id"}
    clock = "anonymous"
    __table_args__ = (sa.Index("ix_attribution_contact", "contact_id"),)

    id: Mapped[Id]
    interaction_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("interaction.id"), index=True)
    contact_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("contact.id"))
    attribution: Mapped[Attributed] = mapped_column(choice(Attributed))
    at: Mapped[Moment]
    because: Mapped[str]


NOT_HIM = "whose address it was says that it was not them"
"""Why an interaction is nobody's any more, where its owner took it back."""
BY_HAND = "person"
"""Who judged where no rules did: a colleague, who said why."""


class Verdict(Base):
    """
    A later fact: a person, or a machine, did this after all. Only added; the newest holds.

    But one that was given by hand outlives whatever newer rules say.
    """

    __tablename__ = "verdict"
    personal: ClassVar = {
        "judged": "Whether a person did it, or a machine, as it became known later.",
        "judged_because": "How that became known.",
        "at": "When that became known.",
    }
    plain = frozenset({"id", "interaction_id", "judged_by"})
    person: ClassVar = {"interaction_id": "interaction.id"}
    clock = "anonymous"

    id: Mapped[Id]
    interaction_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("interaction.id"), index=True)
    judged: Mapped[Judged] = mapped_column(choice(Judged))
    judged_because: Mapped[str | None]
    judged_by: Mapped[str]
    """The version of the rules, or ``BY_HAND``."""
    at: Mapped[Moment]


class Source(enum.StrEnum):
    """Who told us of interactions."""

    BROWSER = "browser"
    SERVER = "server"
    IMPORT = "import"
    """A file of events, each a contact's."""
    ACCESS_LOG = "access-log"
    """The log of a web server, which knows nobody's name."""


class Parcel(Base):
    """
    What one call told of interactions, as it came: one row, however many they are.

    The request only keeps it; the worker unpacks it into interactions within a second. It stays
    as long as a network address may, so that what judged it can be revised and asked again.
    """

    __tablename__ = "parcel"
    personal: ClassVar = {
        "events": "What you did, as your browser or one of our systems told it.",
        "touch": "The page and the campaign you came from.",
        "agent": "The name your browser gives itself, to tell people from machines.",
        "network": "The part of the internet you came from, to tell people from machines.",
        "received_at": "When we heard of it.",
    }
    plain = frozenset(
        {
            *("id", "source", "purpose", "own_staff", "proven", "unpacked_at"),
            *("visitor_id", "claim_id", "contact_id", "api_key_id"),
        }
    )
    person: ClassVar = {
        "visitor_id": "visitor.id",
        "claim_id": "claim.id",
        "contact_id": "contact.id",
    }
    clock = "network"
    aged_by = "received_at"
    __table_args__ = (
        sa.Index(
            "ix_parcel_waiting",
            "id",
            sqlite_where=sa.text("unpacked_at IS NULL"),
            postgresql_where=sa.text("unpacked_at IS NULL"),
        ),
        *(
            _of_somebody(f"ix_parcel_{one}_id", f"{one}_id")
            for one in ("visitor", "claim", "contact")
        ),
    )

    id: Mapped[Id]
    received_at: Mapped[Moment]
    unpacked_at: Mapped[MaybeMoment]
    source: Mapped[Source] = mapped_column(choice(Source))
    visitor_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("visitor.id"))
    claim_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("claim.id"))
    contact_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("contact.id"))
    api_key_id: Mapped[uuid.UUID | None]
    """Whose key a server showed."""
    proven: Mapped[Flag]
    """Whether the visitor's address was proven in that browser then."""
    own_staff: Mapped[Flag]
    agent: Mapped[str | None]
    network: Mapped[str | None]
    purpose: Mapped[str | None]
    """What the browser said it was fetched for: prefetch."""
    touch: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    events: Mapped[list[Any]] = mapped_column(Json)


class Told(Base):
    """
    The id of an event that was taken: told again, it has no second effect.

    Kept as long as the id's own time is not too old; of older ones the interactions are asked.
    """

    __tablename__ = "told"
    plain = frozenset({"id", "at"})
    clock = "network"
    aged_by = "id"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - its base says what it is

    id: Mapped[Id]
    at: Mapped[Moment]
