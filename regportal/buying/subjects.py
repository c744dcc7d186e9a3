"""Where people and opportunities stand under the rules that are published, and what moves."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying import evidence, overrides
from regportal.buying.compiled import compiled
from regportal.buying.facts import moment
from regportal.buying.following import Following
from regportal.buying.models import (
    Ended,
    KeptStanding,
    Move,
    Opportunity,
    PhaseOverride,
    SubjectKind,
)
from regportal.buying.reading import model_of
from regportal.buying.rules import Step
from regportal.buying.saying import denied, evidence_of
from regportal.store.documents import Published
from regportal.store.facts import table_of
from regportal.store.ids import uuid7


@dataclass(slots=True)
class Subjects(Following):
    """Those of one transaction, under the model that is published."""

    table: ClassVar[sa.Table] = table_of(KeptStanding)

    version: int = 0
    moves: list[tuple[Opportunity, Move]] = field(default_factory=list)
    _said: dict[uuid.UUID, PhaseOverride | None] = field(default_factory=dict)

    @classmethod
    def of(cls, session: Session, published: Published) -> "Subjects":
        """Return nobody yet, under the model that is published."""
        buying, version = model_of(published)
        return cls(session, published, compiled(buying), version=version)

    # --- what a person says over the rules ---

    def said(self, opportunity: uuid.UUID) -> PhaseOverride | None:
        """
        Return what holds over the rules; None: nothing.

        It is read at once of all that this transaction is about.
        """
        if opportunity not in self._said:
            kinds = self._kinds.items()
            others = (one for one, kind in kinds if kind is SubjectKind.OPPORTUNITY)
            self._about_to_read({opportunity, *others})
        return self._said[opportunity]

    def by_rules(self, opportunity: Opportunity) -> str:
        """Return the phase the rules say, or said last where that is not worked out yet."""
        kept, said = self._kept.get(opportunity.id), self.said(opportunity.id)
        if kept is not None:
            return self.model.names[kept.standing.phase]
        return opportunity.phase if said is None else said.rules_phase

    def say(self, opportunity: Opportunity, said: PhaseOverride) -> None:
        """Let a person's word hold over the rules; where the phase is that one, nothing moves."""
        self._said[opportunity.id] = said
        if said.phase != opportunity.phase:
            because = evidence.kept_override(said.id)
            self._move(opportunity, said.phase, said.since, "override", because)

    def lift(
        self, opportunity: Opportunity, ended: Ended, at: datetime, to: str | None = None
    ) -> None:
        """
        Let nothing hold over the rules any more: the opportunity is in their phase, or in ``to``.

        One that is closed stays as it is.
        """
        said = self.said(opportunity.id)
        if said is None:
            return
        to = to or self.by_rules(opportunity)
        said.ended, said.ended_at = ended, at
        self._said[opportunity.id] = None
        if to != opportunity.phase and not opportunity.is_closed:
            ends = evidence.kept_override(said.id, ended.value)
            _, steps = self.folded(opportunity.id, moment(at))
            last = steps[-1][1] if steps and steps[-1][1].to == to else None
            self._move(opportunity, to, at, "override", [*ends, *evidence.kept_step(last)])

    def lift_what_is_over(
        self, opportunity: Opportunity, at: datetime, to: str | None = None
    ) -> None:
        """Let what holds over the rules end where its time is over at a moment."""
        said = self.said(opportunity.id)
        if said is not None and said.until <= at:
            self.lift(opportunity, Ended.TIME, said.until, to)

    def _about_to_read(self, opportunities: Collection[uuid.UUID]) -> None:
        """Read what holds over the rules of those of which it was not read yet."""
        new = {*opportunities} - self._said.keys()
        if new:
            self._said |= dict.fromkeys(new) | overrides.holding(self.session, new)

    def _holds(self, opportunity: Opportunity, phase: str, at: datetime) -> bool:
        """Return whether a person's word holds, and keep that the rules are in a phase by then."""
        said = self.said(opportunity.id)
        if said is not None and said.phase not in self.model.names:
            self.lift(opportunity, Ended.RULES, at)
            said = None
        if said is not None:
            overrides.note(self.model, said, phase, at)
        return said is not None

    # --- what came of it ---

    def _step(self, opportunity: Opportunity, step: Step, at: datetime, cause: str) -> None:
        """Let an opportunity take a step of the rules, unless a person's word holds over them."""
        self.lift_what_is_over(opportunity, at, step.came_from)
        if not self._holds(opportunity, step.to, at):
            self._move(opportunity, step.to, at, cause, evidence.kept_step(step))

    def _came_out(
        self,
        opportunity: Opportunity,
        came_from: str | None,
        last: Step | None,
        at: datetime,
        cause: str,
    ) -> None:
        """Let an opportunity be where the rules are, unless a person's word holds: one move."""
        del came_from
        to = self.by_rules(opportunity)
        if self._holds(opportunity, to, at):
            return
        now, before = self.model.index(to), self.model.index(opportunity.phase)
        if now == before:
            return
        why = evidence.kept_step(last)
        if now < before and cause == "event":
            cause = "correction"  # something that counted no longer does
        if cause == "correction":
            rested_on = self._last_evidence(opportunity)
            why += evidence.kept_denials(denied(self.session, rested_on, at))
        self._move(opportunity, to, at, cause, why)

    def _before_anew(self, opportunity: Opportunity, at: datetime) -> None:
        """Let what was said over the rules end with its time, and with the purchase."""
        self.lift_what_is_over(opportunity, at)
        if opportunity.is_closed:
            self.lift(opportunity, Ended.WON if opportunity.is_won else Ended.LOST, at)

    def _last_evidence(self, opportunity: Opportunity) -> list[Any]:
        """Return what the last move of an opportunity rests on, kept or not yet."""
        mine = [move.evidence for one, move in self.moves if one.id == opportunity.id]
        return mine[-1] if mine else evidence_of(self.session, opportunity.id)

    def _move(
        self,
        opportunity: Opportunity,
        to: str,
        at: datetime,
        cause: str,
        because: list[dict[str, Any]],
    ) -> None:
        """
        Let an opportunity be in another phase, and keep why; never before it came into this one.

        What a colleague took back meanwhile is later than what the worker reads only now.
        """
        at = max(at, opportunity.phase_since)
        move = Move(
            id=uuid7(),
            opportunity_id=opportunity.id,
            from_phase=opportunity.phase,
            to_phase=to,
            at=at,
            cause=cause,
            evidence=because,
            rules_version=self.version,
        )
        opportunity.phase, opportunity.phase_since = to, at
        self.moves.append((opportunity, move))
