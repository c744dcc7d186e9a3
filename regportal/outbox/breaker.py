"""A circuit breaker: a CRM that does not answer is left alone, and tried with one message."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from regportal.connectors.rules import Outcome
from regportal.outbox.rules import LONGEST as LONGEST_WAIT
from regportal.outbox.rules import SCHEDULE, SPREAD, WAITS

TRIPS = 3
"""Calls in a row that came to nothing: then it opens. After the first they are of one message."""
FIRST, LONGEST = timedelta(seconds=5), timedelta(minutes=1)
"""How long it is open before the first probe and, each time twice as long, before any later one."""
SHORT = timedelta(minutes=5)
"""Whatever failed while nothing was heard for longer does not wait for its own time."""
SILENT = frozenset({Outcome.RETRY, Outcome.LATER})


def answered(outcomes: Iterable[Outcome]) -> bool | None:
    """
    Return whether a call was answered, by what became of its changes; None: it tells nothing.

    A refusal is an answer, also of one change among many. Where all of them are to come again, it
    came to nothing:

    >>> answered([Outcome.RETRY, Outcome.REJECTED]), answered([Outcome.RETRY, Outcome.LATER])
    (True, False)
    >>> answered([Outcome.LATER]) is None
    True
    """
    seen = frozenset(outcomes)
    if seen - SILENT:
        return True
    return False if Outcome.RETRY in seen else None


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of a connector's last calls; it is closed until some came to nothing."""

    failures: int = 0
    """How many in a row did."""
    since: datetime | None = None
    """When the first of them did."""

    @property
    def is_tripped(self) -> bool:
        """Return whether it is open, or half open: one message at a time, after a pause."""
        return self.failures >= TRIPS

    def failed(self, rested: datetime | None, now: datetime) -> "Breaker":
        """
        Return it after one more call that came to nothing; the last pause was over at ``rested``.

        Where nobody tried for longer than any message waits we were away, or a clock was wrong:
        nobody knows for how long there was no answer.

        >>> from datetime import UTC
        >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
        >>> later = [timedelta(hours=1), timedelta(days=3)]
        >>> [Breaker(3, noon).failed(noon, noon + by).since - noon for by in later]
        [datetime.timedelta(0), datetime.timedelta(days=3)]
        """
        was_tried = rested is not None and abs(now - rested) <= LONGEST_WAIT
        return Breaker(self.failures + 1, self.since if self.since and was_tried else now)

    def rest(self, chance: float) -> timedelta:
        """
        Return how long it is open, counted from the last call.

        ``chance`` lies between 0 and 1 and spreads it by a fifth to either side:

        >>> [Breaker(failures).rest(0.5).total_seconds() for failures in (2, 3, 4, 5, 6, 7, 4000)]
        [0.0, 5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
        >>> Breaker(3).rest(0.0), Breaker(3).rest(1.0)
        (datetime.timedelta(seconds=4), datetime.timedelta(seconds=6))
        """
        if not self.is_tripped:
            return timedelta(0)
        doublings = min(self.failures - TRIPS, (LONGEST // FIRST).bit_length())
        nominal = min(FIRST * (1 << doublings), LONGEST)
        return nominal * (1 + SPREAD * (2 * chance - 1))

    def was_long(self, now: datetime) -> bool:
        """Return whether nothing was heard for long."""
        return self.is_tripped and self.since is not None and now - self.since > SHORT

    def gives_up(self, now: datetime) -> bool:
        """
        Return whether what waited as long as a message is tried is not to wait any longer.

        >>> from datetime import UTC
        >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
        >>> later = noon + SCHEDULE
        >>> [Breaker(n, noon).gives_up(later) for n in (9, 10)], Breaker(99, later).gives_up(later)
        ([False, True], False)
        """
        is_over = self.since is not None and now - self.since >= SCHEDULE
        return is_over and self.failures >= len(WAITS)


CLOSED = Breaker()
