"""
Where people and opportunities stand, as one transaction finds them and leaves them.

What somebody did goes on from the standing that is kept. Whatever else becomes known, and what
became known before the moment until which a standing was worked out, makes it anew from all that
holds. So it is at all times the fold of what holds (`buying/folding.py`), and may be lost.
"""

import uuid
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying import evidence
from regportal.buying.compiled import Model, compiled
from regportal.buying.facts import Sign, moment, when
from regportal.buying.folding import Deal, Known, Line, Past, fold_deal, gathered, past_of, reached
from regportal.buying.models import ContactRole, KeptStanding, Move, Opportunity, SubjectKind
from regportal.buying.past import deals_of, lives_of, sign_of
from regportal.buying.people import Person, people_of
from regportal.buying.reading import model_of
from regportal.buying.rules import Step, fold
from regportal.buying.standing import NEVER, Standing, read, written
from regportal.store.documents import Published
from regportal.store.facts import insert_in, table_of
from regportal.store.ids import uuid7

STANDING = table_of(KeptStanding)
BACK = frozenset({"event", "merge"})
"""Causes that are called a correction where they take a phase back."""


@dataclass(slots=True)
class Kept:
    """A standing, and until when it was worked out (microseconds)."""

    standing: Standing
    as_of: int
    is_new: bool = False
    """Whether it must be written."""


