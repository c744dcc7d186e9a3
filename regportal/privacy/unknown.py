"""Keeping nothing of strangers longer than we said, also of browsers that still come."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.forms.models import Answer
from regportal.identity.models import Claim, Visitor
from regportal.privacy.capping import nobodys, remove_interactions
from regportal.privacy.removing import remove
from regportal.privacy.traces import Traces, every_model, some
from regportal.store.base import Base
from regportal.store.facts import table_of
from regportal.store.ids import first_of
from regportal.store.sessions import Store
from regportal.tracking.models import Attribution, Interaction, Parcel, Touch, Visit

AT_ONCE = 200
"""Rows of one transaction: other writers wait no longer than for these."""
LISTED = 100_000
"""Keys in memory at a time."""


class Step(Protocol):
    """What deletes some rows of nobody's that are too old, and returns how many."""

    def __call__(self, session: Session, *, before: datetime) -> int:
        """Delete some."""


def is_older(model: type[Base], before: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that the clock of a row started before a moment."""
    age = table_of(model).columns[model.aged_by or ""]
    return age < (first_of(before) if isinstance(age.type, sa.Uuid) else before)


def remove_aged(store: Store, *, before: datetime) -> dict[str, int]:
    """
    Delete what is nobody's and older than a moment, a little at a time, with what hangs on it.

    Each row by its own age, whether its browser is gone, still comes, or never was known. Returns
    how many rows of each table went.
    """
    aged = (
        model
        for model in every_model().values()
        if model.clock == "anonymous" and model.aged_by is not None and model not in STEPPED
    )
    gone = {model.__tablename__: _remove_aged(store, model, before) for model in aged}
    return {table: number for table, number in gone.items() if number}


def _remove_aged(store: Store, model: type[Base], before: datetime) -> int:
    """Delete what is nobody's of one table, in the order of its keys: each is looked at once."""
    (key,) = table_of(model).primary_key
    old = sa.select(key).where(is_older(model, before), ~_is_somebodys(model)).order_by(key)
    number, keys = 0, _read(store, old)
    while keys:
        for portion in some(keys):
            store.write(partial(_remove, model=model, keys=portion))
        number += len(keys)
        keys = _read(store, old.where(key > keys[-1]))
    return number


def _read(store: Store, keys: sa.Select[Any]) -> Sequence[uuid.UUID]:
    """Return the first of these keys, as many as memory may hold."""
    with store.read() as session:
        return session.scalars(keys.limit(LISTED)).all()


def _remove(session: Session, *, model: type[Base], keys: Sequence[uuid.UUID]) -> None:
    """Delete rows, and before them those that are found through them."""
    table = table_of(model)
    (key,) = table.primary_key
    for other in every_model().values():
        for name, held in other.person.items():
            if held == f"{table.name}.{key.name}":
                below = table_of(other)
                session.execute(sa.delete(below).where(below.columns[name].in_(keys)))
    session.execute(sa.delete(table).where(key.in_(keys)))


def _is_somebodys(model: type[Base]) -> sa.ColumnElement[bool]:
    """Return the condition that a row is a contact's or a claim's, or of a browser that is."""
    table = table_of(model)
    return sa.or_(
        sa.false(),
        *(
            sa.exists().where(Visitor.id == table.columns[name], _is_known())
            if key == "visitor.id"
            else table.columns[name].is_not(None)
            for name, key in model.person.items()
        ),
    )


def _is_known() -> sa.ColumnElement[bool]:
    """Return the condition that a browser is somebody's we know, or who named himself."""
    named = sa.exists().where(Claim.visitor_id == Visitor.id)
    proven = sa.exists().where(Claim.id == Visitor.claim_id)
    known = sa.exists().where(
        Interaction.visitor_id == Visitor.id, Interaction.contact_id.is_not(None)
    )
    given = sa.exists().where(
        Interaction.visitor_id == Visitor.id,
        Attribution.interaction_id == Interaction.id,
        Attribution.contact_id.is_not(None),
    )
    told = sa.exists().where(Answer.visitor_id == Visitor.id, Answer.contact_id.is_not(None))
    return sa.or_(named, proven, known, given, told)


def _browsers(session: Session, *, before: datetime) -> int:
    """Delete some browsers that nobody used for long and that are nobody's we know."""
    came = sa.exists().where(Visit.visitor_id == Visitor.id, Visit.last_at >= before)
    framed = aliased(Visitor)
    speaks = sa.exists().where(framed.id == Visitor.speaks_for)  # it goes after him
    old = session.scalars(
        sa.select(Visitor.id)
        .where(Visitor.last_seen < before, ~came, ~_is_known(), ~speaks)
        .limit(AT_ONCE)
    ).all()
    if old:
        remove(session, Traces(visitors=frozenset(old)))
    return len(old)


def _interactions(session: Session, *, before: datetime) -> int:
    """Delete some interactions that are nobody's, also of browsers that still come."""
    old = session.scalars(
        sa.select(Interaction.id).where(Interaction.received_at < before, nobodys()).limit(AT_ONCE)
    ).all()
    return remove_interactions(session, old)


def _visits(session: Session, *, before: datetime) -> int:
    """Delete some visits of which nothing is left, with what led to them."""
    done = sa.exists().where(Interaction.visit_id == Visit.id)
    asked = sa.exists().where(Answer.visit_id == Visit.id)
    old = session.scalars(
        sa.select(Visit.id).where(Visit.last_at < before, ~done, ~asked).limit(AT_ONCE)
    ).all()
    session.execute(sa.delete(Touch).where(Touch.visit_id.in_(old)))
    session.execute(sa.delete(Visit).where(Visit.id.in_(old)))
    return len(old)


def _calls(session: Session, *, before: datetime) -> int:
    """Delete some calls that are nobody's, where what they told is to go sooner than networks."""
    old = session.scalars(
        sa.select(Parcel.id)
        .where(
            Parcel.received_at < before,
            Parcel.unpacked_at.is_not(None),
            Parcel.contact_id.is_(None),
            Parcel.claim_id.is_(None),
        )
        .limit(AT_ONCE)
    ).all()
    session.execute(sa.delete(Parcel).where(Parcel.id.in_(old)))
    return len(old)


STEPS: Mapping[str, Step] = {
    "anonymous": _browsers,
    "interactions": _interactions,
    "visits": _visits,
    "calls": _calls,
}
"""What each step is called where the job says what it did, in their order."""
STEPPED = frozenset({Visitor, Interaction, Visit})
"""What more hangs on than keys say, and so has a step of its own."""
