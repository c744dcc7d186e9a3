"""A shared cache before the portal keeps what the headers let it keep, and nothing of anybody."""

import html
import re
import shutil
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import requests
from werkzeug.routing import AnyConverter, UUIDConverter

from regportal.app import web_root
from regportal.embedding.builds import present
from tests.portal import FIREFOX, Portal, served
from tests.web_servers import nginx
from tools.ensure_browser import NGINX, ensure
from tools.ports import free_port

CACHE = """
proxy_cache_path {folder}/cache keys_zone=all:1m;
server {{
  listen 127.0.0.1:{port};
  location / {{
    proxy_pass {behind}; proxy_set_header Host $http_host;
    proxy_cache all; proxy_cache_key $request_uri;
    add_header X-Cache $upstream_cache_status always;
  }}
}}
"""
FOR_EVERYBODY = {
    "static",
    "script",
    "app.theme",
    "app.no_icon",
    "including.include",
    "choosing.gpc",
    "openapi",
    "shell.shell",
}
"""The endpoints that answer everybody alike."""
BUILD = present(web_root() / "static" / "js")


@dataclass
class Place:
    """The portal behind its cache."""

    url: str
    portal: Portal


@pytest.fixture(scope="module")
def place(_sqlite_template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cached")
    shutil.copyfile(_sqlite_template, folder / "regportal.db")
    port = free_port()
    url = f"http://localhost:{port}"
    with ExitStack() as stack:
        serving = served(f"sqlite:///{folder}/regportal.db", folder, base_url=url)
        portal, behind = stack.enter_context(serving)
        behind = behind.replace("localhost", "127.0.0.1")
        servers = CACHE.format(folder=folder, port=port, behind=behind)
        stack.enter_context(nginx(ensure(NGINX), folder, port, servers))
        yield Place(url, portal)


class Person(requests.Session):
    """Somebody with a browser, on the other side of the cache."""

    def __init__(self, place, **headers):
        super().__init__()
        self.place = place
        self.headers.update({"User-Agent": FIREFOX, "Accept": "text/html", **headers})

    def open(self, path, **headers):
        """Ask for a page."""
        return self.get(self.place.url + path, headers=headers, allow_redirects=False, timeout=30)

    def fill_in(self, path, fields):
        """Send a form."""
        origin = {"Origin": self.place.url, "Sec-Fetch-Site": "same-origin"}
        return self.post(self.place.url + path, data=fields, headers=origin, timeout=30)

    def claim(self, gate, email):
        """Give an address at a gate, and be remembered."""
        page = self.open(f"/g/{gate}").text
        tags = re.findall(r'<input[^>]*name="(ask|csrf_token)"[^>]*value="([^"]*)"', page)
        fields = {name: html.unescape(value) for name, value in tags}
        assert fields.keys() == {"ask", "csrf_token"}
        return self.fill_in(f"/g/{gate}", {**fields, "email": email, "remember": "yes"})


def hit(answer):
    """Return whether it came out of the cache."""
    return answer.headers.get("X-Cache") == "HIT"


@pytest.fixture
def ann(place):
    """Somebody who gave her address."""
    person = Person(place)
    assert person.claim("guide", "ann@acme.example").status_code == 200
    return person


@pytest.fixture
def bob(place):
    """Somebody else."""
    return Person(place)


@pytest.mark.parametrize(
    "path",
    [
        "/g/guide",
        "/g/guide/done",
        "/g/guide?in=frame&host=https://www.acme.example",
        "/g/guide/done?in=frame&host=https://www.acme.example",
        "/g/study",
        "/me",
    ],
)
def test_what_one_was_shown_nobody_else_is(ann, bob, path):
    hers, again, his = ann.open(path), ann.open(path), bob.open(path)

    assert not any(hit(one) for one in (hers, again, his))
    assert "ann@" not in his.text
    assert "a…@acme.example" not in his.text
    assert hers.text != his.text or hers.status_code != his.status_code or path == "/me"
    assert not set(ann.cookies.values()) & set(bob.cookies.values())


def test_a_file_goes_to_the_browser_that_was_given_it_only(ann, bob):
    link = re.search(r'href="(/d/[^"]+)"', ann.open("/g/guide/done").text)[1]

    assert ann.open(link).text == "This is guide.txt.\n"
    assert not hit(ann.open(link))
    assert "This is" not in bob.open(link).text


def test_what_a_mail_opens_is_asked_anew_each_time(place, ann, bob):
    place.portal.work()
    text = place.portal.mails()[-1].get_body(("plain",)).get_content()
    path = re.search(rf"^{re.escape(place.url)}(/m/\S+)\r?$", text, re.MULTILINE)[1]

    assert not hit(ann.open(path))
    assert not hit(bob.open(path))


def test_an_answer_to_a_script_is_its_own_origins_only(place, bob):
    for origin in ("https://www.acme.example", "https://evil.example", place.url):
        answer = bob.options(f"{place.url}/api/v1/choice", headers={"Origin": origin}, timeout=30)

        assert not hit(answer)
        shared = answer.headers.get("Access-Control-Allow-Origin")
        assert shared == (None if "evil" in origin else origin)


def test_of_every_address_only_what_is_for_everybody_is_kept(place):
    known = {"key": "guide", "token": "x" * 43, "filename": "css/regportal.css"}
    kept = set()
    adapter = place.portal.app.url_map.bind("localhost")
    for rule in place.portal.app.url_map.iter_rules():
        if "GET" not in rule.methods:
            continue
        values = {name: _value(rule, name, known) for name in rule.arguments}
        path = adapter.build(rule.endpoint, values, method="GET")
        Person(place).open(path)
        if hit(Person(place).open(path)):
            kept.add(rule.endpoint)

    assert kept == FOR_EVERYBODY


def _value(rule, name, known):
    converter = rule._converters[name]
    if isinstance(converter, UUIDConverter):
        return "01890000-0000-7000-8000-000000000000"
    return min(converter.items) if isinstance(converter, AnyConverter) else known[name]


@pytest.mark.parametrize(
    "path", [f"/{BUILD.address('regportal.js')}", "/static/js/recorder.js", "/theme.css"]
)
def test_scripts_and_styles_are_kept_for_every_site_alike(place, path):
    first = Person(place, Origin="https://www.acme.example").open(path)
    again = Person(place, Origin="https://www.other.example", Cookie="rp_v=x").open(path)

    assert hit(again)
    assert again.content == first.content
    assert again.headers["Access-Control-Allow-Origin"] == "*"
    assert "Set-Cookie" not in again.headers
    assert again.headers["Vary"] == "Accept-Encoding"


def test_whoever_has_a_script_is_told_that_it_is_the_same(place, bob):
    path = f"/{BUILD.address('recorder.js')}"
    tag = bob.open(path).headers["ETag"]
    same = bob.open(path, **{"If-None-Match": tag})

    assert same.status_code == 304
    assert same.content == b""
    assert same.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_an_error_is_kept_by_nobody(bob):
    for path in ("/g/nothing", "/g/nothing/include", "/static/js/9.9.9/regportal.js"):
        assert bob.open(path).status_code == 404
        assert not hit(bob.open(path)), path
