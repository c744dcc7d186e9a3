"""Reading a page or a letter for its language: what is left of the English, and what is not."""

import re
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

from tools.messages import catalogues

SITE_IN_THREE = (Path(__file__).parent / "languages.yaml").read_text()
"""A site in English, German and Arabic."""

PIECES = re.compile(r"%\(\w+\)[sd]|<[^>]+>")


def visible(page):
    """Return the words of a page, without its markup and what is quoted in it as it is."""
    for hidden in (r"<style.*?</style>", r"<script.*?</script>", r"<bdi>[^<]*</bdi>", r"<[^>]+>"):
        page = re.sub(hidden, " ", page, flags=re.DOTALL)
    return " ".join(page.split())


@cache
def english(language):
    """
    Return every piece of our English that has another wording in a language.

    A word of two letters says nothing: there is one in the name of the Isle of Man.
    """
    file = catalogues()[language]
    with file.open("rb") as source:
        messages = [message for message in read_po(source, locale=language) if message.id]
    said = "\n".join(" ".join(_all(message.string)) for message in messages)
    pieces = (
        piece for message in messages for one in _all(message.id) for piece in PIECES.split(one)
    )
    bare = {piece.strip(" .,:;!?“”") for piece in pieces}
    return sorted(piece for piece in bare if len(piece) > 2 and not _is_in(piece, said))


def left_of_english(text, language):
    """Return the pieces of our English that a text still has."""
    return [one for one in english(language) if _is_in(one, text)]


def _all(said):
    """Return a sentence, or all of its plurals."""
    return [said] if isinstance(said, str) else list(said)


def _is_in(piece, text):
    """Return whether these very words stand in a text."""
    # Few stand there at all, and to compile a pattern takes longer than to look.
    return piece in text and re.search(rf"(?<!\w){re.escape(piece)}(?!\w)", text) is not None
