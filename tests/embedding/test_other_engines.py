"""The gate and the recorder in the engines of Firefox and of Safari, wherever the portal is."""

import pytest

from tests.embedding.conftest import MODES
from tests.embedding.engines import (
    COMES_BACK,
    GIVES,
    NEW,
    Gate,
    allow,
    arrived,
    attributed,
    by_a_person,
    downloaded,
    soon,
    speaking,
)
from tests.names import known

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("mode", MODES)
def test_a_gate_hands_over_every_byte_and_knows_who_comes_back(started, engine, mode, place_in):
    place, browser = place_in(mode, named=known), started(engine)
    browser.open(place.page("guide"))
    gate = Gate(browser, place)
    gate.give_address()
    guide = downloaded(browser, "guide.txt")
    browser.open("about:blank")
    browser.open(place.page("study", "study"))
    knows = gate.asks()
    gate.answer()

    assert guide == "This is guide.txt.\n"
    assert knows == COMES_BACK
    assert downloaded(browser, "study.txt") == "This is study.txt.\n"


@pytest.mark.parametrize(("remember", "kept"), [("yes", [1, 1]), ("no", [0, 1])])
def test_where_a_frame_keeps_no_cookie_it_keeps_a_token_for_as_long_as_is_wanted(
    started, remember, kept, place_in
):
    place, browser = place_in("other site", named=known), started("webkitgtk")
    browser.open(place.page("guide"))
    gate = Gate(browser, place)
    gate.give_address(remember)
    downloaded(browser, "guide.txt")
    browser.open(place.page("study", "study"))
    knows = gate.asks()
    keeps = browser.read_frame("[localStorage.length, sessionStorage.length]")
    page_keeps = browser.read("localStorage.length + sessionStorage.length + document.cookie")
    gate.not_you()
    soon(lambda: gate.shows.get("email"))

    assert knows == COMES_BACK
    assert (keeps, page_keeps) == (kept, "0")
    assert gate.shows == NEW


def test_the_portals_own_page_hands_it_over_as_well(started, engine, place_in):
    place, browser = place_in("sub-domain", named=known), started(engine)
    browser.open(f"{place.url}/g/guide")
    browser.read(GIVES.format("yes"))

    assert downloaded(browser, "guide.txt") == "This is guide.txt.\n"
    assert browser.read("location.pathname") == "/g/guide/done"


def test_with_the_cookies_of_other_sites_blocked_the_gate_hands_over_its_file(started, place_in):
    place = place_in("other site", named=known)
    browser = started("firefox", network__cookie__cookieBehavior=1)
    browser.open(place.page("guide"))
    Gate(browser, place).give_address()

    assert downloaded(browser, "guide.txt") == "This is guide.txt.\n"


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


@pytest.mark.parametrize("first", ["recorder", "frame"])
def test_the_recorder_of_a_page_and_the_frame_in_it_are_one_visitor(
    started, engine, first, place_in
):
    place, browser = place_in("other site", named=known), started(engine)
    browser.open(by_a_person(place))
    gate = Gate(browser, place)
    if first == "recorder":
        allow(browser)
        soon(lambda: arrived(place) == ["page_view"])
    gate.give_address()
    downloaded(browser, "guide.txt")
    if first == "frame":
        allow(browser)
    soon(lambda: speaking(place) == 1)
    browser.read("(regportal.record('search', { properties: { query: 'bolts' } }), true)")
    soon(lambda: arrived(place)[-1:] == ["search"])

    assert attributed(place, "search") == "claimed"


@pytest.mark.parametrize("mode", MODES)
def test_what_is_recorded_arrives_also_when_the_page_is_left_at_once(
    started, engine, mode, place_in
):
    place, browser = place_in(mode, named=known), started(engine)
    browser.open(by_a_person(place))
    allow(browser)
    soon(lambda: arrived(place) == ["page_view"])
    browser.read("(regportal.record('search', { properties: { query: 'bolts' } }), true)")
    browser.open("about:blank")
    soon(lambda: arrived(place) == ["page_view", "search"])
