"""How many calls a line to a CRM costs, and what the CRM itself says of how many there may be."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """What a CRM says of a day's calls, everybody's among them: so many are used, of so many."""

    used: int
    most: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter showed."""

    calls: int = 0
    said: Said | None = None


NONE = Reading()


class Meter:
    """Counts the calls of a line, on whichever threads they are made."""

    def __init__(self) -> None:
        """Begin at none."""
        self._lock = threading.Lock()
        self._reading = Reading()

    def count(self) -> None:
        """Count one call."""
        with self._lock:
            self._reading = Reading(self._reading.calls + 1, self._reading.said)

    def says(self, used: int, most: int) -> None:
        """
        Keep what the CRM says in an answer: so many of a day's calls are used, of so many.

        For the desks of CRMs that say it. What is no number of calls is left out.
        """
        if used >= 0 and most > 0:
            with self._lock:
                self._reading = Reading(self._reading.calls, Said(used, most))

    def read(self) -> Reading:
        """Return what there was since it was read last."""
        with self._lock:
            reading, self._reading = self._reading, Reading()
        return reading
