"""A circuit breaker: a CRM that does not answer is left alone, and tried with one message."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from regportal.connectors.rules import Outcome
from regportal.outbox.rules import LONGEST as LONGEST_WAIT
from regportal.outbox.rules import SCHEDULE, SPREAD, WAITS

TRIPS = 3
"""Calls in a row without an answer, after which it opens. From the second on each call is of one
message."""
FIRST, LONGEST = timedelta(seconds=5), timedelta(minutes=1)
"""How long it is open before the first probe, and at most before a later one; doubled each time."""
SHORT = timedelta(minutes=5)
"""After a silence longer than this, whatever failed during it is due as soon as the CRM answers."""
SILENT = frozenset({Outcome.RETRY, Outcome.LATER})


def answered(outcomes: Iterable[Outcome]) -> bool | None:
    """
    Return whether the CRM answered a call, by the outcomes of its changes; None: nobody knows.

    A refusal is an answer, also of one change among many. Where every change is to be tried again,
    there was none:

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
    """A connector's circuit breaker: closed, until some calls in a row had no answer."""

    failures: int = 0
    """How many in a row had none."""
    since: datetime | None = None
    """When the first of them was made."""

    @property
    def is_tripped(self) -> bool:
        """Return whether it is open, or half open: one message at a time, after a pause."""
        return self.failures >= TRIPS

    def failed(self, rested: datetime | None, now: datetime) -> "Breaker":
        """
        Return it after one more call without an answer; the last pause was over at ``rested``.

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
        """Return whether the CRM has been silent for longer than ``SHORT``."""
        return self.is_tripped and self.since is not None and now - self.since > SHORT

    def gives_up(self, now: datetime) -> bool:
        """
        Return whether the CRM has been silent as long as a message is ever tried.

        >>> from datetime import UTC
        >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
        >>> later = noon + SCHEDULE
        >>> [Breaker(n, noon).gives_up(later) for n in (9, 10)], Breaker(99, later).gives_up(later)
        ([False, True], False)
        """
        is_over = self.since is not None and now - self.since >= SCHEDULE
        return is_over and self.failures >= len(WAITS)


CLOSED = Breaker()
