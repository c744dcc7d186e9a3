"""
How long a test waits for something that comes: longer than any busy moment of a machine.

Waiting ends as soon as the thing is there, so that patience costs nothing. By the clock no test
measures whether something was quick: what it must not wait for takes for ever here.
"""

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
