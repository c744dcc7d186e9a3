"""The lines that bring a gate, or the recorder, into a page."""

from dataclasses import dataclass
from html import escape

from regportal.embedding.builds import Build
from regportal.embedding.room import room_for
from regportal.embedding.seen import is_near
from regportal.forms.schema import Gate
from regportal.forms.teaser import gated, teaser
from regportal.library.schema import Asset
from regportal.store.documents import Published, Site, said


@dataclass(frozen=True, slots=True)
class Snippet:
    """What a page needs, piece by piece."""

    src: str
    integrity: str
    script: str
    """The line for the head of the page."""
    element: str | None
    """What stands where the gate is to be; None for the recorder alone."""
    teaser: str | None
    """The same for search engines, as data; None for a gate without an abstract."""
    style: str | None
    """The rule for the page's style sheet; None for the recorder alone."""
    policy: dict[str, str]
    """What the page's own Content-Security-Policy must allow, by directive."""


def snippet_of(
    portal: str,
    origin: str,
    build: Build,
    published: Published,
    gate: str | None,
    mode: str | None = None,
) -> Snippet:
    """Return what a page needs for a gate, or for the recorder alone; raise NotHereError."""
    name = "regportal.js" if gate else "recorder.js"
    src, integrity = f"{portal}/{build.address(name)}", build.integrity(name)
    element = data = style = None
    policy = {"script-src": origin, "connect-src": origin}
    if gate:
        found, site = published.one(Gate, gate), Site.of(published)
        element = _element(portal, found, site.locale, mode)
        asset = published.one(Asset, found.asset)
        told = teaser(found, asset, site, site.locale)
        data = str(told) if told else None
        style = room_for(found, site.locale, framed=_is_framed(portal, found, site, mode))
        policy["frame-src"] = origin
        if asset.plays:
            policy["media-src"] = origin
    script = (
        f'<script type="module" src="{escape(src)}"\n'
        f'  integrity="{integrity}" crossorigin></script>'
    )
    return Snippet(src, integrity, script, element, data, style, policy)


def _is_framed(portal: str, gate: Gate, site: Site, mode: str | None) -> bool:
    """Return whether a gate comes in a frame on every page of the site (docs/embedding.md)."""
    by_script = mode == "script" and gate.hands_over(site, proven=False)
    far = bool(site.origins) and not any(is_near(one, portal) for one in site.origins)
    return mode == "frame" or (far and not by_script)


def _element(portal: str, gate: Gate, locale: str, mode: str | None = None) -> str:
    """Return what stands in a page where a gate is to be: its abstract, and a link."""
    how = f' mode="{mode}"' if mode else ""
    link = f'<a href="{escape(portal)}/g/{gate.key}">{escape(said(gate.headline, locale))}</a>'
    abstract = [f"<p>{escape(paragraph)}</p>" for paragraph in gate.abstract_in(locale)]
    if abstract:
        link = f'<p class="{gated(gate)}">{link}</p>'
    inside = "".join(f"  {line}\n" for line in [*abstract, link])
    return f'<regportal-gate gate="{gate.key}"{how}>\n{inside}</regportal-gate>'
