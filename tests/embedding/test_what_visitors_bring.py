"""Browsers without scripts, with lists of blockers, with slow lines: the gate still works."""

import re

import pytest
from playwright.sync_api import expect

from tests.browsing import go
from tests.visiting import BY_A_PERSON

FRAME = "regportal-gate iframe"
FILE = "a[data-rp=download]"
LISTED = re.compile(
    r"[/._-](ads?|analytics?|audience|beacons?|clicks?|collect(or)?|counter|events?|fingerprint|ga|gtm"
    r"|hits?|impressions?|log(ger|ging)?|metrics?|page-?views?|ping|pixels?|stats?|tags?|telemetry"
    r"|track(er|ing)?|visit(or)?s?)([/._?-]|$)"
)
"""What the general rules of public lists against trackers (EasyPrivacy) look for in an address."""
SLOW = {"offline": False, "latency": 400, "downloadThroughput": 50e3, "uploadThroughput": 50e3}
"""Slow 3G: bytes a second, and milliseconds until the first."""
SHIFTS = """() => {
  window.shifted = 0
  const add = all => all.getEntries().forEach(one => { shifted += one.value })
  new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true })
}"""


@pytest.fixture(scope="module")
def place(place_in):
    """A site whose portal is on another one: what blockers look at most."""
    return place_in("other site")


def fill_in(asked):
    """Give an address, in a frame or on a page of its own, and wait for the file."""
    asked.locator("input[name=email]").fill("ann@widgetworks.example")
    asked.locator("button[name=remember][value=no]").click()
    asked.locator(FILE).wait_for()


def test_without_scripts_the_link_leads_to_the_same_gate(new_context, place):
    page = new_context(java_script_enabled=False).new_page()
    go(page, place.page("plain"))
    page.get_by_role("link", name="The guide").click()
    fill_in(page)

    assert page.url == f"{place.url}/g/guide/done"


def test_with_a_list_against_trackers_the_gate_comes_and_what_is_allowed_is_recorded(
    new_context, place
):
    context = new_context()
    context.add_init_script(BY_A_PERSON)
    asked, blocked = [], []

    def judge(route):
        path = route.request.url.split("/", 3)[3]
        (blocked if LISTED.search(f"/{path}") else asked).append(path)
        route.abort() if LISTED.search(f"/{path}") else route.fallback()

    context.route("**/*", judge)
    page = context.new_page()
    go(page, place.page("guide") + "?utm_source=mail")
    page.wait_for_function("window.regportal?.choose !== undefined")
    with page.expect_response("**/api/v1/interactions"):
        page.evaluate("regportal.choose({ recognise: true, track: true })")
    fill_in(page.frame_locator(FRAME))

    assert blocked == []
    assert {one.split("?")[0] for one in asked} >= {"api/v1/choice", "api/v1/interactions"}


def test_where_all_of_the_portal_is_blocked_the_link_stays(new_context, place):
    context = new_context()
    context.route(f"{place.url}/**", lambda route: route.abort())
    page = context.new_page()
    go(page, place.page("guide"))
    link = page.get_by_role("link", name="The guide")

    expect(link).to_be_visible()
    assert link.get_attribute("href") == f"{place.url}/g/guide"


def test_on_a_slow_line_the_link_is_there_at_once_and_nothing_jumps(new_context, place):
    page = new_context().new_page()
    steering = page.context.new_cdp_session(page)
    steering.send("Network.enable")
    steering.send("Network.emulateNetworkConditions", SLOW)
    reserved = "<style>regportal-gate { display: block; min-height: 40rem }</style>"
    policy = "default-src 'none'; style-src 'unsafe-inline'; require-trusted-types-for 'script'"
    address = place.page("slow", head=reserved, policy=policy)
    page.goto(address, wait_until="commit")
    page.evaluate(SHIFTS)
    link = page.get_by_role("link", name="The guide")

    expect(link).to_be_visible()
    assert page.locator(f"{FRAME}[data-ready]").count() == 0
    link.click(trial=True)
    page.locator(f"{FRAME}[data-ready]").wait_for()
    expect(page.frame_locator(FRAME).locator("input[name=email]")).to_be_visible()
    assert page.evaluate("shifted") < 0.01  # a hundredth of what may be called good
