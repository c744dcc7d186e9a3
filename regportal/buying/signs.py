"""
What contacts did themselves, and from when until when we knew it.

Whose an interaction is, and that a person did it, may become known later than the interaction.
The weigher asks what was known when a line of the log was written, so that reading the log late,
or again, finds the same.
"""

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.buying.facts import Sign
from regportal.buying.schema import Condition
from regportal.tracking.actions import Seen, columns_of
from regportal.tracking.later import TAKEN
from regportal.tracking.models import (
    BY_HAND,
    Attributed,
    Attribution,
    Interaction,
    Judged,
    Verdict,
)

COLUMNS = columns_of(Interaction.attribution, Interaction.contact_id, TAKEN)
"""What there is to know of an interaction, as it was taken."""
LATER = (
    *(Attribution.id, Attribution.at, Attribution.attribution, Attribution.contact_id),
    *(Verdict.id, Verdict.at, Verdict.judged, Verdict.judged_by),
)
"""What became known of it later: whose it is, and who did it."""
Proof, Acquittal = aliased(Attribution), aliased(Verdict)
AT_ONCE = 500
"""Interactions asked for in one query: databases take only so many parameters."""


@dataclass(frozen=True, slots=True)
class Spell:
    """A sign that was a contact's own, as far as was known in [since, until)."""

    sign: Sign
    since: datetime
    until: datetime | None

    def holds(self, at: datetime) -> bool:
        """Return whether it was known at a moment."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Owned:
    """
    An interaction as it was taken, and whose own it was when.

    Anonymous ones, and a machine's, have no spell.
    """

    taken: Seen
    spells: tuple[Spell, ...]

    def owner(self, at: datetime) -> uuid.UUID | None:
        """Return the contact who did this himself, as it was known at a moment; else None."""
        return next((spell.sign.contact for spell in self.spells if spell.holds(at)), None)

    def as_done_by(self, contact: uuid.UUID) -> Seen:
        """Return it as it is known while it is this contact's own."""
        return replace(
            self.taken,
            attribution=Attributed.VERIFIED,
            contact_id=contact,
            judged=Judged.PERSON,
            judged_because=None,
        )


def owned(session: Session, ids: Collection[uuid.UUID]) -> Iterator[Owned]:
    """Yield those of these interactions that ever were somebody's own."""
    every = sorted(ids)
    for start in range(0, len(every), AT_ONCE):
        yield from _read(session, Interaction.id.in_(every[start : start + AT_ONCE]))


def done_by(
    session: Session,
    contacts: Collection[uuid.UUID],
    conditions: Collection[Condition],
    *,
    first: datetime,
    last: datetime,
) -> Iterator[Owned]:
    """
    Yield what ever was the own of one of these contacts and can count for a condition.

    At some moment from ``first`` to ``last``: as far back as the longest condition looks.
    """
    if not contacts or not conditions:
        return
    since = first - max(condition.window for condition in conditions)
    lately = sa.and_(Interaction.occurred_at > since, Interaction.occurred_at <= last)
    theirs = _of(contacts, lately)
    yield from _read(session, sa.and_(theirs, lately, _concerns(conditions)))


def all_done_by(session: Session, contacts: Collection[uuid.UUID]) -> Iterator[Owned]:
    """Yield whatever ever was the own of one of these contacts, as far as it is kept."""
    if contacts:
        yield from _read(session, _of(contacts))


def _of(contacts: Collection[uuid.UUID], *which: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Say to the database that an interaction is, or became, one of these contacts' own."""
    first_hand = sa.select(Interaction.id).where(Interaction.contact_id.in_(contacts), *which)
    later = sa.select(Attribution.interaction_id).where(Attribution.contact_id.in_(contacts))
    return Interaction.id.in_(sa.union(first_hand, later))


def _concerns(conditions: Collection[Condition]) -> sa.ColumnElement[bool]:
    """Say to the database which kinds of interaction can count."""
    kinds = {(condition.event, condition.categories) for condition in conditions}
    return sa.or_(
        *(
            sa.and_(Interaction.type == event, Interaction.category.in_(categories))
            if categories
            else Interaction.type == event
            for event, categories in sorted(kinds)
        )
    )


def _read(session: Session, which: sa.ColumnElement[bool]) -> Iterator[Owned]:
    """Read interactions of people who are known, with all that became known of them later."""
    proven = sa.exists().where(
        Proof.interaction_id == Interaction.id, Proof.attribution == Attributed.VERIFIED
    )
    acquitted = sa.exists().where(
        Acquittal.interaction_id == Interaction.id, Acquittal.judged == Judged.PERSON
    )
    rows = session.execute(
        sa.select(*COLUMNS, *LATER)
        .outerjoin(Attribution, Attribution.interaction_id == Interaction.id)
        .outerjoin(Verdict, Verdict.interaction_id == Interaction.id)
        .where(
            which,
            sa.or_(Interaction.judged == Judged.PERSON, acquitted),
            sa.or_(Interaction.attribution == Attributed.VERIFIED, proven),
        )
        .order_by(Interaction.id, Attribution.at, Attribution.id, Verdict.at, Verdict.id)
    )
    for _, some in groupby(rows, key=lambda row: row[0]):
        together: list[Any] = list(some)
        taken = Seen(*together[0][: len(COLUMNS)])
        yield Owned(taken, tuple(_spells(taken, *_later(taken, together))))


@dataclass(frozen=True, slots=True)
class Word:
    """Whose it is, or who did it, from a moment on."""

    at: datetime
    says: Any
    overrules: bool = False
    """Whether it holds against whatever is said after it."""


def _later(taken: Seen, rows: Iterable[Any]) -> tuple[list[Word], list[Word]]:
    """Return all that was said of whose it is, and all that was said of who did it."""
    whose = {None: Word(taken.received_at, (taken.attribution, taken.contact_id))}
    judged = {None: Word(taken.received_at, taken.judged)}
    for row in rows:
        said, at, attribution, contact, verdict, then, who, by = row[len(COLUMNS) :]
        if said is not None:
            whose[said] = Word(max(at, taken.received_at), (attribution, contact))
        if verdict is not None:
            judged[verdict] = Word(max(then, taken.received_at), who, by == BY_HAND)
    return list(whose.values()), list(judged.values())


def _spells(taken: Seen, whose: Sequence[Word], judged: Sequence[Word]) -> Iterator[Spell]:
    """Yield from when until when it was whose own: of each moment the last word holds."""
    moments = sorted({word.at for word in (*whose, *judged)})
    for since, until in zip(moments, [*moments[1:], None], strict=True):
        attribution, contact = _holds(whose, since)
        is_own = attribution is Attributed.VERIFIED and contact is not None
        if is_own and _holds(judged, since) is Judged.PERSON:
            sign = Sign(
                taken.id,
                contact,
                taken.type,
                taken.category,
                taken.occurred_at,
                taken.received_at,
                taken.object,
            )
            yield Spell(sign, since, until)


def _holds(words: Sequence[Word], at: datetime) -> Any:
    """Return what holds at a moment of what was said until then."""
    said = [word for word in words if word.at <= at]
    return next((word for word in reversed(said) if word.overrules), said[-1]).says
