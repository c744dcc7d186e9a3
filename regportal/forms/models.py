"""What was asked, and what was answered."""

import enum
import uuid
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.identity.models import Assurance
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
    choice,
)
from regportal.tracking.models import Judged


class Outcome(enum.StrEnum):
    """What became of a form that was shown."""

    ANSWERED = "answered"
    DECLINED = "declined"
    PASSED = "passed"
    """Nothing was asked; the button was pressed."""


class Shown(Base):
    """
    A measurement: this form was shown, and perhaps sent. The funnel is counted from it.

    No rule, score or webhook reads it. ``id`` is the nonce of the ask token. What a machine was
    shown is kept, and judged like everything else (``tracking/judging.py``).
    """

    __tablename__ = "shown"
    personal: ClassVar = {
        "shown_at": "To count which question puts people off; no rule reads it.",
        "because": "Why you were asked this question, and not another one.",
        "judged": "Whether it was shown to a person, or to a machine.",
        "judged_because": "Why we took it for a machine's.",
    }
    plain = frozenset(
        {
            "id",
            "gate",
            "asked_email",
            "question",
            "wording",
            "newsletter",
            "visitor_id",
            "outcome",
            "settled_at",
            "judged_by",
        }
    )
    person: ClassVar = {"visitor_id": "visitor.id"}
    clock = "anonymous"
    aged_by = "id"

    id: Mapped[Id]
    gate: Mapped[str] = mapped_column(index=True)
    asked_email: Mapped[Flag]
    question: Mapped[str | None]
    wording: Mapped[str | None]
    because: Mapped[dict[str, Any] | None] = mapped_column(Json, nullable=True)
    """Why this question was chosen (``forms/planner.py``)."""
    newsletter: Mapped[str | None]
    visitor_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    shown_at: Mapped[Moment]
    outcome: Mapped[Outcome | None] = mapped_column(choice(Outcome))
    settled_at: Mapped[MaybeMoment]
    judged: Mapped[Judged] = mapped_column(choice(Judged), server_default=Judged.PERSON)
    judged_because: Mapped[str | None]
    judged_by: Mapped[str | None]
    """The version of the rules; None of what was shown before anybody judged it."""


class Counted(Base):
    """
    What became of the forms that asked people one question at one gate, counted once a night.

    A cache: it can be counted anew from what was shown, of which it names nobody.
    """

    __tablename__ = "counted"
    personal: ClassVar = {}
    plain = frozenset({"gate", "question", "shown", "answered", "declined", "counted_at"})

    gate: Mapped[str] = mapped_column(primary_key=True)
    question: Mapped[str] = mapped_column(primary_key=True)
    shown: Mapped[Count]
    answered: Mapped[Count]
    declined: Mapped[Count]
    counted_at: Mapped[Moment]


class Exposure(Base):
    """A measurement: whom an experiment showed which of its ways, and when first."""

    __tablename__ = "exposure"
    personal: ClassVar = {
        "arm": "Which of several wordings or orders you met, to see which works.",
        "at": "When you met it first.",
    }
    plain = frozenset({"id", "experiment", "version", "visitor_id", "shown_id"})
    person: ClassVar = {"visitor_id": "visitor.id"}
    clock = "anonymous"
    aged_by = "at"
    __table_args__ = (sa.Index("ix_exposure_experiment", "experiment", "version"),)

    id: Mapped[Id]
    """Made of the three that follow: the first time is the one that is kept."""
    experiment: Mapped[str]
    version: Mapped[int]
    """Of the experiment's document: whoever changes it begins anew."""
    visitor_id: Mapped[uuid.UUID] = mapped_column(index=True)
    arm: Mapped[str]
    shown_id: Mapped[uuid.UUID]
    at: Mapped[Moment]

    @staticmethod
    def id_of(experiment: str, version: int, visitor_id: uuid.UUID) -> uuid.UUID:
        """Return the key under which it stands that somebody met an experiment."""
        return uuid.uuid5(visitor_id, f"{experiment} {version}")


class StoppedArm(Base):
    """A fact: from then on an arm of an experiment is shown to nobody."""

    __tablename__ = "stopped_arm"
    personal: ClassVar = {}
    plain = frozenset({"experiment", "version", "arm", "at", "because"})

    experiment: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    arm: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[Moment]
    because: Mapped[JsonObject]
    """How many were seen of it and of the first arm, and went on."""


