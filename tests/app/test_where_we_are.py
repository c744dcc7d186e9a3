"""BASE_URL: what people see of us, with TLS, and below a path of somebody else's site (M1)."""

import re

import pytest
from flask import request

from regportal.identity.wire import network_of
from tests.portal import FIREFOX, SECRET, Portal

HTTPS = "https://portal.acme.example"
HOST_WIDE = {
    *("strict-transport-security", "clear-site-data", "public-key-pins", "expect-ct"),
    *("report-to", "nel", "alt-svc", "accept-ch", "origin-agent-cluster", "service-worker-allowed"),
}
"""Headers that browsers keep for all pages of a host, whoever sent them."""
KEY = "k" * 32


@pytest.fixture
def at(database_url, tmp_path, monkeypatch):
    """Open an installation under an address."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    made = []

    def open_at(base_url, **settings):
        portal = Portal(
            database_url, tmp_path, limits="off", base_url=base_url, secret_key=KEY, **settings
        )
        portal.publish()
        made.append(portal)
        return portal

    yield open_at
    for portal in made:
        portal.close()


class Visitor:
    """A browser at an address; ``stripped`` is what a proxy takes off before it asks us."""

    def __init__(self, portal, stripped=""):
        self.client = portal.app.test_client()
        self.origin = portal.settings.origin
        self.stripped = stripped

    def ask(self, method, path, **more):
        headers = {"User-Agent": FIREFOX, "Accept": "text/html", "Origin": self.origin}
        headers |= more.pop("headers", {})
        if self.stripped and path.startswith(self.stripped):
            path = path[len(self.stripped) :]
        more |= {"method": method, "base_url": self.origin, "headers": headers}
        return self.client.open(path, buffered=True, **more)

    def send(self, path, headers=(), **fields):
        headers = dict(headers)
        page = self.ask("GET", path, headers=headers).text
        hidden = dict(re.findall(r'name="(ask|csrf_token)"[^>]*value="([^"]*)"', page))
        action = re.search(r'data-rp="gate"[^>]*action="([^"]*)"', page)[1]
        return self.ask("POST", action.replace("&amp;", "&"), headers=headers, data=hidden | fields)


def cookies(answer):
    """Return the cookies an answer sets: each name with its attributes."""
    found = {}
    for line in answer.headers.getlist("Set-Cookie"):
        (name, _), *attributes = [part.partition("=")[::2] for part in line.split("; ")]
        found[name] = {attribute.lower(): value or True for attribute, value in attributes}
    return found


@pytest.mark.parametrize("remember", ["yes", "no"])
def test_with_tls_a_cookie_is_bound_to_the_host(at, remember):
    ann = Visitor(at(HTTPS))
    first = cookies(ann.ask("GET", "/g/guide"))
    kept = cookies(ann.send("/g/guide", email="ann@acme.example", remember=remember))

    name = {"yes": "__Host-rp_v", "no": "__Host-rp_s"}[remember]
    assert [*first] == ["__Host-rp_s"]
    assert name in kept
    bound = {"secure": True, "httponly": True, "path": "/", "samesite": "Lax"}
    assert first["__Host-rp_s"] == bound
    assert {one: kept[name][one] for one in bound} == bound
    assert "domain" not in kept[name]
    assert kept[name].get("max-age") == ("15552000" if remember == "yes" else None)


def test_in_another_sites_page_a_cookie_lives_in_that_sites_jar(at):
    ann = Visitor(at(HTTPS))
    framed = {"Sec-Fetch-Site": "cross-site"}
    kept = cookies(ann.ask("GET", "/g/guide?in=frame", headers=framed))

    attributes = {"secure": True, "httponly": True, "path": "/", "samesite": "None"}
    assert kept == {"__Host-rp_p": attributes | {"partitioned": True}}


def test_in_another_sites_page_an_objection_ends_being_known_again(at):
    ann, framed = Visitor(at(HTTPS)), {"Sec-Fetch-Site": "cross-site"}
    page = "/g/guide?in=frame"
    ann.ask("GET", page, headers=framed)
    ann.send(page, headers=framed, email="ann@acme.example", remember="yes")
    known = ann.ask("GET", "/g/study?in=frame", headers=framed).text
    objecting = framed | {"Sec-GPC": "1"}
    answer = ann.ask("GET", "/g/study?in=frame", headers=objecting)

    assert 'name="email"' not in known
    assert 'name="email"' in answer.text
    assert cookies(answer)["__Host-rp_s"]["partitioned"] is True
    assert cookies(answer)["__Host-rp_p"]["max-age"] == "0"


def test_on_this_machine_a_cookie_does_without_tls(at):
    ann = Visitor(at("http://localhost:8000"))
    kept = cookies(ann.ask("GET", "/g/guide"))

    assert kept == {"rp_s": {"httponly": True, "path": "/", "samesite": "Lax"}}


@pytest.mark.parametrize(
    ("base_url", "sent"),
    [
        (HTTPS, "max-age=63072000"),
        (f"{HTTPS}/portal", None),
        ("http://localhost:8000", None),
    ],
)
@pytest.mark.parametrize("path", ["/g/guide", "/theme.css", "/nothing", "/healthz"])
def test_tls_is_promised_where_the_host_is_ours(at, base_url, sent, path):
    portal = at(base_url)
    answer = Visitor(portal).ask("GET", portal.settings.path + path)

    assert answer.headers.get("Strict-Transport-Security") == sent


def test_hosts_below_ours_are_bound_only_where_the_operator_says_so(at):
    answer = Visitor(at(HTTPS, hsts="subdomains")).ask("GET", "/g/guide")

    assert answer.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"


@pytest.mark.parametrize(
    "path",
    [
        *("/g/guide", "/me", "/theme.css", "/static/js/regportal.js", "/nothing", "/healthz"),
        *("/api/v1/choice", "/.well-known/gpc.json", "/d/nothing", "/m/nothing", "/u/nothing"),
    ],
)
def test_below_a_path_no_header_speaks_for_the_whole_host(at, path):
    portal = at(f"{HTTPS}/portal")
    answer = Visitor(portal).ask("GET", portal.settings.path + path)

    assert HOST_WIDE & {name.lower() for name, _ in answer.headers} == set()


@pytest.mark.parametrize(
    "base_url", ["https://www.acme.example/portal", "http://localhost:8000/a/b"]
)
@pytest.mark.parametrize("stripped", [True, False])
def test_below_a_path_everything_works_whether_or_not_the_proxy_strips_it(at, base_url, stripped):
    portal = at(base_url)
    path = portal.settings.path
    ann = Visitor(portal, path if stripped else "")
    page = ann.ask("GET", f"{path}/g/guide")
    sent = ann.send(f"{path}/g/guide", email="ann@acme.example", remember="yes")
    done = ann.ask("GET", sent.headers["Location"])
    file = re.search(r'href="([^"]*/d/[^"]*)"', done.text)[1]
    portal.work()
    text = portal.mails()[-1].get_body(("plain",)).get_content()
    link = re.search(rf"^{re.escape(base_url)}(/m/\S+)", text, re.MULTILINE)[1]
    confirmed = ann.ask("POST", f"{path}{link}", data={"choice": "confirm"})

    ours = re.findall(r'(?:href|src|action)="(/[^"]*)"', page.text + done.text)
    assert ours
    assert [one for one in ours if not one.startswith(f"{path}/")] == []
    for one in ours:
        assert ann.ask("GET", one.replace("&amp;", "&")).status_code in {200, 405}
    assert sent.headers["Location"] == f"{path}/g/guide/done"
    assert done.headers["Refresh"] == f"1; url={file}"
    assert ann.ask("GET", file).text == "This is guide.txt.\n"
    assert confirmed.headers["Location"] == f"{path}/g/guide/done"
    assert {cookie["path"] for cookie in cookies(sent).values()} == {"/"}


@pytest.mark.parametrize("path", ["/g/guide", "/portals/g/guide"])
def test_a_path_that_only_looks_like_ours_is_not_taken_off(at, path):
    portal = at("https://www.acme.example/portal")

    assert Visitor(portal).ask("GET", path).status_code == (200 if path == "/g/guide" else 404)


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        ({}, "portal.acme.example", 200),
        ({}, "portal.acme.example:443", 200),
        ({}, "www.acme.example", 400),
        ({}, "localhost", 400),
        ({"trusted_hosts": "a.example,b.example"}, "b.example", 200),
        ({"trusted_hosts": "a.example,b.example"}, "portal.acme.example", 400),
    ],
)
def test_we_answer_to_our_own_names_only(at, settings, host, status):
    answer = at(HTTPS, **settings).app.test_client().get("/healthz", headers={"Host": host})

    assert answer.status_code == status


def test_links_in_mails_are_of_the_base_url_whatever_host_was_asked(at):
    portal = at(HTTPS, trusted_hosts="portal.acme.example,other.example", proxy_hops=1)
    ann = Visitor(portal)
    ann.send("/g/guide", email="ann@acme.example", remember="no")
    portal.work()
    hostile = {"X-Forwarded-Host": "other.example", "X-Forwarded-Proto": "http"}
    ann.ask("POST", "/g/guide", headers=hostile)

    links = re.findall(r"https?://[^/\s]+/m/", portal.mails()[-1].as_string().replace("=\n", ""))
    assert set(links) == {f"{HTTPS}/m/"}


@pytest.mark.parametrize(("hops", "network"), [(0, "127.0.0.0/24"), (1, "203.0.113.0/24")])
def test_where_somebody_comes_from_is_believed_as_many_proxies_as_there_are(at, hops, network):
    portal = at(HTTPS, proxy_hops=hops)
    seen = []
    portal.app.before_request(lambda: seen.append(network_of(request)))
    Visitor(portal).ask("GET", "/healthz", headers={"X-Forwarded-For": "198.51.100.7, 203.0.113.9"})

    assert seen == [network]
