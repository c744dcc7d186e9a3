"""
What contacts did themselves, and from when until when we knew it.

Whose an interaction is may become known later than the interaction. The weigher asks what was
known when a line of the log was written, so that reading the log late, or again, finds the same.
"""

import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.buying.rules import Sign
from regportal.buying.schema import Condition
from regportal.tracking.actions import Seen, columns_of
from regportal.tracking.models import Attributed, Attribution, Interaction, Judged

COLUMNS = columns_of(Interaction.attribution, Interaction.contact_id)
"""What there is to know of an interaction, as it was taken."""
Proof = aliased(Attribution)
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
    """An interaction as it was taken, and whose own it was when; anonymous ones have no spell."""

    taken: Seen
    spells: tuple[Spell, ...]

    def owner(self, at: datetime) -> uuid.UUID | None:
        """Return the contact who did this himself, as it was known at a moment; else None."""
        return next((spell.sign.contact for spell in self.spells if spell.holds(at)), None)

    def as_done_by(self, contact: uuid.UUID) -> Seen:
        """Return it as it is known while it is this contact's own."""
        return replace(self.taken, attribution=Attributed.VERIFIED, contact_id=contact)


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
    first_hand = sa.select(Interaction.id).where(Interaction.contact_id.in_(contacts), lately)
    later = sa.select(Attribution.interaction_id).where(Attribution.contact_id.in_(contacts))
    theirs = Interaction.id.in_(sa.union(first_hand, later))
    yield from _read(session, sa.and_(theirs, lately, _concerns(conditions)))


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
    rows = session.execute(
        sa.select(*COLUMNS, Attribution.at, Attribution.attribution, Attribution.contact_id)
        .outerjoin(Attribution, Attribution.interaction_id == Interaction.id)
        .where(
            which,
            Interaction.judged == Judged.PERSON,
            sa.or_(Interaction.attribution == Attributed.VERIFIED, proven),
        )
        .order_by(Interaction.id, Attribution.at, Attribution.id)
    )
    for _, some in groupby(rows, key=lambda row: row[0]):
        together: list[Any] = list(some)
        taken = Seen(*together[0][: len(COLUMNS)])
        later = [row[len(COLUMNS) :] for row in together]
        yield Owned(taken, tuple(_spells(taken, later)))


def _spells(taken: Seen, later: Sequence[Sequence[Any]]) -> Iterator[Spell]:
    """Yield from when until when an interaction was whose own; of each moment the last word."""
    said = [(taken.received_at, taken.attribution, taken.contact_id)]
    said += [
        (max(at, taken.received_at), attribution, contact)
        for at, attribution, contact in later
        if at is not None
    ]
    ends = [at for at, *_ in said[1:]]
    for (since, attribution, contact), until in zip(said, [*ends, None], strict=True):
        if attribution is Attributed.VERIFIED and contact is not None and since != until:
            sign = Sign(
                taken.id, contact, taken.type, taken.category, taken.occurred_at, taken.received_at
            )
            yield Spell(sign, since, until)
