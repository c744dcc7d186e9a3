"""Keys that say what a title does."""

import re
import unicodedata
from collections.abc import Collection

LONGEST = 60
"""Characters of a key that is made of a title."""


def free_key(title: str, taken: Collection[str], otherwise: str) -> str:
    """
    Return a key that says what a title does, and is nobody else's.

    >>> free_key("Vergleich für Österreich", (), "phase"), free_key("比较", (), "phase")
    ('vergleich-fur-osterreich', 'phase')
    >>> free_key("Warm", {"warm", "warm-2"}, "phase")
    'warm-3'
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    key = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST].strip("-") or otherwise
    found, number = key, 1
    while found in taken:
        number += 1
        found = f"{key}-{number}"
    return found
