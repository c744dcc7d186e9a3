"""
A draft of rules in shadow: it hears everything the published rules hear, and nobody hears of it.

Between a back-test and publishing a draft may run beside the rules that hold, on what happens from
now on. Its moves are kept, and told to no CRM; scores, forms and pages do not know of it.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying import evidence
from regportal.buying.compiled import compiled
from regportal.buying.following import Following
from regportal.buying.models import (
    KeptStanding,
    Opportunity,
    ShadowMove,
    ShadowRules,
    ShadowStanding,
)
from regportal.buying.place import own_every_place
from regportal.buying.reading import model_of
from regportal.buying.rules import Step
from regportal.buying.schema import Buying
from regportal.buying.subjects import Subjects
from regportal.errors import NotHereError, StaleError
from regportal.store.documents import Published
from regportal.store.facts import table_of
from regportal.store.ids import uuid7


@dataclass(slots=True)
class Shadow(Following):
    """The people and opportunities of one transaction, under the draft in shadow."""

    table: ClassVar[sa.Table] = table_of(ShadowStanding)

    moves: list[ShadowMove] = field(default_factory=list)

    @classmethod
    def of(cls, session: Session, published: Published) -> "Shadow | None":
        """Return nobody yet, under the draft in shadow; None: there is none."""
        rules = rules_in_shadow(session)
        if rules is None:
            return None
        return cls(session, published, compiled(Buying.model_validate(rules.rules)))

    def _step(self, opportunity: Opportunity, step: Step, at: datetime, cause: str) -> None:
        """Keep that it would have taken a step."""
        self._move(opportunity, step.came_from, step.to, at, cause, step)

    def _came_out(
        self,
        opportunity: Opportunity,
        came_from: str | None,
        last: Step | None,
        at: datetime,
        cause: str,
    ) -> None:
        """Keep that it would have moved; where it is found first, it begins."""
        to = self.model.names[self._kept[opportunity.id].standing.phase]
        if came_from is None or came_from == to:
            return
        if cause == "event" and self.model.index(to) < self.model.index(came_from):
            cause = "correction"
        self._move(opportunity, came_from, to, at, cause, last)

    def _before_anew(self, opportunity: Opportunity, at: datetime) -> None:
        """Do nothing: nobody says anything over a draft."""

    def _about_to_read(self, opportunities: Collection[uuid.UUID]) -> None:
        """Do nothing, for the same reason."""

    def _move(
        self,
        opportunity: Opportunity,
        came_from: str,
        to: str,
        at: datetime,
        cause: str,
        last: Step | None,
    ) -> None:
        """Keep a move that nobody is told."""
        self.moves.append(
            ShadowMove(
                id=uuid7(),
                opportunity_id=opportunity.id,
                from_phase=came_from,
                to_phase=to,
                at=at,
                cause=cause,
                evidence=evidence.kept_step(last),
            )
        )

    def keep(self) -> None:
        """Write every standing that became another one, and what would have moved."""
        Following.keep(self)
        self.session.add_all(self.moves)


class Followed(NamedTuple):
    """What is worked out from the log: by the rules that hold, and by the draft in shadow."""

    live: Subjects
    all: tuple[Following, ...]

    @classmethod
    def of(cls, session: Session, published: Published) -> "Followed":
        """Return nobody yet, under the one and the other."""
        live, shadow = Subjects.of(session, published), Shadow.of(session, published)
        return cls(live, (live,) if shadow is None else (live, shadow))

    def keep(self) -> None:
        """Write every standing that became another one."""
        for each in self.all:
            each.keep()


def rules_in_shadow(session: Session) -> ShadowRules | None:
    """Return the draft in shadow; None: there is none."""
    return session.scalars(sa.select(ShadowRules)).first()


def begin(session: Session, published: Published, draft: Buying, *, now: datetime) -> ShadowRules:
    """
    Let a draft run beside the published rules from now on.

    Raises StaleError where one runs already, or the draft is what is published.
    """
    own_every_place(session)
    running = rules_in_shadow(session)
    if running is not None:
        raise StaleError("a draft is in shadow already: end it first (regportal shadow end)")
    if compiled(draft).digest == compiled(model_of(published)[0]).digest:
        raise StaleError("these are the rules that are published")
    rules = ShadowRules(id=uuid7(), rules=draft.as_written(), begun_at=now)
    session.add(rules)
    session.flush()
    find_lost_shadows(session)
    return rules


def end(session: Session) -> None:
    """Let no draft run any more, and forget what it said; raise NotHereError where none does."""
    own_every_place(session)
    if rules_in_shadow(session) is None:
        raise NotHereError("no draft is in shadow")
    for model in (ShadowMove, ShadowStanding, ShadowRules):
        session.execute(sa.delete(model).execution_options(synchronize_session=False))


def end_where_published(session: Session, published: Published) -> None:
    """End the draft in shadow where it is what is published now."""
    rules = rules_in_shadow(session)
    if rules is None:
        return
    draft = Buying.model_validate(rules.rules)
    if compiled(draft).digest == compiled(model_of(published)[0]).digest:
        end(session)


def find_lost_shadows(session: Session) -> None:
    """Note everybody who stands somewhere under the published rules, and not under the draft."""
    if rules_in_shadow(session) is None:
        return
    there = sa.exists().where(ShadowStanding.subject_id == KeptStanding.subject_id)
    lost = sa.select(
        KeptStanding.subject_id,
        KeptStanding.subject,
        sa.literal(""),
        sa.literal(""),
        KeptStanding.phase,
        KeptStanding.since,
        KeptStanding.as_of,
    ).where(~there)
    columns = ["subject_id", "subject", "rules", "state", "phase", "since", "as_of"]
    session.execute(sa.insert(ShadowStanding).from_select(columns, lost))
