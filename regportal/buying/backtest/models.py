"""Back-tests that programs asked for."""

import enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Count, Id, Json, MaybeMoment, Moment, choice


class TrialState(enum.StrEnum):
    """How far a back-test has come."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Trial(Base):
    """A draft of rules that a program wants tried on the history, and what came of it."""

    __tablename__ = "backtest"
    plain = frozenset(
        {
            *("id", "rules", "since", "until", "state", "asked_at", "lease", "ended_at"),
            *("tried", "of", "report", "trouble"),
        }
    )

    id: Mapped[Id]
    rules: Mapped[dict[str, Any]] = mapped_column(sa.JSON())
    """The draft, in the order it was written."""
    since: Mapped[MaybeMoment]
    until: Mapped[MaybeMoment]
    state: Mapped[TrialState] = mapped_column(choice(TrialState))
    asked_at: Mapped[Moment]
    lease: Mapped[MaybeMoment]
    """When whoever runs it must have died, unless he said something since."""
    ended_at: Mapped[MaybeMoment]
    tried: Mapped[Count]
    """Opportunities gone through, ``of`` so many."""
    of: Mapped[Count]
    report: Mapped[dict[str, Any] | None] = mapped_column(Json)
    trouble: Mapped[str | None]
