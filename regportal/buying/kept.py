"""Standings as they are kept: rows that are read at once, and written where they changed."""

import uuid
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.compiled import Model
from regportal.buying.facts import Watched, moment, when
from regportal.buying.films import Films
from regportal.buying.models import SubjectKind
from regportal.buying.standing import NEVER, Faces, Person, Ring, Standing
from regportal.store.among import among
from regportal.store.bulk import Row, write_all
from regportal.store.compact import read_json, write_json
from regportal.store.ids import read_key

COLUMNS = ("subject_id", "subject", "rules", "state", "phase", "since", "as_of", "wake_at")


@dataclass(slots=True)
class Kept:
    """A standing, and until when it was worked out (microseconds)."""

    standing: Standing
    as_of: int
    is_new: bool = False
    """Whether it must be written."""


def read_kept(
    session: Session, table: sa.Table, model: Model, subjects: Collection[uuid.UUID]
) -> tuple[dict[uuid.UUID, Kept], dict[uuid.UUID, int]]:
    """
    Return the standings of these under a model, and of the others until when they were worked out.

    What belongs to other rules is no good but for that.
    """
    found: dict[uuid.UUID, Kept] = {}
    stale: dict[uuid.UUID, int] = {}
    if subjects:
        for subject, rules, state, as_of in session.execute(_all(table), {"ids": subjects}):
            good = rules == model.digest
            standing = read(state, model.digest, read_key) if good else None
            if standing is None:
                stale[subject] = moment(as_of)
            else:
                found[subject] = Kept(standing, moment(as_of))
    return found, stale


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
    write_all(session, table, COLUMNS, rows)
    for one in new.values():
        one.is_new = False


@cache
def _all(table: sa.Table) -> sa.Select[Any]:
    """Return the statement that reads standings."""
    columns = table.c.subject_id, table.c.rules, table.c.state, table.c.as_of
    return sa.select(*columns).where(among(table.c.subject_id))


def _row(model: Model, subject: uuid.UUID, kind: SubjectKind, kept: Kept) -> Row:
    """Return a standing as it is kept."""
    standing = kept.standing
    return (
        *(subject, kind.value, model.digest),
        written(standing, model.digest),
        model.names[standing.phase],
        None if standing.since == NEVER else when(standing.since),
        when(kept.as_of),
        None if standing.wake_at is None else when(standing.wake_at),
    )


# --- as text ---


def written(standing: Standing, digest: str) -> str:
    """Return a standing as compact JSON, under the digest of the model it belongs to."""
    return write_json(
        {
            "rules": digest,
            "phase": standing.phase,
            "since": standing.since,
            "epochs": standing.epochs,
            "rings": [_ring_out(ring) for ring in standing.rings],
            "last": standing.last,
            "wake": standing.wake_at,
            "frozen": standing.frozen,
            "alone": standing.alone,
            "stage": [standing.stage, standing.stage_since],
            "answers": standing.answers,
            "scores": standing.scores,
            "fields": standing.fields,
            "people": [
                [who, sorted(person.roles), person.phase] for who, person in standing.people.items()
            ],
            "ahead": standing.ahead,
        }
    )


def read(text: str, digest: str, key: Callable[[str], Hashable] = str) -> Standing | None:
    """
    Return a standing as it was written; None where it belongs to another model.

    ``key`` makes the ids of signs and contacts of their texts, as ``read_key``.
    """
    told = read_json(text)
    if told["rules"] != digest:
        return None
    return Standing(
        phase=told["phase"],
        since=told["since"],
        epochs=told["epochs"],
        rings=[_ring_in(ring, key) for ring in told["rings"]],
        last=told["last"],
        wake_at=told["wake"],
        frozen=told["frozen"],
        alone=told["alone"],
        stage=told["stage"][0],
        stage_since=told["stage"][1],
        answers={
            question: {key(who): (tuple(values), at) for who, (values, at) in of.items()}
            for question, of in told["answers"].items()
        },
        scores=_pairs_in(told["scores"], key),
        fields=_pairs_in(told["fields"], key),
        people={key(who): Person(frozenset(roles), phase) for who, roles, phase in told["people"]},
        ahead=[(at, _ahead_in(sign, key)) for at, sign in told["ahead"]],
    )


def _ahead_in(told: Sequence[Any], key: Callable[[str], Hashable]) -> tuple[Any, ...]:
    """Return a sign that waits for its moment as it was."""
    sign, contact, event, category, thing, *rest = told
    watched = None
    if any(rest):  # rows of releases that knew nothing of films have no such place
        stretches, length = rest[0]
        watched = Watched(tuple((start, end) for start, end in stretches), length)
    return (key(sign), key(contact), event, category, thing, watched)


def _ring_out(ring: Any) -> Any:
    """Return a ring as JSON has it: a list, or one by contact."""
    if ring is None:
        return None
    if isinstance(ring, dict):
        return {who: _ring_out(each) for who, each in ring.items()}
    if isinstance(ring, Films):
        return [ring.written()]
    if isinstance(ring, Faces):
        return ring.times, ring.ids, ring.whose
    return ring.times, ring.ids


def _ring_in(told: Any, key: Callable[[str], Hashable]) -> Any:
    """Return a ring as it was."""
    if told is None:
        return None
    if isinstance(told, dict):
        return {key(who): _ring_in(each, key) for who, each in told.items()}
    if len(told) == 1:
        return Films.read(told[0], key)
    times, *names = told
    kind = Faces if len(names) > 1 else Ring
    return kind(times, *([key(each) for each in some] for some in names))


def _pairs_in(told: Any, key: Callable[[str], Hashable]) -> dict[str, dict[Hashable, Any]]:
    """Return what is known by name and contact, as it was; what is an account's is nobody's."""
    return {
        name: {key(who) if who else "": value for who, value in of.items()}
        for name, of in told.items()
    }
