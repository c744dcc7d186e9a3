"""Judging one call as a whole: what is kept of it, and what its browser did just around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.tracking.events import Event
from regportal.tracking.judging import (
    WITHIN,
    Verdict,
    by_film,
    by_pace,
    by_request,
    of_own_staff,
    strictest,
)
from regportal.tracking.models import Interaction, Parcel, Source

BELIEVED = (Source.SERVER, Source.IMPORT)
"""The company itself tells: neither how nor how fast it does so says anything of people."""
Moments = Sequence[tuple[datetime, str]]
"""When something was done, and with what."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What there is to know of a call beside what it tells."""

    own_staff: bool = False
    begun_at: datetime | None = None
    """When its visit began, as far as anything is linked."""
    around: Moments = ()
    """What the same browser did besides, close in time."""


def judge(parcel: Parcel, events: Sequence[Event], circumstances: Circumstances) -> list[Verdict]:
    """Return who did each of the events that one call told, by the present rules."""
    staff = of_own_staff(yes=parcel.own_staff or circumstances.own_staff)
    if parcel.source in BELIEVED:
        return [staff for _ in events]
    moments = [(event.occurred_at, event.object) for event in events]
    call = strictest(
        staff,
        by_request(parcel.agent or "", parcel.purpose or ""),
        by_pace([*moments, *circumstances.around]),
    )
    return [strictest(call, _by_film(event, circumstances, parcel)) for event in events]


def around(session: Session, parcel: Parcel, events: Sequence[Event]) -> Moments:
    """Return what the same visitor did shortly before a call's events, and shortly after."""
    if parcel.visitor_id is None or parcel.source in BELIEVED:
        return ()
    moments = [event.occurred_at for event in events]
    rows = session.execute(
        sa.select(Interaction.occurred_at, Interaction.object).where(
            Interaction.visitor_id == parcel.visitor_id,
            Interaction.occurred_at > min(moments) - WITHIN,
            Interaction.occurred_at < max(moments) + WITHIN,
        )
    )
    return [(at, name) for at, name in rows]


def _by_film(event: Event, circumstances: Circumstances, parcel: Parcel) -> Verdict:
    """Judge whether a film can have been seen in the time there was."""
    if event.type != "video_watch" or circumstances.begun_at is None:
        return strictest()
    begun = min(circumstances.begun_at, event.occurred_at)
    return by_film(float(event.properties["seconds"]), begun, parcel.received_at)
