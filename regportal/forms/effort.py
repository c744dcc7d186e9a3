"""
A small calculation a browser does for us, where many forms come from one place.

It costs a person some seconds of waiting and whoever sends thousands of forms a processor. What
is to be found follows from the form's own token: it is good for this form and, like the form, once.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

MOST = 100_000
"""The number to be found lies below: about a second's work for a browser, three for a telephone."""
FIELD = "effort"


@dataclass(frozen=True, slots=True)
class Effort:
    """What a page is to find: the number that makes this digest."""

    salt: str
    goal: str
    most: int


def effort_for(nonce: str, keys: Sequence[bytes]) -> Effort:
    """
    Return what the page with this form is to find.

    >>> effort_for("a form", [b"k" * 32]).goal == effort_for("another", [b"k" * 32]).goal
    False
    """
    number = _number(nonce, keys[0])
    goal = hashlib.sha256(f"{nonce}:{number}".encode()).hexdigest()
    return Effort(nonce, goal, MOST)


def is_done(nonce: str, given: str, keys: Sequence[bytes]) -> bool:
    """
    Return whether the number was found, without looking for it ourselves.

    >>> is_done("a form", str(_number("a form", b"k" * 32)), [b"k" * 32])
    True
    >>> is_done("a form", "1", [b"k" * 32]), is_done("a form", "", [b"k" * 32])
    (False, False)
    """
    numbers = (str(_number(nonce, key)) for key in keys)
    return any(hmac.compare_digest(number.encode(), given.encode()) for number in numbers)


def _number(nonce: str, key: bytes) -> int:
    """Return the number that only we know without looking for it."""
    digest = hmac.digest(key, f"regportal.effort\n{nonce}".encode(), "sha256")
    return int.from_bytes(digest[:8], "big") % MOST
