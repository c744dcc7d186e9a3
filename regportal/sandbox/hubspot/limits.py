"""How many calls an account may make."""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from regportal.sandbox.hubspot.refusing import RefusedError

TEN, SECOND, DAY = timedelta(seconds=10), timedelta(seconds=1), timedelta(days=1)


class Limits:
    """Calls within ten seconds and within a day, and searches within a second."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        burst: int = 190,
        daily: int = 650_000,
        searches: int = 5,
    ) -> None:
        """Begin with a full allowance: that of a Professional account."""
        self._clock = clock
        self.burst, self.daily, self.searches = burst, daily, searches
        self._calls: deque[datetime] = deque()
        self._searches: deque[datetime] = deque()
        self._day, self._today = clock().date(), 0

    def take(self, *, is_search: bool) -> None:
        """Count a call; raise RefusedError where there are too many."""
        now = self._clock()
        if now.date() != self._day:
            self._day, self._today = now.date(), 0
        if self._today >= self.daily:
            raise _too_many("DAILY", "You have reached your daily limit.")
        if is_search and not _room(self._searches, now - SECOND, self.searches):
            raise _too_many("SECONDLY", "You have reached your secondly limit.")
        if not _room(self._calls, now - TEN, self.burst):
            raise _too_many(
                "TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit."
            )
        self._today += 1
        self._calls.append(now)
        if is_search:
            self._searches.append(now)

    def headers(self) -> dict[str, str]:
        """Return what every answer says of it."""
        return {
            "X-HubSpot-RateLimit-Max": str(self.burst),
            "X-HubSpot-RateLimit-Remaining": str(max(self.burst - len(self._calls), 0)),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Daily": str(self.daily),
            "X-HubSpot-RateLimit-Daily-Remaining": str(max(self.daily - self._today, 0)),
        }


def _room(calls: deque[datetime], since: datetime, most: int) -> bool:
    """Forget calls of before, and return whether one more is allowed."""
    while calls and calls[0] <= since:
        calls.popleft()
    return len(calls) < most


def _too_many(policy: str, says: str) -> RefusedError:
    """Return what is answered then."""
    return RefusedError(
        429, "RATE_LIMITS", says, more={"policyName": policy, "errorType": "RATE_LIMIT"}
    )
