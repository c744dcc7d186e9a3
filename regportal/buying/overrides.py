"""What colleagues say over the rules: which of it holds, and whether it came true."""

import uuid
from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.compiled import Model
from regportal.buying.models import Ended, PhaseOverride
from regportal.store.among import among

UNJUDGED = frozenset({Ended.REPLACED, Ended.RULES})
"""Ends that settle nothing: what had not come true by then might have."""

HOLDING = sa.select(PhaseOverride).where(
    among(PhaseOverride.opportunity_id), PhaseOverride.ended_at.is_(None)
)


def holding(
    session: Session, opportunities: Collection[uuid.UUID]
) -> dict[uuid.UUID, PhaseOverride]:
    """Return what holds over the rules, by opportunity."""
    rows = session.scalars(HOLDING, {"ids": opportunities})
    return {said.opportunity_id: said for said in rows}


def last_said(
    session: Session, opportunity: uuid.UUID, on: datetime | None = None
) -> PhaseOverride | None:
    """Return what was said last over the rules of an opportunity, whether it holds or not."""
    said = sa.select(PhaseOverride).where(PhaseOverride.opportunity_id == opportunity)
    if on is not None:
        said = said.where(PhaseOverride.since <= on)
    return session.scalars(
        said.order_by(PhaseOverride.since.desc(), PhaseOverride.id.desc()).limit(1)
    ).first()


def next_end(session: Session) -> datetime | None:
    """Return when the next override ends by itself; None: none holds."""
    ends = sa.select(sa.func.min(PhaseOverride.until)).where(PhaseOverride.ended_at.is_(None))
    found: datetime | None = session.scalar(ends)
    return found


def over(session: Session, at: datetime, most: int) -> list[PhaseOverride]:
    """Return some of the overrides whose time is over at a moment, the oldest first."""
    return [
        *session.scalars(
            sa.select(PhaseOverride)
            .where(PhaseOverride.ended_at.is_(None), PhaseOverride.until <= at)
            .order_by(PhaseOverride.until, PhaseOverride.id)
            .limit(most)
        )
    ]


def note(model: Model, said: PhaseOverride, phase: str, at: datetime) -> None:
    """
    Keep that the rules are in a phase while this holds: when they first came as far.

    What only holds what they say is not said against them before they say something else.
    """
    if said.rules_phase == said.phase:
        said.rules_phase = phase
    if said.is_further is None:  # they said the same, or it began before this was kept
        said.is_further = is_further(model, said.phase, said.rules_phase)
    apart = is_further(model, said.phase, phase)
    if said.came_at is None and said.is_further is not None and apart is not said.is_further:
        said.came_at = max(at, said.since)


def is_further(model: Model, phase: str, rules_phase: str) -> bool | None:
    """Return whether a phase lies beyond that of the rules; None: it is the same."""
    if phase == rules_phase:
        return None
    return model.index(phase) > model.index(rules_phase)


def was_right(said: PhaseOverride) -> bool | None:
    """
    Return whether it was right against the rules; None: not yet, or nobody can tell.

    It was, if the rules came as far while it held. If they did not, the end of the purchase tells,
    or else they were right. Rules that are published afterwards change nothing of it.

    >>> def warm(ended):
    ...     return PhaseOverride(phase="warm", rules_phase="cold", is_further=True, ended=ended)
    >>> [was_right(warm(ended)) for ended in (Ended.TIME, Ended.WON, Ended.LOST)]
    [False, True, False]
    >>> [was_right(warm(ended)) for ended in (None, Ended.REPLACED, Ended.RULES)]
    [None, None, None]
    """
    if said.came_at is not None:
        return True
    if said.ended is None or said.ended in UNJUDGED or said.phase == said.rules_phase:
        return None
    if said.ended in {Ended.WON, Ended.LOST}:
        return None if said.is_further is None else said.is_further is (said.ended is Ended.WON)
    return False
