"""How many mails an address gets that nobody answers (design.md 4)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

PAUSE = timedelta(minutes=2)
CAPS = ((timedelta(hours=24), 3), (timedelta(days=30), 10))
LONGEST = CAPS[-1][0]


def may_send_at(unanswered: Sequence[datetime], now: datetime) -> datetime | None:
    """
    Return when the next mail may go to an address, or None: not within the caps.

    ``unanswered`` are the times of the mails of the last 30 days that nobody answered.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> may_send_at([], noon) == noon
    True
    >>> may_send_at([noon - timedelta(seconds=30)], noon) == noon + timedelta(seconds=90)
    True
    >>> may_send_at([noon - timedelta(hours=hours) for hours in (1, 2, 3)], noon) is None
    True
    """
    for within, most in CAPS:
        if sum(sent > now - within for sent in unanswered) >= most:
            return None
    last = max(unanswered, default=None)
    return now if last is None else max(now, last + PAUSE)
