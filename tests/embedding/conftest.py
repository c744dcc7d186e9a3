"""A company's site, and the portal where companies put it: all behind one real nginx, with TLS."""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from regportal.app import web_root
from regportal.embedding.builds import present
from regportal.embedding.snippets import snippet_of
from tests.embedding.engines import engine, started  # noqa: F401 - fixtures
from tests.portal import Portal, served
from tests.web_servers import in_the_docs, nginx
from tools.ensure_browser import NGINX, ensure
from tools.ports import free_port

SITE = """
site:
  name: Acme Products
  controller: Acme Products Ltd, 1 High Street, Leeds
  privacy_notice: https://www.acme.example/privacy
  origins: ["{origin}", "{shop}"]
questions:
  - {{key: country, type: country, label: Your country, why: So that it fits.}}
assets:
  - {{key: guide, title: A guide, category: paper, topics: [widgets], file: guide.txt}}
  - {{key: study, title: A study, category: paper, topics: [widgets], file: study.txt}}
gates:
  - {{key: guide, asset: guide, headline: The guide, text: All of it., questions: [country]}}
  - {{key: study, asset: study, headline: The study, questions: [country]}}
"""
SERVER = """
server {{
  listen 127.0.0.1:{port} ssl; server_name {name}; {more}
  {location}
}}
"""
POLICY = "default-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
MODES = {
    "path": "https://www.acme.test:{port}/portal",
    "sub-domain": "https://go.acme.test:{port}",
    "other site": "https://portal.vendor.test:{port}",
}
"""M1, M2 and M3 of security.md 3.2: where the portal is."""
SHOP = "https://shop.vendor.test:{port}"
"""Another domain of the same company, with the same pages."""


@dataclass
class Place:
    """The site and its portal."""

    www: str
    """The origin of the company's pages."""
    url: str
    """Where the portal is, for everybody."""
    portal: Portal
    pages: Path

    def snippet(self, gate):
        """Return what `regportal snippet` says of a gate."""
        with self.portal.store.read() as session:
            published = self.portal.shelf.published(session)
        build = present(web_root() / "static" / "js")
        return snippet_of(self.url, self.portal.settings.origin, build, published, gate)

    def page(self, name, gate="guide", body="", head="", policy=POLICY, *, alone=False):
        """Put a page with a gate on the site, ``alone`` without the script; return its address."""
        snippet = self.snippet(gate)
        allows = "; ".join(f"{name} {value}" for name, value in snippet.policy.items())
        text = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Widgets</title>
        <meta http-equiv="Content-Security-Policy" content="{policy}; {allows}">
        {"" if alone else snippet.script}{head}</head>
        <body>{body or snippet.element}</body></html>"""
        (self.pages / f"{name}.html").write_text(text)
        return f"{self.www}/{name}.html"


@pytest.fixture(scope="module")
def place_in(_sqlite_template, tmp_path_factory):
    """
    Make a site whose portal is in one of the modes; ``more`` goes into the portal's server.

    ``named`` gives other names than ``*.test`` to the hosts.
    """
    with ExitStack() as stack:

        def make(mode, more="", named=str):
            folder = tmp_path_factory.mktemp("site")
            (folder / "www").mkdir()
            shutil.copyfile(_sqlite_template, folder / "regportal.db")
            port = free_port()
            www = named(f"https://www.acme.test:{port}")
            url = named(MODES[mode].format(port=port))
            serving = served(
                f"sqlite:///{folder}/regportal.db",
                folder,
                SITE.format(origin=www, shop=named(SHOP.format(port=port))),
                base_url=url,
                proxy_hops=1,
                secret_key="x" * 32,
            )
            portal, behind = stack.enter_context(serving)
            name, path = url.split("/")[2].partition(":")[0], url.split("/", 3)[3:]
            location = in_the_docs("proxies.md", "nginx").replace(
                "http://127.0.0.1:8000", behind.replace("localhost", "127.0.0.1")
            )
            if not path:
                location = location.replace("/portal/", "/")
            site = f"root {folder}/www; ssi on;"
            servers = (
                SERVER.format(
                    port=port, name=named("www.acme.test"), more=site, location=location + more
                )
                if path
                else SERVER.format(port=port, name=named("www.acme.test"), more=site, location="")
                + SERVER.format(port=port, name=name, more="", location=location + more)
            )
            stack.enter_context(nginx(ensure(NGINX), folder, port, servers))
            return Place(www, url, portal, folder / "www")

        yield make


@pytest.fixture(scope="module", params=list(MODES))
def place(request, place_in):
    """A site with its portal, in each mode."""
    return place_in(request.param)


@pytest.fixture
def browser_context_args(browser_context_args):
    """Take the certificate of our own."""
    return browser_context_args | {"ignore_https_errors": True}
