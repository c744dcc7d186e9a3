"""A stand's tablet in a real browser: two visitors in turn, no line, a telephone, no mouse."""

import re

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from regportal.consent.models import ConsentEvent
from regportal.identity.models import Claim, Contact
from regportal.kiosk.models import StandPage
from tests.browsing import go
from tests.kiosk.tablet import SPOKEN, Tablet
from tests.patience import until
from tests.portal import SITE, served
from tests.studio.looking import Watched, faults, is_wider_than_the_window

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ANN, BOB = "ann.canary@widgetworks.example", "bob@gearbox.example"
CANARIES = re.compile(r"ann\.canary|widgetworks|\*\*\*")
NO_LINE = "ERR_INTERNET_DISCONNECTED"
SHAPES = [
    pytest.param(1024, 768, "light", id="lying-light"),
    pytest.param(768, 1024, "dark", id="standing-dark"),
    pytest.param(390, 844, "light", id="small-light"),
]
EVERYTHING_KEPT = """async () => {
  const all = []
  for (const { name } of await indexedDB.databases()) {
    const base = await new Promise(done => {
      const asked = indexedDB.open(name)
      asked.onsuccess = () => done(asked.result)
    })
    for (const store of base.objectStoreNames) {
      const asked = base.transaction(store).objectStore(store).getAll()
      all.push(await new Promise(done => { asked.onsuccess = () => done(asked.result) }))
    }
    base.close()
  }
  const pages = []
  for (const name of await caches.keys()) {
    const cache = await caches.open(name)
    for (const one of await cache.matchAll()) pages.push(await one.text())
  }
  return JSON.stringify([all, pages, { ...localStorage }, { ...sessionStorage }, document.cookie])
}"""


KEPT_IN_ARABIC = """async () =>
  Boolean(await caches.match(location.href + '?lang=ar', { ignoreVary: true }))"""


@pytest.fixture
def stand(database_url, tmp_path, page):
    """A served portal and a tablet that has opened the address of its stand."""
    with served(database_url, tmp_path, SITE) as (portal, url):
        tablet = Tablet(portal)
        page.watched = Watched(page, url)
        go(page, f"{url}{tablet.path}#{tablet.key}")
        expect(page.locator("html[data-ready]")).to_be_attached()
        yield portal, url, tablet
        page.goto("about:blank")


def give(page, email):
    """Type an address, and send it."""
    page.get_by_label("Your e-mail address").fill(email)
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_focused()


def begin_anew(page):
    """Let the next visitor come."""
    page.get_by_role("button", name="Next visitor").click()
    expect(page.get_by_role("heading", name="The guide")).to_be_visible()
    expect(page.locator("html[data-ready]")).to_be_attached()


def kept_offline(page):
    """Wait until the page would open without a line."""
    until(lambda: page.evaluate("navigator.serviceWorker.controller !== null"))
    until(
        lambda: page.evaluate(
            "async () => (await (await caches.open('regportal-stand')).keys()).length > 4"
        )
    )


def claims(portal):
    """The addresses that were given, in their order."""
    with portal.store.read() as session:
        return session.scalars(sa.select(Claim.email).order_by(Claim.id)).all()


def test_who_comes_after_sees_nothing_of_who_was_before(stand, page):
    portal, url, _ = stand
    for address in (ANN, BOB):
        expect(page.get_by_label("Your e-mail address")).to_have_value("")
        give(page, address)
        assert not CANARIES.search(page.content())
        begin_anew(page)
        assert not CANARIES.search(page.content() + page.evaluate(EVERYTHING_KEPT))
    page.go_back()
    assert not CANARIES.search(page.content())
    portal.work()
    for number in (0, 1):
        portal.browser().post(
            portal_link(portal, url, number), {"choice": "confirm"}, Origin=url, Host=url[7:]
        )
    portal.work()

    assert page.context.cookies() == []
    assert claims(portal) == [ANN, BOB]
    with portal.store.read() as session:
        contacts = session.scalars(sa.select(Contact)).all()
    assert len({one.person_id for one in contacts}) == 2
    page.watched.check()


def portal_link(portal, url, which):
    """Return the path of the link in a mail."""
    text = portal.mails()[which].get_body(("plain",)).get_content()
    return next(line for line in text.splitlines() if line.startswith(f"{url}/m/"))[len(url) :]


def test_the_portal_is_told_how_far_who_went_came(stand, page):
    portal, _, _ = stand
    page.get_by_role("heading", name="The guide").click()
    page.reload()
    expect(page.locator("html[data-ready]")).to_be_attached()
    page.get_by_label("Your e-mail address").fill(ANN)
    page.reload()
    expect(page.locator("html[data-ready]")).to_be_attached()
    give(page, BOB)
    begin_anew(page)

    def reached():
        with portal.store.read() as session:
            return sorted(session.scalars(sa.select(StandPage.reached)))

    until(lambda: reached() == ["begun", "given", "shown"])
    until(lambda: not CANARIES.search(page.evaluate(EVERYTHING_KEPT)))


