"""
Where people and opportunities stand, as one transaction finds them and leaves them.

What somebody did goes on from the standing that is kept. Whatever else becomes known, and what
became known before the moment until which a standing was worked out, makes it anew from all that
holds. So it is at all times the fold of what holds (`buying/folding.py`), and may be lost.
"""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.compiled import Model
from regportal.buying.facts import Sign, moment, when
from regportal.buying.folding import Deal, Known, Line, Past, fold_deal, gathered, past_of, reached
from regportal.buying.kept import Kept, read_kept, write_kept
from regportal.buying.models import Opportunity, SubjectKind
from regportal.buying.past import deals_of, lives_of, sign_of
from regportal.buying.people import Person
from regportal.buying.rules import Step, fold
from regportal.buying.standing import NEVER, Standing
from regportal.store.documents import Published


@dataclass(slots=True)
class Following(ABC):
    """The people and opportunities of one transaction, under one model."""

    table: ClassVar[sa.Table]
    """Where their standings are kept."""

    session: Session
    published: Published
    model: Model
    _kept: dict[uuid.UUID, Kept] = field(default_factory=dict)
    _stale: dict[uuid.UUID, int] = field(default_factory=dict)
    """Until when those were worked out of whom only what belongs to other rules is kept."""
    _kinds: dict[uuid.UUID, SubjectKind] = field(default_factory=dict)
    _lives: dict[uuid.UUID, Sequence[Known]] = field(default_factory=dict)
    _deals: dict[uuid.UUID, tuple[Deal, Mapping[Hashable, Person]]] = field(default_factory=dict)
    _gone: set[uuid.UUID] = field(default_factory=set)

    def recall(self, people: Collection[uuid.UUID], opportunities: Collection[uuid.UUID]) -> None:
        """
        Read what is kept of these; what belongs to other rules is no good any more.

        Whoever has gone on meanwhile is left where he is.
        """
        self._kinds |= dict.fromkeys(people, SubjectKind.PERSON)
        self._kinds |= dict.fromkeys(opportunities, SubjectKind.OPPORTUNITY)
        new = [one for one in (*people, *opportunities) if one not in self._kept]
        found, stale = read_kept(self.session, self.table, self.model, new)
        self._kept |= found
        self._stale |= stale

    def stands(self, subject: uuid.UUID) -> bool:
        """Return whether something good is kept of somebody who was recalled."""
        return subject in self._kept

    def stands_by(self, subject: uuid.UUID, at: datetime) -> bool:
        """Return whether something good is kept of somebody, worked out no further than this."""
        kept = self._kept.get(subject)
        return kept is not None and kept.as_of <= moment(at)

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
            self._step(opportunity, step, when(moved_at), cause if moved_at == heard else "timer")

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
                self._step(opportunity, step, when(moved_at), "timer")

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
            self._gone |= whose.contacts.keys() - {whose.id}
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
        self._before_anew(opportunity, when(now))
        before = self._kept.pop(opportunity.id, None)
        if opportunity.is_closed:
            self._gone.add(opportunity.id)
            return
        standing, steps = self.folded(opportunity.id, now)
        self._kept[opportunity.id] = Kept(standing, now, is_new=True)
        came_from = None if before is None else self.model.names[before.standing.phase]
        last = steps[-1][1] if steps else None
        self._came_out(opportunity, came_from, last, when(now), cause)

    def weighed(self, subjects: Iterable[uuid.UUID], at: datetime) -> datetime:
        """
        Return until when any of these was worked out; at least ``at``.

        What concerns them all is not worked out to a moment before: other shards of the log may
        have been read further.
        """
        return when(max((self._not_before(one, at) for one in subjects), default=moment(at)))

    def _not_before(self, subject: uuid.UUID, at: datetime) -> int:
        """Return the moment until which a standing is worked out: never one that is past."""
        kept = self._kept.get(subject)
        done = self._stale.get(subject, NEVER) if kept is None else kept.as_of
        return max(moment(at), done)

    def folded(self, opportunity: uuid.UUID, at: int) -> tuple[Standing, list[tuple[int, Step]]]:
        """Return where an opportunity stands by all that holds at a moment; writes nothing."""
        deal, people = self._deal(opportunity)
        pasts: dict[Hashable, Past] = {
            whose: self.past(person, at) for whose, person in people.items()
        }
        return fold_deal(self.model, deal, pasts, at)

    def _deal(self, opportunity: uuid.UUID) -> tuple[Deal, Mapping[Hashable, Person]]:
        """Return what is known of an opportunity, and who ever had a part; read once."""
        self._read_deals([opportunity])
        return self._deals[opportunity]

    def _read_deals(self, opportunities: Iterable[uuid.UUID]) -> None:
        """Read those of these opportunities that were not read yet, with everybody in them."""
        new = [one for one in opportunities if one not in self._deals]
        if not new:
            return
        self._about_to_read(new)
        read = deals_of(self.session, new)
        self._read({one.id: one for _, people in read.values() for one in people.values()})
        self._deals |= read

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

    # --- what came of it: said by who follows ---

    @abstractmethod
    def _step(self, opportunity: Opportunity, step: Step, at: datetime, cause: str) -> None:
        """Let an opportunity take a step."""

    @abstractmethod
    def _came_out(
        self,
        opportunity: Opportunity,
        came_from: str | None,
        last: Step | None,
        at: datetime,
        cause: str,
    ) -> None:
        """
        Let an opportunity be where it is found to stand, by its last step if it took one.

        ``came_from`` is None where nothing was kept of it before.
        """

    @abstractmethod
    def _before_anew(self, opportunity: Opportunity, at: datetime) -> None:
        """Do what is due before an opportunity is worked out anew, or stays closed."""

    @abstractmethod
    def _about_to_read(self, opportunities: Collection[uuid.UUID]) -> None:
        """Read at once what else will be asked of these."""

    def keep(self) -> None:
        """Write every standing that became another one."""
        write_kept(self.session, self.table, self.model, self._kept, self._kinds, self._gone)
