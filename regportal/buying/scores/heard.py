"""What the log says of people since it was read last, as far as scores care."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from regportal.buying.batch import Batch
from regportal.buying.facts import Sign
from regportal.buying.signs import Owned
from regportal.tracking.actions import LogLine
from regportal.tracking.models import EntryKind


@dataclass(slots=True)
class Heard:
    """What a batch of lines says of people: what they did, and whose past is another one now."""

    signs: list[tuple[Sign, datetime]] = field(default_factory=list)
    """Each with the moment at which it became known, in the order of the log."""
    anew: set[uuid.UUID] = field(default_factory=set)
    """Contacts whose scores must be worked out from all they ever did."""
    answered: set[uuid.UUID] = field(default_factory=set)
    """Contacts whose answers may have changed."""
    at: datetime | None = None
    """The moment of the last line."""

    def line(self, line: LogLine, at: datetime, batch: Batch) -> None:
        """Note whose past a line changes: whose deeds became another's, or a machine's."""
        self.at = at
        if line.kind is EntryKind.ATTRIBUTION:
            self.anew.add(line.ref)
        elif line.kind is EntryKind.ANSWER:
            self.answered.add(line.ref)
        elif line.kind is EntryKind.VERDICT and line.ref in batch.interactions:
            spells = batch.interactions[line.ref].spells
            self.anew.update(spell.sign.contact for spell in spells)

    def fresh(self, one: Owned, at: datetime) -> None:
        """Note an interaction that was found to be somebody's own, for the first time."""
        self.signs += [(spell.sign, at) for spell in one.spells if spell.holds(at)]

    def cause(self, contacts: Collection[uuid.UUID]) -> str:
        """Return why somebody's scores are worked out anew: he did or said something, or not."""
        if any(sign.contact in contacts for sign, _ in self.signs):
            return "event"
        return "answer" if any(one in contacts for one in self.answered) else "replay"

    def first(self, now: datetime) -> float:
        """Return the moment at which the first of it became known."""
        return min((at for _, at in self.signs), default=self.at or now).timestamp()

    def last(self, now: datetime) -> float:
        """Return the moment of the last line."""
        return (self.at or now).timestamp()

    def without(self, signs: Sequence[Sign]) -> list[Sign]:
        """Return what was known before it."""
        told = {sign.id for sign, _ in self.signs}
        return [sign for sign in signs if sign.id not in told]

    def contacts(self) -> set[uuid.UUID]:
        """Return everybody it is about."""
        return {*self.anew, *self.answered, *(sign.contact for sign, _ in self.signs)}
