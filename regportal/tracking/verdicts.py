"""Judging one call as a whole: what is kept of it, and what its browser did just around it."""

import json
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.store.base import Key, UtcMoment
from regportal.store.bulk import key_text, moment_text
from regportal.tracking.judging import (
    BURST,
    PERSON,
    WITHIN,
    Judgement,
    by_film,
    by_pace,
    by_request,
    of_own_staff,
    strictest,
)
from regportal.tracking.models import Interaction, Judged, Parcel, Source

BELIEVED = (Source.SERVER, Source.IMPORT)
"""The company itself tells: neither how nor how fast it does so says anything of people."""
Kept = Mapping[str, Any]
"""An event as its parcel keeps it (``collecting.py``): its moment is text."""
Moments = Sequence[tuple[datetime, str]]
"""When something was done, and with what."""
BETWEEN = {
    "sqlite": """
          FROM json_each(:asked) AS one CROSS JOIN interaction AS done
         WHERE done.visitor_id = json_extract(one.value, '$[0]')
           AND done.occurred_at > json_extract(one.value, '$[1]')
           AND done.occurred_at < json_extract(one.value, '$[2]')
         LIMIT 20000""",
    "postgresql": """
          FROM json_array_elements(CAST(:asked AS json)) AS one CROSS JOIN LATERAL (
               SELECT visitor_id, occurred_at, object FROM interaction
                WHERE visitor_id = CAST(one->>0 AS uuid)
                  AND occurred_at > CAST(one->>1 AS timestamptz)
                  AND occurred_at < CAST(one->>2 AS timestamptz)
                LIMIT 1000) AS done""",
}
"""What some visitors did, each between two moments; of one who floods us not all of it."""
WHAT, WHEN = (
    {
        dialect: sa.text(f"SELECT {columns} {between}").columns(
            visitor_id=Key(), object=sa.Text(), **more
        )
        for dialect, between in BETWEEN.items()
    }
    for columns, more in (
        ("DISTINCT done.visitor_id, done.object", {}),
        ("done.visitor_id, done.object, done.occurred_at", {"occurred_at": UtcMoment()}),
    )
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What there is to know of a call beside what it tells."""

    own_staff: bool = False
    own_network: bool | None = None
    """Whether it came from the company's own network, where that is known better by now."""
    begun_at: datetime | None = None
    """When its visit began, as far as anything is linked."""
    around: Moments = ()
    """What the same browser did besides, close in time."""


def judge(parcel: Any, events: Sequence[Kept], circumstances: Circumstances) -> list[Judgement]:
    """Return who did each of the events that one call told, by the present rules."""
    own_network = circumstances.own_network
    came_from_us = parcel.own_staff if own_network is None else own_network
    staff = of_own_staff(yes=came_from_us or circumstances.own_staff)
    if parcel.source in BELIEVED:
        return [staff for _ in events]
    call = strictest(
        staff,
        by_request(parcel.agent or "", parcel.purpose or ""),
        _by_pace(events, circumstances.around),
    )
    if call.judged is Judged.MACHINE:
        return [call for _ in events]
    return [_by_film(kept, circumstances, parcel) for kept in events]


def around(session: Session, parcel: Parcel, events: Sequence[Kept]) -> Moments:
    """Return what the same visitor did shortly before a call's events, and shortly after."""
    if parcel.visitor_id is None or parcel.source in BELIEVED:
        return ()
    first, last = _span([_moment(kept) for kept in events])
    rows = session.execute(
        sa.select(Interaction.occurred_at, Interaction.object).where(
            Interaction.visitor_id == parcel.visitor_id,
            Interaction.occurred_at > first,
            Interaction.occurred_at < last,
        )
    )
    return [(at, name) for at, name in rows]


@dataclass(frozen=True, slots=True)
class Around:
    """
    What some visitors did lately, as far as it may be close in time to what they tell now.

    Only of those who met enough different objects to be too fast for a hand.
    """

    done: Mapping[uuid.UUID, list[tuple[datetime, str]]]

    def of(self, parcel: Any, events: Sequence[Kept]) -> Moments:
        """Return what was done around these events; what comes after them is around them, too."""
        theirs = self.done.get(parcel.visitor_id)
        if theirs is None or parcel.source in BELIEVED:
            return ()
        moments = [(_moment(kept), kept["object"]) for kept in events]
        first, last = _span([at for at, _ in moments])
        close = [(at, name) for at, name in theirs if first < at < last]
        theirs += moments
        return close


def around_all(session: Session, told: Sequence[tuple[Any, Sequence[Kept]]]) -> Around:
    """
    Return what the visitors of some calls did around what they tell: :func:`around` of each.

    Of those who met too few different objects to be too fast for a hand, nothing is read.
    """
    moments: defaultdict[uuid.UUID, list[datetime]] = defaultdict(list)
    objects: defaultdict[uuid.UUID, set[str]] = defaultdict(set)
    for parcel, events in told:
        if parcel.visitor_id is not None and parcel.source not in BELIEVED:
            moments[parcel.visitor_id] += [_moment(kept) for kept in events]
            objects[parcel.visitor_id].update([kept["object"] for kept in events])
    for visitor, name in _between(session, WHAT, moments):
        objects[visitor].add(name)
    many = {one: times for one, times in moments.items() if len(objects[one]) >= BURST}
    done: dict[uuid.UUID, list[tuple[datetime, str]]] = {one: [] for one in many}
    for visitor, name, at in _between(session, WHEN, many):
        done[visitor].append((at, name))
    return Around(done)


def _between(
    session: Session,
    query: Mapping[str, sa.TextualSelect],
    moments: Mapping[uuid.UUID, Sequence[datetime]],
) -> Sequence[Any]:
    """Return what visitors did close to their moments."""
    if not moments:
        return ()
    connection = session.connection()
    dialect = connection.dialect.name
    asked = [
        [key_text(one, dialect), *(moment_text(at, dialect) for at in _span(times))]
        for one, times in moments.items()
    ]
    return connection.execute(query[dialect], {"asked": json.dumps(asked)}).all()


def _span(moments: Sequence[datetime]) -> tuple[datetime, datetime]:
    """Return from when until when something is close to these moments."""
    return min(moments) - WITHIN, max(moments) + WITHIN


def _moment(kept: Kept) -> datetime:
    """Return when an event happened."""
    return datetime.fromisoformat(kept["occurred_at"])


def _by_pace(events: Sequence[Kept], around: Moments) -> Judgement:
    """Judge how fast it went, where there was enough to be fast with."""
    if len({kept["object"] for kept in events}.union([name for _, name in around])) < BURST:
        return PERSON
    return by_pace([*((_moment(kept), kept["object"]) for kept in events), *around])


def _by_film(kept: Kept, circumstances: Circumstances, parcel: Any) -> Judgement:
    """Judge whether a film can have been seen in the time there was."""
    if kept["type"] != "video_watch" or circumstances.begun_at is None:
        return PERSON
    begun = min(circumstances.begun_at, _moment(kept))
    return by_film(float(kept["properties"]["seconds"]), begun, parcel.received_at)
