"""Who may fetch the bytes, and until when."""

import enum
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

START = timedelta(minutes=15)
"""How long a link can be started…"""
START_SINGLE = timedelta(minutes=5)
"""…and the link of a browser without cookies, which can be started once."""
START_FILM = timedelta(hours=4)
"""…and the link of a film that is played: as long as somebody may watch, pause and go back."""
FINISH = timedelta(hours=24)
"""How long a download that was started can be continued."""


def time_to_start(*, single: bool, plays: bool) -> timedelta:
    """
    Return how long a new link can be started.

    A player asks for parts of a film whenever it needs them, also for the first one again:

    >>> time_to_start(single=False, plays=False) < time_to_start(single=False, plays=True)
    True

    A browser without cookies starts once, so it plays nothing:

    >>> time_to_start(single=True, plays=True) == START_SINGLE
    True
    """
    if single:
        return START_SINGLE
    return START_FILM if plays else START


class Terms(Protocol):
    """What was granted; a row of the table is one."""

    @property
    def visitor_id(self) -> uuid.UUID:
        """The browser it was granted to."""

    @property
    def single(self) -> bool:
        """Whether that browser keeps no cookies."""

    @property
    def start_by(self) -> datetime:
        """When it can no longer be started."""

    @property
    def finish_by(self) -> datetime:
        """When it can no longer be continued."""

    @property
    def started_at(self) -> datetime | None:
        """When it was first started."""

    @property
    def ended_at(self) -> datetime | None:
        """When it was taken back."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request wants of a link, as far as that decides whether it gets it."""

    visitor_id: uuid.UUID | None
    """The visitor whose cookie came along."""
    looks: bool = False
    """It wants no bytes: HEAD."""
    continues: bool = False
    """It wants a later part of the very bytes it has: Range beyond 0, If-Range that matches."""


class Access(enum.Enum):
    """What becomes of a request for the bytes."""

    SERVE = "serve"
    FOREIGN = "foreign"
    """Another browser than the one it was granted to."""
    OVER = "over"
    """Too late, taken back, or used up: the gate gives a new link."""


def may_serve(grant: Terms, wish: Wish, now: datetime) -> Access:
    """
    Return whether a request gets what it wants of a grant.

    >>> from datetime import UTC
    >>> from types import SimpleNamespace
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> ann, bob = uuid.UUID(int=1), uuid.UUID(int=2)
    >>> link = SimpleNamespace(visitor_id=ann, single=False, started_at=None, ended_at=None)
    >>> link.start_by, link.finish_by = noon + START, noon + FINISH

    Only the browser it was granted to gets anything, and for 15 minutes as often as it asks:

    >>> may_serve(link, Wish(ann), noon), may_serve(link, Wish(bob), noon)
    (<Access.SERVE: 'serve'>, <Access.FOREIGN: 'foreign'>)
    >>> may_serve(link, Wish(ann), noon + START)
    <Access.OVER: 'over'>

    What was started can be continued within a day, but not begun anew:

    >>> link.started_at = noon
    >>> evening = noon + timedelta(hours=8)
    >>> may_serve(link, Wish(ann, continues=True), evening), may_serve(link, Wish(ann), evening)
    (<Access.SERVE: 'serve'>, <Access.OVER: 'over'>)
    >>> may_serve(link, Wish(ann, continues=True), noon + FINISH)
    <Access.OVER: 'over'>

    A browser without cookies starts once, and nobody else's second try tells anything:

    >>> link.single = True
    >>> may_serve(link, Wish(None), noon), may_serve(link, Wish(None, looks=True), noon)
    (<Access.OVER: 'over'>, <Access.OVER: 'over'>)
    >>> link.started_at = None
    >>> may_serve(link, Wish(None), noon)
    <Access.SERVE: 'serve'>

    What was taken back is over at once:

    >>> link.ended_at = noon
    >>> may_serve(link, Wish(None), noon)
    <Access.OVER: 'over'>
    """
    if not grant.single and wish.visitor_id != grant.visitor_id:
        return Access.FOREIGN
    if grant.ended_at is not None:
        return Access.OVER
    started = grant.started_at is not None
    if now < grant.start_by and not (grant.single and started):
        return Access.SERVE
    goes_on = wish.continues or (wish.looks and not grant.single)
    if started and goes_on and now < grant.finish_by:
        return Access.SERVE
    return Access.OVER


def may_be_given_again(grant: Terms, now: datetime) -> bool:
    """
    Return whether a link that was made before can still be started by its visitor.

    >>> from datetime import UTC
    >>> from types import SimpleNamespace
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> link = SimpleNamespace(single=False, start_by=noon, started_at=None, ended_at=None)
    >>> may_be_given_again(link, noon - timedelta(minutes=1)), may_be_given_again(link, noon)
    (True, False)
    """
    used_up = grant.single and grant.started_at is not None
    return grant.ended_at is None and not used_up and now < grant.start_by


def starts(grant: Terms, first_byte: int) -> bool:
    """
    Return whether sending bytes from this one on is the start of the download.

    A part from the middle is none, except where there is only one try:

    >>> from types import SimpleNamespace
    >>> starts(SimpleNamespace(single=False, started_at=None), 500)
    False
    >>> starts(SimpleNamespace(single=True, started_at=None), 500)
    True
    """
    return grant.started_at is None and (grant.single or first_byte == 0)
