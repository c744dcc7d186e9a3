"""When a visit ends, and whether a person did it."""

from datetime import datetime, timedelta


def goes_on(last_at: datetime, now: datetime, idle: timedelta) -> bool:
    """
    Return whether a visit that was last heard of at ``last_at`` still goes on.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> goes_on(noon, noon + timedelta(minutes=29), timedelta(minutes=30))
    True
    >>> goes_on(noon, noon + timedelta(minutes=30), timedelta(minutes=30))
    False
    """
    return now - last_at < idle
