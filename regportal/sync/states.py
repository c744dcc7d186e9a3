"""How each connection is doing: whether it is spoken to, and if not, why and since when."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from regportal.connectors.schema import Connector
from regportal.inbox.models import Poll
from regportal.inbox.polling import trouble as in_vain
from regportal.insight import deeds
from regportal.insight.deeds import Deeds
from regportal.insight.messages import last_told
from regportal.outbox.budget import Budget
from regportal.outbox.models import Pause
from regportal.outbox.operating import holds, why
from regportal.outbox.rules import Standing
from regportal.store.documents import Published
from regportal.sync.drifting import amiss_at


class State(enum.StrEnum):
    """Whether a connector is spoken to."""

    WORKS = "works"
    HELD = "held"
    """In part: its first run is over, or its calls of the day are used."""
    WAITS = "waits"
    """Until the time for which its CRM asked."""
    RESTS = "rests"
    """Its CRM does not answer: it is tried with one message at a time."""
    TROUBLED = "troubled"
    """It did not answer lately, and is tried again."""
    PAUSED = "paused"
    """Until somebody lets it go on."""


@dataclass(frozen=True, slots=True)
class Stand:
    """How one connector is doing."""

    key: str
    document: Connector | None
    """None: letters, or a connector that is published no more."""
    state: State
    because: str = ""
    since: datetime | None = None
    until: datetime | None = None
    by: str | None = None
    """Whose word it is, where somebody's of the Studio is."""
    told_at: datetime | None = None
    """When it last took something."""
    is_first_run: bool = False
    """Whether its first run is over, and waits for somebody's word."""
    amiss: Mapping[str, str] | None = None
    """Which of its fields were not there when they were looked over last: field → what."""


def state_of(
    pause: Pause | None, standing: Standing, trouble: str | None = None, *, now: datetime
) -> State:
    """
    Return whether a connector is spoken to; ``pause`` may be over, ``trouble`` is with asking it.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> state_of(None, Standing(), now=noon).value, state_of(None, Standing(left=0), now=noon).value
    ('works', 'held')
    >>> by_hand = Pause(connector="crm", until=None, because="the audit", failures=0)
    >>> silent = Pause(connector="crm", until=noon, because="no answer", failures=3, since=noon)
    >>> [state_of(one, Standing(), now=noon).value for one in (by_hand, silent)]
    ['paused', 'rests']
    """
    if pause is None or not holds(pause, now=now):
        if standing.holds:
            return State.HELD
        return State.TROUBLED if trouble or (pause and pause.failures) else State.WORKS
    if pause.failures:
        return State.RESTS
    return State.PAUSED if pause.until is None else State.WAITS


def stand_of(session: Session, published: Published, key: str, *, now: datetime) -> Stand:
    """Return how a connector is doing, read from the database alone."""
    document = published.find(Connector, key)
    pause = session.get(Pause, key)
    standing = Budget.of(document).stands(session, now=now) if document else Standing()
    poll = session.get(Poll, key) if document else None
    asked_in_vain = in_vain(poll) if poll else None
    state = state_of(pause, standing, asked_in_vain, now=now)
    told_at, amiss = last_told(session, key), amiss_at(session, key)
    if pause is None or not holds(pause, now=now):
        failed = why(pause) if pause and pause.failures else ""
        because = str(standing) if standing.holds else asked_in_vain or failed
        until = standing.until
        return Stand(
            *(key, document, state, because, None, until, None, told_at, standing.is_over, amiss)
        )
    said = deeds.page(session, Deeds(action="pause", key=key), size=1).rows
    is_said = bool(said) and said[0].change.get("because") == pause.because
    since, by = (said[0].at, said[0].by) if is_said else (pause.since, None)
    return Stand(
        *(key, document, state, why(pause), since, pause.until, by, told_at),
        is_first_run=standing.is_over,
        amiss=amiss,
    )
