"""The ways in which a gate comes into a page: what to copy, for each kind of site."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from regportal.embedding.snippets import Snippet
from regportal.store.words import N_


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to copy."""

    where: str
    """Where it belongs."""
    lines: str


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of site, and what is copied there."""

    name: str
    title: str
    parts: Sequence[Part]


HEAD = N_("Once, into the head of the page")
PLACE = N_("Where the gate is to be")
STYLE = N_("Into the style sheet, so that nothing moves when the gate comes")
BLOCK = N_("Into a block “Custom HTML”, where the gate is to be")
SETTINGS = N_("Into the settings of the site (hugo.toml)")
SHORTCODE = N_("Into the page; the short code is in examples/hugo")
COMPONENT = N_("Into the page; the component is in examples/react")
ANYWHERE = N_("Into a page, a mail or a post")


def ways_of(snippet: Snippet, address: str, headline: str, key: str) -> Sequence[Way]:
    """
    Return every way into a page, the usual one first.

    >>> one = Snippet("https://go.acme.example/r.js", "sha384-x", "<script>", "<e>", None, None, {})
    >>> ways = ways_of(one, "https://go.acme.example/g/prices", "Prices & more", "prices")
    >>> print(ways[2].parts[0].lines)
    <a href="https://go.acme.example/g/prices">Prices &amp; more</a>
    >>> [way.name for way in ways]
    ['script', 'frame', 'link', 'wordpress', 'hugo', 'react']
    """
    element = snippet.element or ""
    style = [Part(STYLE, snippet.style)] if snippet.style else []
    framed = f'<iframe src="{escape(address)}?in=frame" title="{escape(headline)}"\n'
    framed += '  width="100%" height="640" loading="lazy"></iframe>'
    hugo = f'{{{{< regportal-gate gate="{key}" >}}}}{escape(headline)}{{{{< /regportal-gate >}}}}'
    settings = f'[params.regportal]\nsrc = "{snippet.src}"\nintegrity = "{snippet.integrity}"'
    react = (
        f'<RegportalGate gate="{key}"\n  src="{snippet.src}"\n'
        f'  integrity="{snippet.integrity}">\n  {{{_quoted(headline)}}}\n</RegportalGate>'
    )
    return (
        Way("script", N_("Any page"), (Part(HEAD, snippet.script), Part(PLACE, element), *style)),
        Way("frame", N_("In a frame"), (Part(PLACE, framed),)),
        Way("link", N_("A link"), (Part(ANYWHERE, _link(address, headline)),)),
        Way("wordpress", "WordPress", (Part(BLOCK, f"{snippet.script}\n{element}"),)),
        Way("hugo", "Hugo", (Part(SETTINGS, settings), Part(SHORTCODE, hugo))),
        Way("react", "React", (Part(COMPONENT, react),)),
    )


def _link(address: str, headline: str) -> str:
    """Return a plain link."""
    return f'<a href="{escape(address)}">{escape(headline)}</a>'


def _quoted(text: str) -> str:
    r"""
    Return a text as JavaScript writes it; nothing in it ends an element.

    >>> print(_quoted('5 < 6, "as ever"'))
    "5 \u003c 6, \"as ever\""
    """
    return json.dumps(text, ensure_ascii=False).replace("<", "\\u003c")