class ShownTo(Base):
    """How a form was asked for, by its id: so that whom it was shown to can be judged again."""

    __tablename__ = "shown_to"
    personal: ClassVar = {
        "agent": "The name your browser gives itself, to tell people from machines.",
    }
    plain = frozenset({"id", "purpose", "visitor_id"})
    person: ClassVar = {"visitor_id": "visitor.id"}
    clock = "network"
    aged_by = "id"

    id: Mapped[Id]
    agent: Mapped[str | None]
    """None: a server asked, and said nothing of its visitor's browser."""
    purpose: Mapped[str | None]
    visitor_id: Mapped[uuid.UUID | None] = mapped_column(index=True)


class Submission(Base):
    """A form that was taken, by the nonce of its ask token: sent twice, it has one effect."""

    __tablename__ = "submission"
    personal: ClassVar = {
        "gate": "Which form was sent: sent twice, it has one effect.",
        "newsletter": "Which newsletter was offered, so that it is not offered for ever.",
        "newsletter_taken": "Whether its box was ticked.",
        "at": "When the form was sent.",
    }
    plain = frozenset({"id", "content", "visitor_id"})
    person: ClassVar = {"visitor_id": "visitor.id"}
    clock = "anonymous"
    aged_by = "id"

    id: Mapped[uuid.UUID] = mapped_column(Key(), primary_key=True)
    gate: Mapped[str]
    content: Mapped[bytes]
    """SHA-256 of what was sent: the same again is the same answer, other content is refused."""
    visitor_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("visitor.id"), index=True)
    newsletter: Mapped[str | None]
    newsletter_taken: Mapped[Flag]
    at: Mapped[Moment]


class Answer(Base):
    """
    One reply to one question, or "I would rather not say", with its wording and its time.

    An answer of a claim has ``claim_id`` and assurance ``claimed`` until its owner says yes.
    The newest that is not ``claimed`` is what we know of a contact.
    """

    __tablename__ = "answer"
    personal: ClassVar = {
        "value": "Your answer: to give you what fits you, and not to ask again.",
        "original": "Your answer as you typed it, in case we read it wrongly.",
        "declined": "That you would rather not say, so that we do not ask again soon.",
        "question": "What you were asked.",
        "wording": "The exact words you were asked in.",
        "gate": "Where you were asked.",
        "assurance": "How sure we are that the answer is yours.",
        "answered_at": "When you answered: old answers are asked for anew, or deleted.",
    }
    plain = frozenset({"id", "shown_id", "visitor_id", "visit_id", "claim_id", "contact_id"})
    person: ClassVar = {
        "contact_id": "contact.id",
        "claim_id": "claim.id",
        "visitor_id": "visitor.id",
    }
    clock = "contacts"
    aged_by = "answered_at"
    __table_args__ = (sa.Index("ix_answer_contact", "contact_id", "question"),)

    id: Mapped[Id]
    question: Mapped[str]
    value: Mapped[Any] = mapped_column(Json, nullable=True)
    original: Mapped[str | None]
    declined: Mapped[Flag]
    wording: Mapped[str | None] = mapped_column(sa.ForeignKey("wording.digest"))
    gate: Mapped[str | None]
    shown_id: Mapped[uuid.UUID | None]
    """The form that asked it, as long as that is kept; None where nobody was asked."""
    visitor_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("visitor.id"), index=True)
    visit_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("visit.id"), index=True)
    claim_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("claim.id"), index=True)
    contact_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("contact.id"))
    assurance: Mapped[Assurance] = mapped_column(choice(Assurance))
    answered_at: Mapped[Moment]


class NeverAsk(Base):
    """A question somebody does not want to be asked again, at any gate."""

    __tablename__ = "never_ask"
    personal: ClassVar = {
        "question": "What you do not want to be asked again.",
        "at": "When you told us.",
    }
    plain = frozenset({"contact_id"})
    person: ClassVar = {"contact_id": "contact.id"}
    clock = "contacts"

    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contact.id"), primary_key=True)
    question: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[Moment]
