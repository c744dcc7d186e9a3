"""A command for whoever writes pages: the lines that bring a gate, or the recorder, into one."""

import json
from dataclasses import asdict, dataclass
from html import escape

import click

from regportal.app import scripts, web_root
from regportal.cli.installation import opened
from regportal.cli.room import room_for
from regportal.cli.seen import is_near
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


@click.command()
@click.argument("gate", required=False)
@click.option(
    "--mode",
    type=click.Choice(["frame", "script"]),
    help="How the gate is shown; see docs/embedding.md.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what a program may read.")
def snippet(gate: str | None, *, mode: str | None, as_json: bool) -> None:
    """Print the lines that bring GATE into a page; without GATE those of the recorder alone."""
    with opened() as installation, installation.store.read() as session:
        published = installation.shelf.published(session)
        settings = installation.settings
    build = scripts.present(web_root() / "static" / "js")
    found = snippet_of(settings.base_url, settings.origin, build, published, gate, mode)
    click.echo(json.dumps(asdict(found), indent=2) if as_json else "\n".join(_lines(found)))
    site = published.find(Site, "site")
    if site is None or not site.origins:
        says = "No page may use it yet: name the origin of your pages in site.origins, and apply."
        click.echo(says, err=True)
    if not scripts.RELEASE.fullmatch(build.version):
        says = "This build is not a release: its address ends with the next upgrade."
        click.echo(says, err=True)


def snippet_of(
    portal: str,
    origin: str,
    build: scripts.Build,
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


def _lines(found: Snippet) -> list[str]:
    """Return it as it is put into a page."""
    allows = "; ".join(f"{name} {value}" for name, value in found.policy.items())
    lines = ["<!-- once, in the head of the page -->", found.script]
    if found.style:
        says = "so that nothing moves when the gate comes; better in a style sheet of the page"
        lines += ["", f"<!-- {says} -->", f"<style>{found.style}</style>"]
    if found.element:
        lines += ["", "<!-- where the gate is to be -->", found.element]
    if found.teaser:
        says = "the same for search engines; data, which no policy of the page stops"
        lines += ["", f"<!-- {says} -->", found.teaser]
    return [*lines, "", f"<!-- a Content-Security-Policy of the page must allow: {allows} -->"]
