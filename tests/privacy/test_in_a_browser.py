"""One's own page in a real browser: by keyboard, without JavaScript, for everybody."""

import re
import shutil
from datetime import UTC, datetime
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe

from regportal.identity.actions import find_contact
from regportal.identity.contact_tokens import PREFERENCES, contact_token
from tests.browsing import go
from tests.portal import served

EMAIL = "ann@widgetworks.example"
LOOKS = [*product(("light", "dark"), (390, 1280))]


class Place:
    """A portal that is served, with somebody who has been here a while."""

    def __init__(self, portal, url):
        self.portal, self.url = portal, url

    def link(self, kind):
        """Let the worker do its work; return the link of this kind in the last mail."""
        self.portal.work()
        text = self.portal.mails()[-1].get_body(("plain",)).get_content()
        return re.search(rf"^({re.escape(self.url)}/{kind}/\S+)\r?$", text, re.MULTILINE)[1]


@pytest.fixture(scope="module")
def place(_sqlite_template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("portal")
    shutil.copyfile(_sqlite_template, folder / "regportal.db")
    with served(f"sqlite:///{folder}/regportal.db", folder) as (portal, url):
        yield Place(portal, url)


@pytest.fixture
def known(new_context, place, monkeypatch):
    """A page of somebody's who is proven here, and did a few things, without JavaScript."""
    monkeypatch.setenv("CRM_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    page = new_context(java_script_enabled=False).new_page()
    go(page, f"{place.url}/g/guide")
    page.locator("input[name=email]").fill(EMAIL)
    page.locator("input[type=checkbox]").first.check()
    page.locator("button[name=remember][value=yes]").click()
    go(page, place.link("m"))
    page.locator("button[value=confirm]").click()
    place.portal.work()
    go(page, f"{place.url}/g/study")
    if page.locator("select").count():
        page.locator("select").select_option("DE")
    page.locator("form[data-rp=gate] .buttons button").first.click()
    place.portal.work()
    return page


@pytest.fixture
def own(known, place):
    """The same, freshly proven."""
    go(known, f"{place.url}/me")
    if known.locator("[data-fresh=no]").count():
        known.locator("button[data-rp=everything]").click()
        go(known, place.link("me"))
        known.locator("button[data-rp=prove]").click()
    return known


def check_looks(page, looks=tuple(LOOKS)):
    """Everybody can use this page, in light and dark, on a phone and on a desk."""
    with page.context.browser.new_context(storage_state=page.context.storage_state()) as context:
        seeing = context.new_page()  # axe needs the JavaScript that our pages do not
        go(seeing, page.url)
        for scheme, width in looks:
            seeing.emulate_media(color_scheme=scheme)
            seeing.set_viewport_size({"width": width, "height": 800})
            wrong = Axe().run(seeing).response["violations"]

            assert [(one["id"], one["nodes"][0]["html"]) for one in wrong] == [], (scheme, width)
            assert seeing.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_everybody_can_use_the_whole_page(own):
    check_looks(own)


@pytest.mark.parametrize("path", ["erase", "address", "asked", "answers/country"])
def test_everybody_can_use_the_pages_beside_it(own, place, path):
    go(own, f"{place.url}/me/{path}")

    check_looks(own, [("light", 1280), ("dark", 390)])


def test_everybody_can_use_the_pages_before_it(new_context, place, known):
    page = new_context().new_page()
    go(page, f"{place.url}/me")
    check_looks(page)
    page.locator("input[name=email]").fill("not an address")
    page.locator("button").first.click()

    assert page.locator("[role=alert]").is_visible()
    assert page.locator("[data-rp=error]").is_visible()


def test_the_page_of_a_letter_needs_no_login_and_no_typing(new_context, place, known):
    def work(session):
        keys = place.portal.settings.keys
        contact = find_contact(session, EMAIL)
        return contact_token(session, keys, contact.id, PREFERENCES, now=datetime.now(UTC))

    token = place.portal.store.write(work)
    page = new_context(java_script_enabled=False).new_page()
    go(page, f"{place.url}/p/{token}")
    check_looks(page)

    assert page.locator("input:not([type=hidden])").count() == 0
    assert EMAIL not in page.content()


def test_it_is_used_with_the_keyboard_alone(own):
    own.locator("body").press("Tab")
    for _ in range(12):
        if own.evaluate("document.activeElement.dataset.rp") in {"pause", "stop", "want"}:
            break
        own.keyboard.press("Tab")
    pressed = own.evaluate("document.activeElement.dataset.rp")
    own.keyboard.press("Enter")
    own.wait_for_url(re.compile("done=newsletters"))

    assert pressed in {"pause", "stop", "want"}
    assert own.locator("[role=status]").is_visible()


def test_the_code_of_the_mail_is_typed_where_the_link_was_asked_for(new_context, place, known):
    """With the keyboard, without JavaScript: a wrong one first, then the right one."""
    page = new_context(java_script_enabled=False).new_page()
    go(page, f"{place.url}/me")
    page.locator("input[name=email]").fill(EMAIL)
    page.keyboard.press("Enter")
    page.wait_for_url("**/me/asked")
    place.link("me")
    text = place.portal.mails()[-1].get_body(("plain",)).get_content()
    code = re.search(r"^(\d{6})\r?$", text, re.MULTILINE)[1]
    page.locator("input[name=code]").fill(f"{(int(code) + 1) % 1_000_000:06}")
    page.keyboard.press("Enter")
    page.locator("[data-rp=error][data-field=code]").wait_for()
    focused = page.evaluate("document.activeElement.name")
    page.locator("input[name=code]").fill(code)
    page.keyboard.press("Enter")
    page.locator("[data-fresh=yes]").wait_for()

    assert focused == "code"
    assert EMAIL in page.content()
