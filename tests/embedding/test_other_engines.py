"""The gate and the recorder in the engines of Firefox and of Safari, wherever the portal is."""

import json
import time
from contextlib import ExitStack

import pytest
import sqlalchemy as sa

from regportal.tracking.models import Interaction
from tests.embedding.conftest import MODES
from tests.firefox import firefox
from tests.names import known, only_this_machine
from tests.webkit import webkit

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("browser")]

STARTS = {"firefox": firefox, "webkitgtk": webkit}
PATIENCE = 20
ROOT = "(document.querySelector('regportal-gate')?.shadowRoot ?? document)"
FILE = f"{ROOT}.querySelector('a[data-rp=download]')"
SEEN = f"""(has => JSON.stringify({{
  email: has('input[name=email]'), country: has('[data-question=country]'),
  file: has('a[data-rp=download]'), again: has('[data-rp=not-you]'),
}}))(selector => {ROOT}.querySelector(selector) !== null)"""
FETCHED = """(asked => (
  asked.open('GET', {}, false), asked.send(), asked.responseText
))(new XMLHttpRequest())"""
GIVES = f"""({ROOT}.querySelector('input[name=email]').value = 'ann@widgetworks.example',
  {ROOT}.querySelector('button[name=remember][value=yes]').click(), true)"""
BY_A_PERSON = "Object.defineProperty(Navigator.prototype, 'webdriver', { get: () => false })"
LAX = "script-src 'self' {portal}; connect-src {portal}"


@pytest.fixture
def started(request):
    """Start the engine that a test is about, with what it is to be told."""
    with ExitStack() as stack:

        def start(name, **preferences):
            proxy = stack.enter_context(only_this_machine())
            browser = stack.enter_context(STARTS[name](proxy, **preferences))
            request.config.pluginmanager.get_plugin("guard").engines[name] = browser.version
            return browser

        yield start


@pytest.fixture(params=list(STARTS))
def engine(request):
    """Each engine beside Chromium."""
    return request.param


def soon(condition):
    """Wait until something holds, and return it."""

    until = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.05)
    return found


class Gate:
    """The gate of a page: in a frame where the portal is on another site, else drawn."""

    def __init__(self, browser, place):
        self.browser, self.place = browser, place
        self.framed = "example.net" in place.url
        self.read = browser.read_frame if self.framed else browser.read

    @property
    def shows(self):
        """Return what there is; nothing while it is on its way."""
        return json.loads(self.read(SEEN) or "{}")

    def give_address(self):
        """Give an address, and return the bytes of the file."""
        soon(lambda: self.shows.get("email"))
        self.read(GIVES)
        soon(lambda: self.shows.get("file"))
        if self.framed:
            return self.read(FETCHED.format(f"{FILE}.href"))
        file = self.read(f"{FILE}.href")
        self.browser.open(f"{self.place.url}/g/guide")
        return self.browser.read(FETCHED.format(json.dumps(file)))


@pytest.mark.parametrize("mode", MODES)
def test_a_gate_hands_over_every_byte_and_knows_who_comes_back(started, engine, mode, place_in):
    place, browser = place_in(mode, named=known), started(engine)
    browser.open(place.page("guide"))
    gate = Gate(browser, place)
    given = gate.give_address()
    browser.open("about:blank")
    browser.open(place.page("study", "study"))
    soon(lambda: gate.shows.get("email") or gate.shows.get("again"))
    comes_back = {"email": False, "country": True, "file": False, "again": True}
    is_new = {"email": True, "country": False, "file": False, "again": False}
    forgets = (engine, mode) == ("webkitgtk", "other site")  # it keeps no cookie of a frame

    assert given == "This is guide.txt.\n"
    assert gate.shows == (is_new if forgets else comes_back)


def test_the_portals_own_page_hands_it_over_as_well(started, engine, place_in):
    place, browser = place_in("sub-domain", named=known), started(engine)
    browser.open(f"{place.url}/g/guide")
    browser.read(GIVES)
    soon(lambda: browser.read(f"{FILE} !== null"))

    assert browser.read(FETCHED.format(f"{FILE}.href")) == "This is guide.txt.\n"
    assert browser.read("location.pathname") == "/g/guide/done"


def test_with_the_cookies_of_other_sites_blocked_the_gate_hands_over_its_file(started, place_in):
    place = place_in("other site", named=known)
    browser = started("firefox", network__cookie__cookieBehavior=1)
    browser.open(place.page("guide"))

    assert Gate(browser, place).give_address() == "This is guide.txt.\n"


JARS = """
location = /jar {
  add_header Set-Cookie "plain=1; Path=/; Secure; SameSite=None";
  add_header Set-Cookie "apart=1; Path=/; Secure; SameSite=None; Partitioned";
  add_header Set-Cookie "lax=1; Path=/; Secure; SameSite=Lax";
  default_type text/html;
  return 200 "<p>$http_cookie</p><script>localStorage.n = 1 + +(localStorage.n ?? 0)</script>";
}
"""


@pytest.mark.parametrize(
    ("engine", "kept"), [("firefox", ["apart=1", "plain=1"]), ("webkitgtk", [""])]
)
def test_what_a_frame_of_another_site_may_keep(started, engine, kept, place_in):
    """The table of security.md 3.1, as far as these engines are in it."""
    place, browser = place_in("other site", JARS, named=known), started(engine)
    (place.pages / "jars.html").write_text(f'<iframe src="{place.url}/jar"></iframe>')
    for times in ("1", "2"):
        browser.open(f"{place.www}/jars.html")
        soon(lambda times=times: browser.read_frame("localStorage.n") == times)
    cookies = browser.read_frame("document.querySelector('p').textContent")

    assert sorted(cookies.split("; ")) == kept


@pytest.mark.parametrize("mode", MODES)
def test_what_is_recorded_arrives_also_when_the_page_is_left_at_once(
    started, engine, mode, place_in
):
    place, browser = place_in(mode, named=known), started(engine)
    (place.pages / "person.js").write_text(BY_A_PERSON)
    portal = "/".join(place.url.split("/")[:3])
    policy = LAX.format(portal=portal)
    page = place.page("guide", head='<script src="person.js"></script>', policy=policy)
    browser.open(page)
    soon(lambda: browser.read("window.regportal?.choose !== undefined"))
    browser.read("(regportal.choose({ recognise: true, track: true }), true)")
    soon(lambda: arrived(place) == ["page_view"])
    browser.read("(regportal.record('search', { properties: { query: 'bolts' } }), true)")
    browser.open("about:blank")
    soon(lambda: arrived(place) == ["page_view", "search"])


def arrived(place):
    """Return what the portal knows of, oldest first."""
    place.portal.work()
    with place.portal.store.read() as session:
        asked = sa.select(Interaction.type).order_by(Interaction.occurred_at)
        return [kind for kind in session.scalars(asked) if kind != "download"]
