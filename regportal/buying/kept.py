"""Standings as they are kept: rows that are read at once, and written where they changed."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.compiled import Model
from regportal.buying.facts import moment, when
from regportal.buying.models import SubjectKind
from regportal.buying.standing import NEVER, Standing, read, written
from regportal.store.facts import among, insert_in


@dataclass(slots=True)
class Kept:
    """A standing, and until when it was worked out (microseconds)."""

    standing: Standing
    as_of: int
    is_new: bool = False
    """Whether it must be written."""


def read_kept(
    session: Session, table: sa.Table, model: Model, subjects: Collection[uuid.UUID]
) -> dict[uuid.UUID, Kept]:
    """Return the standings of these under a model; what belongs to other rules is no good."""
    if not subjects:
        return {}
    rows = session.execute(_good(table), {"ids": [*subjects], "digest": model.digest})
    found = {}
    for subject, state, as_of in rows:
        standing = read(state, model.digest, uuid.UUID)
        if standing is not None:
            found[subject] = Kept(standing, moment(as_of))
    return found


def write_kept(
    session: Session,
    table: sa.Table,
    model: Model,
    kept: Mapping[uuid.UUID, Kept],
    kinds: Mapping[uuid.UUID, SubjectKind],
    gone: Collection[uuid.UUID],
) -> None:
    """Write every standing that is new, and delete those of these that have none any more."""
    new = {subject: one for subject, one in kept.items() if one.is_new}
    lost = set(gone) - new.keys()
    if lost:
        session.execute(sa.delete(table).where(table.c.subject_id.in_(lost)))
    rows = [_row(model, subject, kinds[subject], one) for subject, one in new.items()]
    if rows:
        connection = session.connection()
        connection.execute(_upsert(table, connection.dialect.name), rows)
    for one in new.values():
        one.is_new = False


@cache
def _good(table: sa.Table) -> sa.Select[Any]:
    """Return the statement that reads standings under a model."""
    asked = among(table.c.subject_id), table.c.rules == sa.bindparam("digest")
    return sa.select(table.c.subject_id, table.c.state, table.c.as_of).where(*asked)


@cache
def _upsert(table: sa.Table, dialect: str) -> Any:
    """Return the statement that writes standings over those that are there."""
    insert = insert_in(dialect)(table)
    values = {each.name: insert.excluded[each.name] for each in table.c if not each.primary_key}
    return insert.on_conflict_do_update(index_elements=["subject_id"], set_=values)


def _row(model: Model, subject: uuid.UUID, kind: SubjectKind, kept: Kept) -> dict[str, Any]:
    """Return a standing as it is kept."""
    standing = kept.standing
    return {
        "subject_id": subject,
        "subject": kind,
        "rules": model.digest,
        "state": written(standing, model.digest),
        "phase": model.names[standing.phase],
        "since": None if standing.since == NEVER else when(standing.since),
        "as_of": when(kept.as_of),
        "wake_at": None if standing.wake_at is None else when(standing.wake_at),
    }