@dataclass(slots=True)
class Subjects:
    """The people and opportunities of one transaction, under the model that is published."""

    session: Session
    published: Published
    model: Model
    version: int
    moves: list[tuple[Opportunity, Move]] = field(default_factory=list)
    _kept: dict[uuid.UUID, Kept] = field(default_factory=dict)
    _kinds: dict[uuid.UUID, SubjectKind] = field(default_factory=dict)
    _lives: dict[uuid.UUID, Sequence[Known]] = field(default_factory=dict)
    _deals: dict[uuid.UUID, tuple[Deal, Mapping[uuid.UUID, Person]]] = field(default_factory=dict)
    _gone: set[uuid.UUID] = field(default_factory=set)

    @classmethod
    def of(cls, session: Session, published: Published) -> "Subjects":
        """Return nobody yet, under the model that is published."""
        buying, version = model_of(published)
        return cls(session, published, compiled(buying), version)

    def recall(self, people: Collection[uuid.UUID], opportunities: Collection[uuid.UUID]) -> None:
        """Read what is kept of these; what belongs to other rules is no good any more."""
        self._kinds |= dict.fromkeys(people, SubjectKind.PERSON)
        self._kinds |= dict.fromkeys(opportunities, SubjectKind.OPPORTUNITY)
        if not people and not opportunities:
            return
        rows = self.session.execute(
            sa.select(STANDING.c.subject_id, STANDING.c.state, STANDING.c.as_of).where(
                STANDING.c.subject_id.in_([*people, *opportunities]),
                STANDING.c.rules == self.model.digest,
            )
        )
        for subject, state, as_of in rows:
            standing = read(state, self.model.digest, uuid.UUID)
            if standing is not None:
                self._kept[subject] = Kept(standing, moment(as_of))

    def read_ahead(self, people: Iterable[Person], opportunities: Iterable[uuid.UUID]) -> None:
        """Read at once what those need of whom nothing good is kept: they are worked out anew."""
        self._read_deals(one for one in opportunities if one not in self._kept)
        self._read({one.id: one for one in people if one.id not in self._kept})

    # --- what somebody did ---

    def hear(
        self,
        whose: Person,
        signs: Sequence[Sign],
        since: datetime,
        at: datetime,
        opportunities: Sequence[Opportunity],
    ) -> None:
        """
        Let a person and his opportunities know what he did, which became known at ``since``.

        ``at`` is the log's own time, which is later where something else was read before it.
        """
        heard = moment(since)
        facts = [sign_of(sign, whose.id) for sign in sorted(signs, key=lambda one: str(one.id))]
        kept = self._kept.get(whose.id)
        if kept is None or heard <= kept.as_of:
            self.look_again([whose], opportunities, at, "event")
            return
        news: list[Line] = gathered(((heard, 0), fact) for fact in facts)
        steps = self._go_on(kept, news, heard)
        if steps:
            told = [((heard, 0), fact) for fact in facts]
            news = gathered([*told, *reached(whose.id, steps, {heard})])
        for opportunity in opportunities:
            self._tell(opportunity, news, heard, at, "event")

    def _tell(
        self,
        opportunity: Opportunity,
        news: Sequence[Line],
        heard: int,
        at: datetime,
        cause: str,
    ) -> None:
        """Let an opportunity know what somebody did, and how far that led him by himself."""
        kept = self._kept.get(opportunity.id)
        if kept is None or news[0][0] <= kept.as_of:
            self._anew(opportunity, at, cause)
            return
        for moved_at, step in self._go_on(kept, news, heard):
            self._move(opportunity, step, when(moved_at), cause if moved_at == heard else "timer")

    def _go_on(self, kept: Kept, news: Sequence[Line], until: int) -> list[tuple[int, Step]]:
        """Let a standing hear news; return the steps it took."""
        _, steps = fold(self.model, news, until, standing=kept.standing)
        kept.as_of, kept.is_new = until, True
        return steps

    # --- time ---

    def wake(self, whose: Person, opportunities: Sequence[Opportunity], at: int) -> None:
        """Look at a person although nothing happened; his opportunities hear of his steps."""
        kept = self._kept.get(whose.id)
        if kept is None:
            return
        news = gathered(reached(whose.id, self._go_on(kept, (), at), ()))
        for opportunity in opportunities if news else ():
            self._tell(opportunity, news, at, when(at), "timer")

    def wake_opportunity(self, opportunity: Opportunity, at: int) -> None:
        """Look at an opportunity although nothing happened."""
        kept = self._kept.get(opportunity.id)
        if kept is not None and kept.as_of <= at:
            for moved_at, step in self._go_on(kept, (), at):
                self._move(opportunity, step, when(moved_at), "timer")

    # --- all anew ---

    def look_again(
        self,
        people: Sequence[Person],
        opportunities: Iterable[Opportunity],
        at: datetime,
        cause: str,
    ) -> None:
        """Work out anew where these stand by all that holds at a moment."""
        for whose in people:
            now = self._not_before(whose.id, at)
            self._kinds[whose.id] = SubjectKind.PERSON
            self._kept[whose.id] = Kept(self.past(whose, now).standing, now, is_new=True)
            self._gone |= whose.contacts - {whose.id}
        for opportunity in opportunities:
            self._anew(opportunity, at, cause)

    def _anew(self, opportunity: Opportunity, at: datetime, cause: str) -> None:
        """
        Work out anew where an opportunity stands.

        Where that is another phase than the one it is in, it is one move, now. Whatever time alone
        did until now it did before.
        """
        self._kinds[opportunity.id] = SubjectKind.OPPORTUNITY
        now = self._not_before(opportunity.id, at)
        self.wake_opportunity(opportunity, now)
        if opportunity.is_closed:
            self._kept.pop(opportunity.id, None)
            self._gone.add(opportunity.id)
            return
        standing, steps = self.folded(opportunity.id, now)
        self._kept[opportunity.id] = Kept(standing, now, is_new=True)
        before = self.model.index(opportunity.phase)
        if standing.phase != before:
            because = steps[-1][1].because if steps else ()
            cause = "correction" if standing.phase < before and cause in BACK else cause
            to = self.model.names[standing.phase]
            self._move(opportunity, Step(opportunity.phase, to, because), when(now), cause)

    def _not_before(self, subject: uuid.UUID, at: datetime) -> int:
        """Return the moment until which a standing is worked out: never one that is past."""
        kept = self._kept.get(subject)
        return moment(at) if kept is None else max(moment(at), kept.as_of)

    def folded(self, opportunity: uuid.UUID, at: int) -> tuple[Standing, list[tuple[int, Step]]]:
        """Return where an opportunity stands by all that holds at a moment; writes nothing."""
        deal, people = self._deal(opportunity)
        pasts: dict[Hashable, Past] = {
            whose: self.past(person, at) for whose, person in people.items()
        }
        return fold_deal(self.model, deal, pasts, at)

    def _deal(self, opportunity: uuid.UUID) -> tuple[Deal, Mapping[uuid.UUID, Person]]:
        """Return what is known of an opportunity, and who ever had a part; read once."""
        self._read_deals([opportunity])
        return self._deals[opportunity]

    def _read_deals(self, opportunities: Iterable[uuid.UUID]) -> None:
        """Read those of these opportunities that were not read yet, with everybody in them."""
        new = [one for one in opportunities if one not in self._deals]
        if not new:
            return
        roles = sa.select(ContactRole.opportunity_id, ContactRole.contact_id)
        rows = self.session.execute(roles.where(ContactRole.opportunity_id.in_(new))).all()
        people = people_of(self.session, {contact for _, contact in rows})
        self._read({person.id: person for person in people.values()})
        owners = {contact: person.id for contact, person in people.items()}
        for key, deal in deals_of(self.session, new, owners).items():
            theirs = [people[contact] for one, contact in rows if one == key]
            self._deals[key] = deal, {person.id: person for person in theirs}

    def past(self, whose: Person, at: int) -> Past:
        """Return what is known of a person at a moment."""
        self._read({whose.id: whose})
        return past_of(self.model, whose.id, self._lives[whose.id], at)

    def _read(self, people: Mapping[uuid.UUID, Person]) -> None:
        """Read the lives of those of these people who were not read yet."""
        new = [person for whose, person in people.items() if whose not in self._lives]
        if new:
            self._lives |= lives_of(self.session, self.published, self.model.buying, new)

    def forget(self, subjects: Iterable[uuid.UUID]) -> None:
        """Keep nothing of these, unless they are worked out anew."""
        self._gone |= {*subjects}

    def forget_lives(self) -> None:
        """Read lives anew from now on: something was written that is part of them."""
        self._lives.clear()

    # --- what came of it ---

    def _move(self, opportunity: Opportunity, step: Step, at: datetime, cause: str) -> None:
        """Let an opportunity be in another phase, and keep why."""
        move = Move(
            id=uuid7(),
            opportunity_id=opportunity.id,
            from_phase=opportunity.phase,
            to_phase=step.to,
            at=at,
            cause=cause,
            evidence=evidence.kept(step.because),
            rules_version=self.version,
        )
        opportunity.phase, opportunity.phase_since = step.to, at
        self.moves.append((opportunity, move))

    def keep(self) -> None:
        """Write every standing that became another one."""
        gone = self._gone - {subject for subject, kept in self._kept.items() if kept.is_new}
        if gone:
            self.session.execute(sa.delete(STANDING).where(STANDING.c.subject_id.in_(gone)))
        rows = [self._row(subject, kept) for subject, kept in self._kept.items() if kept.is_new]
        if rows:
            new = insert_in(self.session.get_bind().dialect.name)(STANDING)
            values = {name: new.excluded[name] for name in rows[0] if name != "subject_id"}
            self.session.connection().execute(
                new.on_conflict_do_update(index_elements=["subject_id"], set_=values), rows
            )

    def _row(self, subject: uuid.UUID, kept: Kept) -> dict[str, Any]:
        """Return a standing as it is kept."""
        standing = kept.standing
        kept.is_new = False
        return {
            "subject_id": subject,
            "subject": self._kinds[subject],
            "rules": self.model.digest,
            "state": written(standing, self.model.digest),
            "phase": self.model.names[standing.phase],
            "since": None if standing.since == NEVER else when(standing.since),
            "as_of": when(kept.as_of),
            "wake_at": None if standing.wake_at is None else when(standing.wake_at),
        }