def test_the_key_is_gone_from_the_address_at_once(stand, page):
    _, url, tablet = stand

    assert page.url == f"{url}{tablet.path}"
    page.reload()
    give(page, ANN)


def test_what_is_given_without_a_line_is_sent_in_its_order_when_it_is_back(stand, page):
    portal, _, _ = stand
    kept_offline(page)
    page.context.set_offline(True)
    for address in (ANN, BOB):
        page.get_by_label("Your e-mail address").fill(address)
        page.get_by_label("Send me the news.").check()
        page.get_by_role("button", name="Send me the link").click()
        expect(page.get_by_text("as soon as this device has a line again")).to_be_visible()
        expect(page.locator(".code-image svg")).to_have_count(0)
        begin_anew(page)
    expect(page.get_by_role("status")).to_contain_text("still to be sent: 2")
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("no line · still to be sent: 2")
    assert claims(portal) == []
    page.context.set_offline(False)
    expect(page.get_by_role("status")).to_have_text("connected")

    assert claims(portal) == [ANN, BOB]
    assert not CANARIES.search(page.evaluate(EVERYTHING_KEPT))
    with portal.store.read() as session:
        lines = session.scalars(sa.select(ConsentEvent).order_by(ConsentEvent.number)).all()
    assert len(lines) == 2
    assert lines[0].at <= lines[1].at


def test_a_form_whose_answer_was_lost_counts_once(stand, page):
    portal, _, _ = stand
    lost, holds = [], [True]

    def swallow(route):
        if not holds or "email" not in (route.request.post_data or ""):
            route.continue_()
            return
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/forms", swallow)
    page.get_by_label("Your e-mail address").fill(ANN)
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_text("as soon as this device has a line again")).to_be_visible()
    holds.clear()
    begin_anew(page)
    expect(page.get_by_role("status")).to_have_text("connected")

    assert set(lost) == {200}
    assert claims(portal) == [ANN]


def test_a_telephone_takes_the_file_over_once(stand, page, browser):
    _, url, _ = stand
    give(page, ANN)
    code = page.get_by_role("img", name="Code for the camera of your telephone")
    expect(code).to_be_visible()
    address = page.locator("[data-part=address]").inner_text()
    phone = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    watched = Watched(phone, url)
    go(phone, address)
    assert faults(phone) == []
    assert not is_wider_than_the_window(phone)
    phone.get_by_role("button", name="Take it to this telephone").click()
    expect(phone.get_by_role("heading", name="Here you are")).to_be_visible()
    assert not CANARIES.search(phone.content())
    assert faults(phone) == []
    with phone.expect_download() as downloading:
        phone.get_by_role("link", name="Download it").click()
    assert downloading.value.suggested_filename == "guide.txt"
    second = browser.new_context().new_page()
    go(second, address)

    expect(second.get_by_role("heading", name="This code is used up")).to_be_visible()
    assert phone.context.cookies() == second.context.cookies() == []
    assert faults(second) == []
    watched.check()
    for context in (phone.context, second.context):
        context.close()


def test_what_cannot_be_taken_is_said_beside_its_field(stand, page):
    portal, _, _ = stand
    page.get_by_label("Your e-mail address").fill("ann at widgetworks")
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_label("Your e-mail address")).to_be_focused()
    expect(page.get_by_role("alert")).to_have_text("Please look at the address once more.")
    page.get_by_label("Your e-mail address").fill("ann@-.example")
    page.get_by_role("button", name="Send me the link").click()
    expect(page.locator(".error")).to_be_visible()
    assert faults(page) == []
    give(page, ANN)

    assert claims(portal) == [ANN]


def test_it_can_be_used_without_a_mouse(stand, page):
    portal, _, _ = stand
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.name") != "email":
        page.keyboard.press("Tab")
    page.keyboard.type(ANN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Thank you")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The guide")).to_be_visible()

    assert claims(portal) == [ANN]


@pytest.mark.parametrize(("width", "height", "theme"), SHAPES)
def test_everybody_can_read_it(stand, page, width, height, theme):
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    found = [faults(page)]
    wide = [is_wider_than_the_window(page)]
    give(page, ANN)
    found.append(faults(page))
    wide.append(is_wider_than_the_window(page))

    assert found == [[], []]
    assert wide == [False, False]
    page.watched.check()


def test_who_leaves_in_the_middle_is_asked_and_then_forgotten(stand, page):
    page.clock.install()
    page.reload()
    expect(page.locator("html[data-ready]")).to_be_attached()
    page.get_by_label("Your e-mail address").fill(ANN)
    page.clock.run_for(62_000)
    expect(page.get_by_role("dialog", name="Are you still there?")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="I am still here").click()
    expect(page.get_by_label("Your e-mail address")).to_have_value(ANN)
    page.clock.run_for(62_000)
    expect(page.get_by_role("dialog", name="Are you still there?")).to_be_visible()
    page.clock.run_for(20_000)
    expect(page.get_by_label("Your e-mail address")).to_have_value("")

    assert not CANARIES.search(page.content())


