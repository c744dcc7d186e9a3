"""How fast a CRM may be asked: no faster than it takes calls of one kind from an account."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from weakref import WeakValueDictionary


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls of one kind may begin within so many seconds."""

    most: int
    within: float = 1.0


class Pace:
    """Lets calls wait for their turn, on whichever threads they are made, so as to keep a rate."""

    def __init__(
        self,
        rate: Rate,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin with nobody waiting; ``clock`` and ``sleep`` count seconds."""
        self._rate, self._clock, self._sleep = rate, clock, sleep
        self._lock = threading.Lock()
        self._begun: deque[float] = deque(maxlen=rate.most)

    def wait(self) -> None:
        """Wait until one more call may begin: whoever comes first goes first."""
        with self._lock:
            now = self._clock()
            is_full = len(self._begun) == self._rate.most
            at = max(now, self._begun[0] + self._rate.within) if is_full else now
            self._begun.append(at)
        if at > now:
            self._sleep(at - now)


_paces: WeakValueDictionary[tuple[Hashable, Rate], Pace] = WeakValueDictionary()
_finding = threading.Lock()


def pace_of(account: Hashable, rate: Rate) -> Pace:
    """
    Return the pace that everybody in this process shares who calls this account.

    >>> ours = pace_of("acme", Rate(4))
    >>> pace_of("acme", Rate(4)) is ours, pace_of("initech", Rate(4)) is ours
    (True, False)
    """
    with _finding:
        found = _paces.get((account, rate))
        if found is None:
            found = _paces[account, rate] = Pace(rate)
        return found
