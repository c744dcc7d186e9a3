"""What we owe: one row a message, written in the transaction of the fact it tells."""

import enum
import uuid
from datetime import date
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import (
    Base,
    Count,
    Flag,
    Id,
    Json,
    JsonObject,
    Key,
    MaybeMoment,
    Moment,
    Sequence,
    choice,
)

MAIL = "mail"
"""What the outbox calls the one who sends letters; connectors are called by their keys."""


class MessageState(enum.StrEnum):
    """Where a message stands (design.md 4)."""

    DUE = "due"
    SENT = "sent"
    PARKED = "parked"
    SUPERSEDED = "superseded"


class Message(Base):
    """
    One thing one connector must be told. ``id`` is its ``webhook-id`` over all attempts.

    In order within a ``subject`` (``contact:…``, ``claim:…``, ``opportunity:…``): ``sequence``
    rises by one. Lanes go out one after the other (``rules.py: LANES``). A row is leased while a
    worker delivers it: ``due`` is then the end of the lease, when anybody may take it over, and the
    outcome counts only while ``lease`` still matches.
    """

    __tablename__ = "message"
    personal: ClassVar = {
        "payload": "What the companies' systems are told about you, until they have it "
        "and a while after; what they do not take waits until a person looks, as long as you "
        "are known.",
    }
    plain = frozenset(
        {
            "id",
            "connector",
            "topic",
            "subject",
            "sequence",
            "lane",
            "merges",
            "creates",
            "passes",
            "occurred_at",
            "state",
            "attempts",
            "due",
            "lease",
            "leased_until",
            "trouble",
            "outcome",
            "sent_at",
        }
    )
    person: ClassVar = {"subject": "subject", "payload": "mention"}
    clock = "webhooks"
    aged_by = "sent_at"
    __table_args__ = (
        sa.UniqueConstraint("connector", "subject", "sequence"),
        sa.Index(
            "ix_message_due",
            "connector",
            "lane",
            "due",
            sqlite_where=sa.text("state = 'due'"),
            postgresql_where=sa.text("state = 'due'"),
        ),
        sa.Index("ix_message_state", "connector", "state"),
        sa.Index(
            "ix_message_ahead",
            "connector",
            "subject",
            "sequence",
            sqlite_where=sa.text("state IN ('due', 'parked')"),
            postgresql_where=sa.text("state IN ('due', 'parked')"),
        ),
    )

    id: Mapped[Id]
    connector: Mapped[str]
    topic: Mapped[str]
    """``contact.identified``, ``phase.changed``…; for mail ``mail.claim``…"""
    subject: Mapped[str]
    sequence: Mapped[int] = mapped_column(Sequence)
    lane: Mapped[int] = mapped_column(default=1, server_default="1")
    merges: Mapped[str | None]
    """The name of the state this row tells; None: it tells a fact. Newer news of the state replaces
    what it tells, while it waits."""
    creates: Mapped[Flag]
    """Whether it creates its subject in the CRM: parked, it holds up all but withdrawals."""
    passes: Mapped[Flag]
    """Whether it waits for nothing that is parked: a withdrawal."""
    payload: Mapped[dict[str, Any]] = mapped_column(Json)
    occurred_at: Mapped[Moment]
    state: Mapped[MessageState] = mapped_column(choice(MessageState), default=MessageState.DUE)
    attempts: Mapped[Count]
    due: Mapped[Moment]
    lease: Mapped[uuid.UUID | None]
    """The token of the worker that has it, or had it last. None: no worker ever had it, so that
    nobody can have been told, and newer news may still replace what it tells."""
    leased_until: Mapped[MaybeMoment]
    """None while no worker has it."""
    trouble: Mapped[str | None]
    """Why the last attempt failed, or why it is parked: one sentence without personal data."""
    outcome: Mapped[str | None]
    """What the last attempt came to (``connectors/rules.py: Outcome``), where it was not taken.

    None: there was none since it became due, or it was before this was kept."""
    sent_at: Mapped[MaybeMoment]


class Subject(Base):
    """The last sequence number given to a subject, for one connector."""

    __tablename__ = "subject"
    plain = frozenset({"connector", "subject", "last"})
    person: ClassVar = {"subject": "subject"}
    outlives = (
        "Who was told something under a key is who has to be told to erase it; a key names nobody."
    )

    connector: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(Sequence)


