"""
How long a test waits for something that comes: longer than any busy moment of a machine.

Waiting ends as soon as the thing is there, so that patience costs nothing. By the clock no test
measures whether something was quick: what it must not wait for takes for ever here.
"""

import threading
import time

PATIENCE = 60.0
FOR_EVER = 600.0


def rest():
    """Let a moment pass."""
    time.sleep(0.01)


def until(true, *, rest=rest):
    """Wait until this is true, and return what it then is; false where patience ends."""
    end = time.monotonic() + PATIENCE
    while not (found := true()) and time.monotonic() < end:
        rest()
    return found


class Pausing:
    """A write that holds what it has, just before its commit, until it is let go."""

    def __init__(self, store, work):
        self.holds, self.go = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=store.write, args=(self._paused(work),))
        self.thread.start()
        assert self.holds.wait(PATIENCE)

    def _paused(self, work):
        def paused(session):
            work(session)
            session.flush()
            self.holds.set()
            assert self.go.wait(PATIENCE)

        return paused

    def ends_soon(self):
        """Let it commit while something else is waiting for it."""
        threading.Timer(0.3, self.go.set).start()