def test_thanks_close_by_themselves(stand, page):
    page.clock.install()
    page.reload()
    expect(page.locator("html[data-ready]")).to_be_attached()
    give(page, ANN)
    page.clock.run_for(95_000)

    expect(page.get_by_role("heading", name="The guide")).to_be_visible()


def test_the_portals_other_pages_know_nobody_on_this_device(stand, page):
    portal, url, _ = stand
    give(page, ANN)
    portal.work()
    phone = portal.browser()
    phone.post(portal_link(portal, url, 0), {"choice": "confirm"}, Origin=url, Host=url[7:])
    portal.work()
    for path in ("/me", "/g/guide", "/g/guide/done"):
        go(page, f"{url}{path}")
        assert not CANARIES.search(page.content()), path


def test_a_closed_stand_keeps_nothing_and_says_one_sentence(stand, page):
    portal, url, tablet = stand
    kept_offline(page)
    page.context.set_offline(True)
    page.get_by_label("Your e-mail address").fill(ANN)
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_text("as soon as this device has a line again")).to_be_visible()
    tablet.close()
    page.context.set_offline(False)
    expect(page.get_by_role("heading", name="This stand is closed")).to_be_visible()
    until(lambda: page.evaluate(EVERYTHING_KEPT).startswith("[[],[],"))
    go(page, f"{url}{tablet.path}")
    expect(page.get_by_role("heading", name="This stand is closed")).to_be_visible()
    assert faults(page) == []

    assert claims(portal) == []


def test_a_tablet_without_the_key_says_so(stand, page, browser):
    _, url, tablet = stand
    other = browser.new_context().new_page()
    go(other, f"{url}{tablet.path}")
    expect(other.get_by_text("This device has no key.")).to_be_visible()
    other.get_by_label("Your e-mail address").fill(ANN)
    other.get_by_role("button", name="Send me the link").click()

    expect(other.get_by_text("Please tell somebody at the stand.")).to_be_visible()
    assert not CANARIES.search(other.evaluate(EVERYTHING_KEPT))
    other.context.close()


@pytest.fixture
def fair(database_url, tmp_path, page):
    """A tablet at a stand whose page is written in three languages."""
    with served(database_url, tmp_path, SPOKEN) as (portal, url):
        tablet = Tablet(portal, "tour")
        page.watched = Watched(page, url)
        go(page, f"{url}{tablet.path}#{tablet.key}")
        expect(page.locator("html[data-ready]")).to_be_attached()
        yield portal, url, tablet
        page.goto("about:blank")


def choose(page, name, headline):
    """Press the name of a language."""
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=headline)).to_be_visible()
    expect(page.locator("html[data-ready]")).to_be_attached()


def test_a_visitor_chooses_a_language_and_the_next_one_meets_that_of_the_stand(fair, page):
    portal, _, _ = fair
    choose(page, "العربية", "جولة في المصنع")
    assert page.evaluate("document.documentElement.dir") == "rtl"
    assert page.evaluate("document.activeElement.tagName") != "IFRAME"
    found = [faults(page), is_wider_than_the_window(page)]
    page.locator("input[name=email]").fill(ANN)
    page.locator("button[type=submit]").first.click()
    expect(page.locator("[data-part=thanks]")).to_be_visible()
    page.locator("[data-part=thanks] button").click()
    expect(page.get_by_role("heading", name="Round the works")).to_be_visible()

    assert found == [[], False]
    assert claims(portal) == [ANN]
    assert page.context.cookies() == []
    page.watched.check()


def test_languages_are_there_without_a_line_and_go_back_when_nobody_stands_there(fair, page):
    until(lambda: page.evaluate("navigator.serviceWorker.controller !== null"))
    until(lambda: page.evaluate(KEPT_IN_ARABIC))
    page.context.set_offline(True)
    page.clock.install()
    choose(page, "Deutsch", "Durch das Werk")
    choose(page, "العربية", "جولة في المصنع")
    page.clock.run_for(65_000)
    expect(page.get_by_role("heading", name="Round the works")).to_be_visible()

    assert page.context.cookies() == []


def test_choosing_a_language_is_no_second_visitor(fair, page):
    portal, _, _ = fair
    choose(page, "Deutsch", "Durch das Werk")
    choose(page, "English", "Round the works")
    page.locator("input[name=email]").fill(ANN)
    go(page, page.url.partition("?")[0])

    def reached():
        with portal.store.read() as session:
            return list(session.scalars(sa.select(StandPage.reached)))

    until(lambda: reached() == ["begun"])
