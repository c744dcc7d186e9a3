"""How high somebody stands in a company, by the title he gave himself."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from regportal.buying.scores.rules import LEVELS


def level_of(title: str) -> str | None:
    """
    Return the level that a title speaks of, or None where the words are none we know.

    >>> level_of("Head of Procurement"), level_of("Geschäftsführer"), level_of("Ninja")
    ('director', 'c-level', None)

    A longer phrase tells more than a word in it, and the highest of several counts:

    >>> level_of("Senior Vice President, Sales"), level_of("Founder & Lead Engineer")
    ('vp', 'c-level')

    But who works for a CEO is not one:

    >>> level_of("Assistant to the CEO"), level_of("Marketing Intern"), level_of("Co-Owner")
    ('assistant', 'student', 'c-level')
    """
    words = _words(title)
    found = {phrase.level for phrase in _spoken(words)}
    for level in LEVELS[:2]:
        if level in found:
            return level
    return max(found, key=LEVELS.index, default=None)


class _Phrase(NamedTuple):
    """Words that stand for a level."""

    words: tuple[str, ...]
    level: str


def _words(text: str) -> tuple[str, ...]:
    """
    Return the words of a text as they are compared.

    >>> _words("Geschäftsführer (CEO)"), _words("C.E.O."), _words("Directeur général")
    (('geschaftsfuhrer', 'ceo'), ('ceo',), ('directeur', 'general'))
    """
    plain = "".join(
        sign
        for sign in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(sign)
    )
    return tuple(re.findall(r"\w+", re.sub(r"\b(\w)\.(?=\w\b)", r"\1", plain)))


def _spoken(words: tuple[str, ...]) -> list[_Phrase]:
    """Return the phrases in these words, the longest that begin at each, none within another."""
    phrases = _phrases()
    found, start = [], 0
    while start < len(words):
        here = (phrases.get(words[start:end]) for end in range(len(words), start, -1))
        phrase = next((one for one in here if one), None)
        if phrase is not None:
            found.append(phrase)
        start += len(phrase.words) if phrase else 1
    return found


@cache
def _phrases() -> Mapping[tuple[str, ...], _Phrase]:
    """Return every phrase of the list; where languages differ the higher level is meant."""
    text = (resources.files("regportal.buying.scores") / "levels.toml").read_text(encoding="utf-8")
    found: dict[tuple[str, ...], _Phrase] = {}
    for level, by_language in tomllib.loads(text).items():
        for phrases in by_language.values():
            if isinstance(phrases, list):
                for phrase in phrases:
                    words = _words(phrase)
                    found[words] = _Phrase(words, level)
    return found
