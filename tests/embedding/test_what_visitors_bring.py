"""Browsers without scripts, with blockers, with slow lines: the gate works, wherever it is."""

import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from tests.browsing import go
from tests.embedding.conftest import MODES, Place
from tests.names import SLOW_3G, only_this_machine
from tests.patience import until
from tests.visiting import BY_A_PERSON

FRAME = "regportal-gate iframe"
FILE = "a[data-rp=download]"
WAYS = {**{mode: (mode, "") for mode in MODES}, "script": ("other site", ' mode="script"')}
"""M1 to M4 of security.md 3.2: where the portal is, and what the page says of its gate."""
LISTED = re.compile(
    r"[/._-](ads?|analytics?|audience|beacons?|clicks?|collect(or)?|counter|events?|fingerprint|ga|gtm"
    r"|hits?|impressions?|log(ger|ging)?|metrics?|page-?views?|ping|pixels?|stats?|tags?|telemetry"
    r"|track(er|ing)?|visit(or)?s?)([/._?-]|$)"
)
"""What the general rules of public lists against trackers (EasyPrivacy) look for in an address."""
SHIFTS = """() => {
  window.shifted = 0
  const add = all => all.getEntries().forEach(one => { shifted += one.value })
  new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true })
}"""
JAR = """
location = /jar {
  add_header Set-Cookie "plain=1; Path=/; Secure; SameSite=None";
  add_header Set-Cookie "apart=1; Path=/; Secure; SameSite=None; Partitioned";
  default_type text/html; return 200 "<p>$http_cookie</p>";
}
"""


@dataclass
class Way:
    """A page with a gate, and the portal where one of the modes has it."""

    place: Place
    says: str

    def page(self, name="guide", **more):
        """Put a page with the gate on the site; return its address."""
        element = self.place.snippet("guide").element
        body = element.replace("<regportal-gate", f"<regportal-gate{self.says}")
        return self.place.page(name, body=body, **more)

    def gate(self, page):
        """Return the gate of a page, in its frame or drawn."""
        framed = "vendor" in self.place.url and not self.says
        return page.frame_locator(FRAME) if framed else page.locator("regportal-gate")


@pytest.fixture(scope="module", params=WAYS)
def way(request, place_in):
    """A gate in each of the modes; the portal's host has a jar for cookies, too."""
    mode, says = WAYS[request.param]
    return Way(place_in(mode, JAR), says)


@pytest.fixture
def wrong():
    """What scripts of any page threw: nothing may."""
    wrong = []
    yield wrong
    assert wrong == []


@pytest.fixture
def visitor(new_context, wrong):
    """Somebody who steers a browser that nobody has used."""

    def begin(**how):
        context = new_context(**how)
        context.add_init_script(BY_A_PERSON)
        context.on("weberror", lambda one: wrong.append(str(one.error)))
        return context.new_page()

    return begin


def fill_in(asked, remember="no"):
    """Give an address, in a frame or on a page of its own, and wait for the file."""
    asked.locator("input[name=email]").fill("ann@widgetworks.example")
    asked.locator(f"button[name=remember][value={remember}]").click()
    asked.locator(FILE).wait_for()


def test_without_scripts_the_link_leads_to_the_same_gate(visitor, way):
    page = visitor(java_script_enabled=False)
    go(page, way.page("plain"))
    page.get_by_role("link", name="The guide").click()
    fill_in(page)

    assert page.url == f"{way.place.url}/g/guide/done"


def test_with_the_cookies_of_other_sites_blocked_the_file_comes_and_so_does_whoever_comes_back(
    visitor, way
):
    page = visitor()
    steering = page.context.new_cdp_session(page)
    steering.send("Network.enable")
    steering.send(
        "Network.setCookieControls",
        {
            "enableThirdPartyCookieRestriction": True,
            "disableThirdPartyCookieMetadata": True,
            "disableThirdPartyCookieHeuristics": True,
        },
    )
    portal = "/".join(way.place.url.split("/")[:3])
    (way.place.pages / "jar.html").write_text(f'<iframe src="{portal}/jar"></iframe>')
    for _ in range(2):
        go(page, f"{way.place.www}/jar.html")
    keeps = page.frame_locator("iframe").locator("p").text_content()
    page.context.clear_cookies()
    go(page, way.page())
    fill_in(way.gate(page), "yes")
    go(page, way.page())

    far = "vendor" in way.place.url
    assert keeps == ("apart=1" if far else "plain=1; apart=1")
    expect(way.gate(page).locator("[data-rp=not-you]")).to_be_visible()
    expect(way.gate(page).locator("input[name=email]")).to_have_count(0)


def test_no_address_has_a_word_that_lists_against_trackers_look_for(visitor, way):
    page, asked = visitor(), []
    page.context.on("request", lambda one: asked.append(one.url.split("/", 3)[3]))
    go(page, way.page() + "?utm_source=mail")
    page.wait_for_function("window.regportal?.choose !== undefined")
    with page.expect_response("**/api/v1/interactions"):
        page.evaluate("regportal.choose({ recognise: true, track: true })")
    fill_in(way.gate(page))

    assert [path for path in asked if LISTED.search(f"/{path}")] == []
    told = {path.partition("?")[0].removeprefix("portal/") for path in asked}
    assert told >= {"api/v1/choice", "api/v1/interactions"}


@pytest.mark.parametrize("blocked", ["static/js/", "api/", "api/v1/interactions", ""])
def test_whatever_of_the_portal_is_blocked_the_gate_comes_or_its_link_leads_to_it(
    visitor, way, blocked
):
    page = visitor()
    page.context.route(f"{way.place.url}/{blocked}**", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        go(page, way.page())
        if blocked == "api/v1/interactions":
            page.wait_for_function("window.regportal?.choose !== undefined")
            page.evaluate("regportal.choose({ recognise: true, track: true })")
    link = page.get_by_role("link", name="The guide")
    if not blocked:
        assert link.get_attribute("href") == f"{way.place.url}/g/guide"
        expect(link).to_be_visible()
    elif blocked == "static/js/":
        link.click()
        fill_in(page)
    else:  # where the page may not ask the portal, a frame does
        fill_in(page.frame_locator(FRAME) if blocked == "api/" else way.gate(page))


def test_on_a_slow_line_the_link_is_there_at_once_and_nothing_jumps_until_the_file_is(visitor, way):
    policy = "default-src 'none'; style-src 'unsafe-inline'; require-trusted-types-for 'script'"
    room = way.place.snippet("guide").style
    address = way.page("slow", head=f"<style>{room}</style>", policy=policy)
    with only_this_machine(line=SLOW_3G) as proxy:
        page = visitor(proxy={"server": f"socks5://{proxy}"})
        held, seen, link = [], [], page.get_by_role("link", name="The guide")
        page.context.route(
            f"{way.place.url}/**",
            lambda route: route.continue_() if seen else held.append(route),
        )
        page.goto(address, wait_until="commit")
        page.evaluate(SHIFTS)
        expect(link).to_be_visible()
        link.click(trial=True)
        assert until(lambda: held, rest=lambda: page.wait_for_timeout(20))
        held.pop().continue_()  # the script
        expect(page.locator("regportal-gate [part=waiting]")).to_be_visible()
        expect(link).to_be_visible()
        seen.append("all that is there until the gate comes")
        for one in held:
            one.continue_()
        fill_in(way.gate(page))

        assert page.evaluate("shifted") < 0.01  # a hundredth of what may be called good
