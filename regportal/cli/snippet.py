"""A command for whoever writes pages: the lines that bring a gate, or the recorder, into one."""

import json
from dataclasses import asdict

import click

from regportal.app import web_root
from regportal.cli.installation import opened
from regportal.embedding.builds import RELEASE, present
from regportal.embedding.snippets import Snippet, snippet_of
from regportal.store.documents import Site


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
    build = present(web_root() / "static" / "js")
    found = snippet_of(settings.base_url, settings.origin, build, published, gate, mode)
    click.echo(json.dumps(asdict(found), indent=2) if as_json else "\n".join(_lines(found)))
    site = published.find(Site, "site")
    if site is None or not site.origins:
        says = "No page may use it yet: name the origin of your pages in site.origins, and apply."
        click.echo(says, err=True)
    if not RELEASE.fullmatch(build.version):
        says = "This build is not a release: its address ends with the next upgrade."
        click.echo(says, err=True)


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
