"""How every person stands under every score, and each threshold that was passed."""

import uuid
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Id, Json, MaybeMoment, Moment


class ScoreState(Base):
    """
    What is remembered of one person under one score: all of it can be made anew from the log.

    ``rank`` never changes by itself, so what is asked at any time is found by an index.
    """

    __tablename__ = "score_state"
    personal: ClassVar = {
        "fixed": "Points for what you told us of yourself, to see what is worth your time.",
        "sums": "Points for what you did, each with its time, so that they fade.",
        "rank": "Where that puts you among others, to find whom to call first.",
        "level": "Which of the company's thresholds that reaches.",
        "wake_at": "When it will have faded below one.",
    }
    plain = frozenset({"contact_id", "score", "version"})
    person: ClassVar = {"contact_id": "contact.id"}
    clock = "contacts"
    __table_args__ = (
        sa.Index("ix_score_state_rank", "score", "fixed", "rank"),
        sa.Index("ix_score_state_level", "score", "version", "level", "rank", "contact_id"),
        sa.Index(
            "ix_score_state_wake_at",
            "wake_at",
            sqlite_where=sa.text("wake_at IS NOT NULL"),
            postgresql_where=sa.text("wake_at IS NOT NULL"),
        ),
    )

    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contact.id"), primary_key=True)
    """The contact that stands for the person: whoever has several addresses has one score."""
    score: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    """Of the score's document; of another one it says nothing any more."""
    fixed: Mapped[int]
    sums: Mapped[dict[str, Any]] = mapped_column(Json)
    rank: Mapped[float | None] = mapped_column(sa.Double())
    level: Mapped[str | None]
    wake_at: Mapped[MaybeMoment]


class ScoreCrossing(Base):
    """A threshold that somebody's score passed, upwards or downwards; never changed."""

    __tablename__ = "score_crossing"
    personal: ClassVar = {
        "at": "When your score passed one of the company's thresholds.",
        "value": "What it was then.",
        "from_level": "Which threshold it reached before.",
        "to_level": "Which threshold it reached then.",
        "cause": "Whether you did something, told us something, or time went by.",
    }
    plain = frozenset({"id", "contact_id", "score", "version"})
    person: ClassVar = {"contact_id": "contact.id"}
    clock = "contacts"
    aged_by = "at"
    __table_args__ = (sa.Index("ix_score_crossing_contact", "contact_id", "score", "at"),)

    id: Mapped[Id]
    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contact.id"))
    score: Mapped[str]
    version: Mapped[int]
    at: Mapped[Moment]
    value: Mapped[float] = mapped_column(sa.Double())
    from_level: Mapped[str | None]
    to_level: Mapped[str | None]
    cause: Mapped[str]
    """event, answer, timer, or replay: the past, or the score, is another one now."""
