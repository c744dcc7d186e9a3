"""What marketers are writing and have not published yet."""

import enum
import uuid
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Count, Id, MaybeMoment, Moment, Sequence, choice


class DraftState(enum.StrEnum):
    """How far a draft has come."""

    OPEN = "open"
    PROPOSED = "proposed"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"


class Draft(Base):
    """One or several documents that a colleague is writing; published together, or not at all."""

    __tablename__ = "draft"
    plain = frozenset(
        {"id", "state", "begun_at", "changed_at", "due", "trouble", "publication", "revision"}
    )
    personal: ClassVar = {
        "begun_by": "Which colleague began to write it.",
        "changed_by": "Which colleague wrote it last.",
        "proposed_by": "Which colleague asked another one to look at it.",
        "scheduled_by": "Which colleague let it be published later.",
        "note": "What they said about it.",
    }
    outlives = "Who of the company's own people wrote what is part of what was written."

    id: Mapped[Id]
    state: Mapped[DraftState] = mapped_column(choice(DraftState))
    begun_by: Mapped[str]
    begun_at: Mapped[Moment]
    changed_by: Mapped[str]
    changed_at: Mapped[Moment]
    revision: Mapped[Count]
    """How often it was written anew: whoever decides says which of these was looked at."""
    proposed_by: Mapped[str | None]
    scheduled_by: Mapped[str | None]
    due: Mapped[MaybeMoment] = mapped_column(index=True)
    """When it is published by itself."""
    note: Mapped[str | None]
    trouble: Mapped[str | None]
    """Why it could not be published when it was due."""
    publication: Mapped[int | None] = mapped_column(Sequence, sa.ForeignKey("publication.number"))


class DraftDocument(Base):
    """One document of a draft, and the version that it was written from."""

    __tablename__ = "draft_document"
    plain = frozenset({"draft_id", "kind", "key", "position", "body", "base"})

    draft_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("draft.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    body: Mapped[dict[str, Any]] = mapped_column(sa.JSON())
    """In the order it was written, faults and all."""
    base: Mapped[int | None]
    """The version that held when it was begun; NULL: it was new, or archived."""
