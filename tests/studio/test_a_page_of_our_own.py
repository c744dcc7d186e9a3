"""Whether a page of the company's own really shows a gate: its bytes, and how we get at them."""

import html
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from regportal.embedding.builds import present
from regportal.embedding.snippets import snippet_of
from tests.embedding.conftest import web_root
from tests.portal import ORIGIN, SITE, Portal
from tests.studio.staff import Company

BUILD = present(web_root() / "static" / "js")


class Site(BaseHTTPRequestHandler):
    """A page of the company's own."""

    def do_GET(self):
        status, body, more = self.server.answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def desk(database_url, tmp_path, site):
    url = f"http://127.0.0.1:{site.server_port}"
    portal = Portal(database_url, tmp_path, allow_private_targets="127.0.0.0/8", limits="off")
    portal.publish(SITE.replace("https://www.acme.example]", f"'{url}']"))
    made = Company(portal).at_desk("ann@acme.example", "marketer")
    made.url, made.portal = f"{url}/prices", portal
    yield made
    portal.close()


def check(desk, site, body, status=200, **headers):
    """Let the page say this, and look at it; return what is said of it."""
    site.answer = status, body.encode(), headers
    desk.get("/gates/guide")
    text = html.unescape(desk.post("/gates/guide/check", {"url": desk.url}).text)
    return text.partition('id="check"')[2].partition("<form")[0]


def lines(desk):
    with desk.portal.store.read() as session:
        published = desk.portal.shelf.published(session)
    found = snippet_of(ORIGIN, ORIGIN, BUILD, published, "guide")
    return f"<head>{found.script}</head><body>{found.element}</body>"


def test_the_lines_that_we_give_are_found(desk, site):
    assert "The page shows this gate." in check(desk, site, lines(desk))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (f'<iframe src="{ORIGIN}/g/guide?in=frame"></iframe>', "in a frame of its own"),
        (f'<a href="{ORIGIN}/g/guide">Guide</a>', "by a link"),
        ("<p>Nothing of ours.", "This gate is not on the page."),
        (f'<a href="{ORIGIN}/g/prices">Prices</a>', "This gate is not on the page."),
    ],
)
def test_what_stands_on_the_page_is_said(desk, site, body, says):
    assert says in check(desk, site, body)


def test_what_is_wrong_is_said_with_what_to_do(desk, site):
    without = lines(desk).partition("</head>")[2]
    elsewhere = lines(desk).replace(ORIGIN, "https://other.example")
    forged = lines(desk).replace("sha384-", "sha384-x")

    assert "Our script is not on the page." in check(desk, site, without)
    assert "A script is from another portal" in check(desk, site, elsewhere)
    assert "The integrity hash is not that of" in check(desk, site, forged)


def test_a_page_that_does_not_come_is_said(desk, site):
    assert "The page answers 500." in check(desk, site, "", 500)
    found = check(desk, site, "", 301, Location="https://x.example/<b>")
    assert "leads on to another address" in found
    desk.url = "http://127.0.0.1:9/"
    assert "could not be opened" in check(desk, site, "")


def test_what_a_hostile_page_says_is_text(desk, site):
    body = '<regportal-gate gate="<script>alert(1)</script>"></regportal-gate>'
    site.answer = 200, body.encode(), {}
    desk.get("/gates/guide")

    assert "<script>alert" not in desk.post("/gates/guide/check", {"url": desk.url}).text


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "http://[::1]/", "http://10.0.0.1/", "http://0/"]
)
def test_nothing_inside_of_the_network_is_called(company, url):
    desk = company.at_desk("ann@acme.example", "marketer")
    desk.get("/gates/guide")

    assert "could not be opened" in desk.post("/gates/guide/check", {"url": url}).text


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ftp://x", "javascript:alert(1)"])
def test_what_is_no_address_of_a_page_is_said_beside_the_field(company, url):
    desk = company.at_desk("ann@acme.example", "marketer")
    desk.get("/gates/guide")
    answer = desk.post("/gates/guide/check", {"url": url})

    assert answer.status == 422
    assert "url" in answer.errors
