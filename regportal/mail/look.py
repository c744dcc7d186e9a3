"""How letters look: one readable style sheet, written into each element for mail programs."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from jinja2 import Environment

if TYPE_CHECKING:
    from css_inline import CSSInliner

BLACK, WHITE = "#000000", "#ffffff"
TYPEWRITTEN = str.maketrans("“”‘’–", "\"\"''-")  # noqa: RUF001 - these are the marks it is about
"""How marks of print were typed before there were any."""


def inlined(html: str) -> str:
    """
    Return a letter whose elements carry their style, as mail programs want it.

    What depends on the reader's screen (dark, narrow) stays a style sheet; nothing is fetched.

    >>> print(inlined("<style>p { color: #333 }</style><p>Hello</p>"))
    <html><head></head><body><p style="color: #333;">Hello</p></body></html>
    """
    return _inliner().inline(html)


def tidy(text: str) -> str:
    r"""
    Return a letter's text with one empty line between its paragraphs.

    Where that is enough to make it ASCII, quotes are straight: then it goes as it is, and a
    long link stays whole on its line.

    >>> tidy("\n\n“Hello”\n\n\nAnn ")
    '"Hello"\n\nAnn\n'
    >>> tidy("“Grüße”")
    '“Grüße”\n'
    """
    text = re.sub(r"\n[ \t\n]*\n", "\n\n", text).strip() + "\n"
    plain = text.translate(TYPEWRITTEN)
    return plain if plain.isascii() else text


@lru_cache(maxsize=1)
def _inliner() -> "CSSInliner":
    """Return the one that does it, made when the first letter is written."""
    from css_inline import CSSInliner  # noqa: PLC0415 - 4 MB that only who writes letters needs

    return CSSInliner(
        keep_at_rules=True,
        load_remote_stylesheets=False,
        resolve_css_variables=True,
    )


def use(pages: Environment) -> None:
    """Let style sheets ask what can be read on a colour."""
    pages.filters["readable"] = readable


def readable(background: str) -> str:
    """
    Return black or white, whichever has the higher contrast on this colour (WCAG 2.2).

    >>> readable("#0b5cad"), readable("#ffd54a"), readable("#fff")
    ('#ffffff', '#000000', '#000000')
    """
    digits = background.removeprefix("#")
    short = len(digits) < 6  # noqa: PLR2004 - #abc is #aabbcc
    parts = [one * 2 for one in digits[:3]] if short else [digits[at : at + 2] for at in (0, 2, 4)]
    red, green, blue = (_light(int(part, 16) / 255) for part in parts)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    on_black, on_white = (luminance + 0.05) / 0.05, 1.05 / (luminance + 0.05)
    return BLACK if on_black >= on_white else WHITE


def _light(part: float) -> float:
    """Return how much light a part of a colour gives."""
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - sRGB's own
