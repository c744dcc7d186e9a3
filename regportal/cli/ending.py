"""Ctrl-C and SIGTERM: how a command that runs for long comes to its end."""

import signal
import time
from collections.abc import Callable

SOON = 0.2  # seconds


def on_signals(stop: Callable[[], object]) -> None:
    """Let Ctrl-C and SIGTERM end us gracefully, and the second of them at once."""

    def once(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, once)


class Ending:
    """
    Whether we were asked to end.

    No ``threading.Event``: the system may hand a signal to any thread, and a main thread that
    sleeps on a lock then never hears of it.
    """

    def __init__(self) -> None:
        """Listen for signals from now on."""
        self._asked = False
        on_signals(self._ask)

    def wait(self) -> None:
        """Return soon after somebody asked."""
        while not self._asked:
            time.sleep(SOON)

    def _ask(self) -> None:
        self._asked = True
