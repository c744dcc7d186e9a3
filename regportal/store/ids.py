"""Keys that sort by the time they were made."""

import secrets
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FAR = 1000 * 4096
"""A clock that goes back by more than this, a second, was wrong before."""

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


def uuid7_of(at: datetime, digest: bytes) -> uuid.UUID:
    """
    Return the UUID version 7 of a moment since 1970 whose random bits are those of a digest.

    What is read twice has one key:

    >>> from hashlib import sha256
    >>> first = datetime(2015, 5, 17, 10, 5, 3, tzinfo=UTC)
    >>> uuid7_of(first, sha256(b"a download").digest())
    UUID('014d6155-8098-7af0-80cd-ec66bb5d0b3c')
    """
    milliseconds = (at - EPOCH) // timedelta(milliseconds=1)
    bits = milliseconds << 80 | int.from_bytes(digest[:10])
    fixed = 0xF << 76 | 0x3 << 62
    return uuid.UUID(int=bits & ~fixed | 0x7 << 76 | 0x2 << 62)


def read_key(text: str) -> uuid.UUID:
    """
    Return a UUID that we wrote, as text or as hexadecimal digits: in half of its own time.

    >>> read_key("014d615580987af080cdec66bb5d0b3c")
    UUID('014d6155-8098-7af0-80cd-ec66bb5d0b3c')
    """
    key = object.__new__(uuid.UUID)
    object.__setattr__(key, "int", int(text.replace("-", ""), 16))
    object.__setattr__(key, "is_safe", uuid.SafeUUID.unknown)
    return key


def first_of(at: datetime) -> uuid.UUID:
    """
    Return what no key of version 7 from a moment on comes before.

    >>> first_of(datetime(2026, 3, 4, 12, tzinfo=UTC)) <= uuid7(1772625600000)
    True
    """
    milliseconds = (at - EPOCH) // timedelta(milliseconds=1)
    return uuid.UUID(int=milliseconds << 80)


def moment_of(key: uuid.UUID) -> datetime:
    """
    Return the moment with which a key of version 7 begins.

    >>> moment_of(uuid7(1772625600000))
    datetime.datetime(2026, 3, 4, 12, 0, tzinfo=datetime.timezone.utc)
    """
    return EPOCH + timedelta(milliseconds=key.int >> 80)


def _tick() -> int:
    """
    Return this moment in 1/4096 of a millisecond, later than any returned before.

    But a clock that was far ahead, and was set right, is followed: rows are deleted by these.
    """
    global _last  # noqa: PLW0603 - one clock a process
    now = time.time_ns() * 4096 // 1_000_000
    with _turn:
        _last = now if _last - now > FAR else max(now, _last + 1)
        return _last
