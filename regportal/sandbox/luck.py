"""Which call goes wrong, and how: by chance, or as told."""

import random
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from regportal.errors import ConfigError
from regportal.sandbox.faults import FAULTS, MENU, Fault


def _known(names: tuple[str, ...]) -> list[Fault]:
    """Return the faults of these names; raise ConfigError in one sentence."""
    for name in names:
        if name not in MENU:
            raise ConfigError(f"there is no fault {name!r}; there are: {', '.join(MENU)}")
    return [MENU[name] for name in names]


@dataclass(frozen=True, slots=True)
class Odds:
    """How often calls fail, and in which ways; the same seed gives the same faults in order."""

    fail: float = 0.0
    """The share of calls, 0 to 1."""
    faults: tuple[str, ...] = ()
    """Their names; none: all of the menu."""
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense, in one sentence."""
        if not 0 <= self.fail <= 1:
            raise ConfigError("the share of calls that fail is between 0 and 1")
        _known(self.faults)

    @property
    def menu(self) -> Sequence[Fault]:
        """Return the faults to choose from."""
        return [MENU[name] for name in self.faults] or FAULTS


GOOD = Odds()


class Luck:
    """Decides of each call whether it goes wrong."""

    def __init__(self, odds: Odds = GOOD) -> None:
        """Begin with these odds."""
        self._lock = threading.Lock()
        self._coming: deque[Fault] = deque()
        self.odds = odds
        self._random = random.Random(odds.seed)  # noqa: S311 - bad luck, no key

    def turn(self, odds: Odds) -> None:
        """Go on with other odds; what was to come by name is forgotten."""
        with self._lock:
            self.odds, self._random = odds, random.Random(odds.seed)  # noqa: S311 - the same
            self._coming.clear()

    def befall(self, names: Iterable[str]) -> None:
        """Let the next calls go wrong in these ways, one after the other; raise ConfigError."""
        with self._lock:
            self._coming.extend(_known(tuple(names)))

    @property
    def coming(self) -> list[str]:
        """Return what the next calls meet."""
        with self._lock:
            return [one.name for one in self._coming]

    def draw(self) -> Fault | None:
        """Return what happens to this call: each kind as often as any other; None: nothing."""
        with self._lock:
            if self._coming:
                return self._coming.popleft()
            if self._random.random() >= self.odds.fail:
                return None
            menu = self.odds.menu
            kind = self._random.choice(tuple(dict.fromkeys(one.kind for one in menu)))
            return self._random.choice([one for one in menu if one.kind == kind])
