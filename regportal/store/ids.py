"""Keys that sort by the time they were made."""

import secrets
import threading
import time
import uuid

_turn = threading.Lock()
_last = 0


def uuid7(milliseconds: int | None = None) -> uuid.UUID:
    """
    Return a UUID version 7 (RFC 9562, 5.7 and 6.2 method 3) of this moment.

    The 12 bits after the milliseconds are their fraction, so that keys of one process sort in
    the order in which they were made.

    >>> uuid7().version
    7
    >>> first, second = uuid7(), uuid7()
    >>> first < second
    True
    """
    stamp = _tick() if milliseconds is None else milliseconds << 12
    bits = (stamp >> 12) << 80 | (stamp & 0xFFF) << 64 | secrets.randbits(62)
    return uuid.UUID(int=bits | 0x7 << 76 | 0x2 << 62)


def _tick() -> int:
    """Return this moment in 1/4096 of a millisecond, later than any returned before."""
    global _last  # noqa: PLW0603 - one clock a process
    now = time.time_ns() * 4096 // 1_000_000
    with _turn:
        _last = max(now, _last + 1)
        return _last
