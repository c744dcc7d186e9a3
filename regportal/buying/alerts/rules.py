"""When somebody is told that his opportunities moved: at once, or together."""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import TypeVar

FRESH = timedelta(days=1)
"""What was done longer ago is no news: it came with an import, or from a device that was away."""
HOUR = timedelta(hours=1)
MOST = 6
"""Letters of an hour to one reader; what is more waits, and is told together."""
LATE = timedelta(minutes=15)
"""What waited longer is told together with everything else that did."""
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often somebody is told: of each move at once, or at an hour of these days."""

    hour: int = 8
    days: Collection[str] = WEEK
    zone: tzinfo = UTC
    together: bool = False
    """Whether everything waits for that hour."""


def is_news(done_at: datetime, now: datetime) -> bool:
    """
    Return whether what was done then is worth a letter now.

    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> is_news(noon - timedelta(hours=23), noon), is_news(noon - timedelta(hours=25), noon)
    (True, False)
    """
    return now - done_at <= FRESH


def planned(
    waiting: Sequence[tuple[K, datetime]],
    told: Sequence[datetime],
    rhythm: Rhythm,
    now: datetime,
) -> tuple[list[list[K]], datetime | None]:
    """
    Return the letters that go now, each with what it tells, and when to look at the rest.

    ``waiting``: each move, and since when it waits; ``told``: when he got letters in the last
    hour. Each move has a letter of its own, as long as there are few of them:

    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> each = Rhythm()
    >>> planned([("a", noon), ("b", noon)], [], each, noon)
    ([['a'], ['b']], None)

    One too many waits, and is told with all that came meanwhile:

    >>> five = [noon - timedelta(minutes=50)] * 5
    >>> letters, again = planned([("a", noon), ("b", noon)], five, each, noon)
    >>> letters, again - noon
    ([['a']], datetime.timedelta(seconds=600))
    >>> planned([("b", noon), ("c", noon)], [noon], each, noon + timedelta(minutes=20))
    ([['b', 'c']], None)

    In a digest everything waits for its hour:

    >>> digest = Rhythm(hour=8, together=True)
    >>> planned([("a", noon)], [], digest, noon)[1].isoformat()
    '2026-03-05T08:00:00+00:00'
    """
    if rhythm.together:
        at = next_digest(min(since for _, since in waiting), rhythm)
        return ([[key for key, _ in waiting]], None) if at <= now else ([], at)
    late = [key for key, since in waiting if now - since > LATE]
    letters = [late] if late else []
    letters += [[key] for key, since in waiting if now - since <= LATE]
    lately = sorted(at for at in told if now - at < HOUR)
    room = max(0, MOST - len(lately))
    if len(letters) <= room:
        return letters, None
    frees = [*lately, *[now] * room][-MOST]
    return letters[:room], frees + HOUR


def next_digest(after: datetime, rhythm: Rhythm) -> datetime:
    """
    Return the first hour of a digest after a moment; the hour is the wall clock's.

    >>> from zoneinfo import ZoneInfo
    >>> office = Rhythm(8, WEEK[:5], ZoneInfo("Europe/Berlin"))
    >>> friday = datetime(2026, 3, 27, 12, tzinfo=UTC)
    >>> next_digest(friday, office).isoformat()
    '2026-03-30T06:00:00+00:00'
    >>> next_digest(friday - timedelta(hours=6), office).isoformat()
    '2026-03-27T07:00:00+00:00'
    """
    today = after.astimezone(rhythm.zone).date()
    days = (today + timedelta(days=more) for more in range(8))
    moments = (
        datetime.combine(day, time(rhythm.hour), rhythm.zone).astimezone(UTC)
        for day in days
        if WEEK[day.weekday()] in rhythm.days
    )
    return next(at for at in moments if at > after)
