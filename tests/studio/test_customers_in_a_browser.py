"""Contacts, accounts and opportunities in a real browser, on a desk and on a phone."""

import contextlib
import re

import pytest
from playwright.sync_api import expect

from tests.browsing import go
from tests.portal import SITE, served
from tests.studio.customers import SAM, Customers
from tests.studio.looking import EXTREMES, PHONE, Watched, faults, is_wider_than_the_window, sign_in
from tests.studio.staff import Company

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def studio(database_url, tmp_path):
    """An installation that is served, with a marketer, a seller and customers."""
    with served(database_url, tmp_path, SITE) as (portal, url):
        company, customers = Company(portal), Customers(portal)
        company.hire("ann@acme.example", "marketer")
        company.hire(SAM, "seller", name="Sam Okafor")
        customers.join(customers.ann, customers.person("ann@initech.test.example"))
        yield customers, f"{url}/studio"


def pages(customers):
    """Every page about customers."""
    return {
        "contacts": "/contacts",
        "unconfirmed": "/contacts/unconfirmed",
        "accounts": "/accounts",
        "opportunities": "/opportunities",
        "contact": f"/contacts/{customers.ann}",
        "opportunity": f"/opportunities/{customers.mine}",
        "account": "/account-of?key=crm:A-006",
        "correction": f"/contacts/{customers.ann}/not-theirs/deed/{customers.took}",
    }


@pytest.mark.parametrize(("theme", "size"), EXTREMES)
def test_every_page_can_be_read_by_everybody(studio, page, theme, size):
    customers, address = studio
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size(size)
    watched, found = Watched(page, address), {}
    sign_in(page, address)
    for name, path in pages(customers).items():
        go(page, f"{address}{path}")
        page.evaluate("document.querySelectorAll('.more').forEach(one => (one.open = true))")
        found[name] = faults(page)
        assert not is_wider_than_the_window(page), name

    assert {name: what for name, what in found.items() if what} == {}
    watched.check()


def test_on_a_phone_an_opportunity_is_one_screen(studio, page):
    customers, address = studio
    third = customers.person("cy@initech.example")
    customers.scene.role(customers.mine, third, role="Champion", now=customers.now)
    customers.scene.weigh()
    page.set_viewport_size(PHONE)
    sign_in(page, address, SAM)
    go(page, f"{address}/opportunities")
    page.get_by_role("link", name="500 widgets").click()
    parts = {
        one: page.locator(f'[data-rp="{one}"]').inner_text() for one in ("phase", "who", "next")
    }
    height = page.evaluate("document.documentElement.scrollHeight")

    assert height <= PHONE["height"]
    assert "Comparison" in parts["phase"]
    assert "ann@initech.example downloaded Price list 2026" in parts["phase"]
    assert parts["who"].count("@initech") == 3
    assert "Decision: a download of an order form" in parts["next"]


@pytest.mark.parametrize("language", ["de", "ar"])
def test_in_german_and_from_the_right_nothing_is_wider_or_in_english(studio, browser, language):
    customers, address = studio
    with contextlib.closing(browser.new_context(locale=language, viewport=PHONE)) as context:
        page = context.new_page()
        watched = Watched(page, address)
        go(page, f"{address}/login")
        page.locator("#email").fill("ann@acme.example")
        page.locator("#password").fill("a horse, a battery, a staple")
        page.keyboard.press("Enter")
        expect(page.locator(".bar")).to_be_visible()
        for name, path in pages(customers).items():
            go(page, f"{address}{path}")
            assert faults(page) == [], name
            assert not is_wider_than_the_window(page), name
            for english in ("since", "Last seen", "only claimed", "needed"):
                assert english not in page.locator("main").inner_text(), name
        watched.check()


def test_a_deed_is_taken_back_by_the_keyboard_alone(studio, page):
    customers, address = studio
    sign_in(page, address)
    go(page, f"{address}/contacts/{customers.ann}")
    page.get_by_role("link", name=re.compile("Not theirs.*Price list 2026")).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Why?")).to_be_focused()
    page.keyboard.type("Somebody at her desk")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_contain_text("It is nobody's now.")
    expect(page.locator('[data-rp="proven"]')).not_to_contain_text("Price list 2026")