class Linked(Base):
    """Which record of a CRM a subject is, and what of ours that record holds."""

    __tablename__ = "linked"
    plain = frozenset({"connector", "subject", "ref", "wrote"})
    person: ClassVar = {"subject": "subject"}
    outlives = (
        "Which record of the company's own system is to be erased, too: it goes as soon as that "
        "system said it is done."
    )
    __table_args__ = (sa.Index("ix_linked_ref", "connector", "ref"),)

    connector: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    ref: Mapped[str]
    """The id of the record over there."""
    wrote: Mapped[JsonObject]
    """
    What the CRM took last, by name: ``phase``, ``consent:<newsletter>``.

    ``phase:sent`` are the phases sent since, of which nobody knows whether it took them;
    ``withdrawn:<newsletter>`` is when our last "no" was sent, taken or not.
    """


class LinkedBefore(Base):
    """
    Which record of a CRM a subject was, once it is another one or that one is gone.

    The CRM may still tell of that record, and later, that its person is to be erased.
    """

    __tablename__ = "linked_before"
    plain = frozenset({"connector", "subject", "ref", "until"})
    person: ClassVar = {"subject": "subject"}
    clock = "webhooks"
    aged_by = "until"

    connector: Mapped[str] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[Moment]


class Spent(Base):
    """The calls and new records of a connector on one day of its CRM, counted by all workers."""

    __tablename__ = "spent"
    plain = frozenset(
        {
            *("connector", "day", "calls", "said_used", "said_most", "said_at"),
            *("told", "made", "known", "lost"),
        }
    )

    connector: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    calls: Mapped[Count]
    said_used: Mapped[int | None] = mapped_column(Sequence)
    """What the CRM said last of its calls: so many are used, by all who call it…"""
    said_most: Mapped[int | None] = mapped_column(Sequence)
    """…of so many…"""
    said_at: Mapped[MaybeMoment]
    """…and when."""
    told: Mapped[Count]
    """Times that it was told who a contact is…"""
    made: Mapped[Count]
    """…and times that a record had to be made."""
    known: Mapped[Count]
    """Times that anything was told of a contact whose record we knew…"""
    lost: Mapped[Count]
    """…and another one had to be made."""


class Connection(Base):
    """How far we are with a CRM: whether a person let it go on, and what is amiss there."""

    __tablename__ = "connection"
    plain = frozenset({"connector", "go_at", "looked_at", "amiss", "compared_at"})

    connector: Mapped[str] = mapped_column(primary_key=True)
    go_at: Mapped[MaybeMoment]
    """When somebody last let it go on (``regportal sync go``)."""
    looked_at: Mapped[MaybeMoment]
    """When its fields were looked at last."""
    amiss: Mapped[JsonObject]
    """What was amiss with them: field → what."""
    compared_at: Mapped[MaybeMoment]
    """When the CRM was last asked for every record we know; None: it is to be asked soon."""


class Gathered(Base):
    """What a contact did, kept for the note about his day (``interactions: daily``)."""

    __tablename__ = "gathered"
    personal: ClassVar = {
        "payload": "What you did today, until the companies' systems are told of it in one note.",
    }
    plain = frozenset({"connector", "id", "subject", "day", "at"})
    person: ClassVar = {"subject": "subject", "payload": "mention"}
    clock = "webhooks"
    aged_by = "at"
    __table_args__ = (sa.Index("ix_gathered_day", "connector", "day", "subject"),)

    connector: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(Key(), primary_key=True)
    """That of the fact, as in the payload."""
    subject: Mapped[str]
    day: Mapped[date]
    """On which it became known, in the CRM's time zone."""
    payload: Mapped[dict[str, Any]] = mapped_column(Json)
    at: Mapped[Moment]
    """When it became known."""


class Pause(Base):
    """
    A connector that is told nothing for a while, and why.

    Where calls had no answer it is its circuit breaker (``breaker.py``): until ``until`` nothing
    is sent, then one message at a time, until one is answered.
    """

    __tablename__ = "pause"
    plain = frozenset({"connector", "until", "because", "failures", "since"})

    connector: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[MaybeMoment]
    """None: until a person lifts it."""
    because: Mapped[str]
    failures: Mapped[Count]
    """How many calls in a row had no answer…"""
    since: Mapped[MaybeMoment]
    """…and when the first of them was made."""


class OutcomeCount(Base):
    """How many attempts to tell a connector something had an outcome; only ever rises."""

    __tablename__ = "outcome_count"
    plain = frozenset({"connector", "outcome", "number"})

    connector: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str] = mapped_column(primary_key=True)
    """One of ``connectors/rules.py: Outcome``."""
    number: Mapped[int] = mapped_column(Sequence)
