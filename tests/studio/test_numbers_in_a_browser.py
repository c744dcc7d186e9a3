"""Numbers in a real browser: drawn and told, under the policy, by the keyboard, in any language."""

import contextlib

import pytest
from playwright.sync_api import expect

from tests.browsing import go
from tests.kiosk.tablet import Tablet
from tests.portal import SITE, served
from tests.studio.customers import SAM, Customers
from tests.studio.looking import (
    PHONE,
    Watched,
    faults,
    is_wider_than_the_window,
    sign_in,
)
from tests.studio.staff import PASSWORD, Company

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LOOKED, BEGAN = "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b", "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3c"


@pytest.fixture
def studio(database_url, tmp_path):
    """An installation that is served, with moves, and the Studio's address."""
    with served(database_url, tmp_path, SITE) as (portal, url):
        company = Company(portal)
        Customers(portal)
        company.hire(SAM, "marketer")
        told = Tablet(portal).leave(
            (LOOKED, 40, "shown"), (BEGAN, 20, "begun"), Origin=url, Host=url[7:]
        )
        assert told.status == 200
        yield f"{url}/studio"


def test_charts_follow_the_filters_the_colours_and_the_window_and_can_be_read_by_everybody(
    studio, page
):
    watched = Watched(page, studio)
    sign_in(page, studio, SAM)
    go(page, f"{studio}/numbers")
    charts = page.locator("[data-chart]")
    tip = page.get_by_role("tooltip").first
    expect(tip).to_be_hidden()
    page.locator(".means").first.focus()
    expect(tip).to_have_text("Forms of gates that were shown to people.")
    page.get_by_label("Time").select_option("7 days")
    page.wait_for_url("**days=7**")
    expect(charts.locator("svg")).to_have_count(2)
    page.emulate_media(color_scheme="dark")
    expect(charts.locator("text[fill='rgb(222, 226, 230)']").first).to_be_attached()
    page.set_viewport_size(PHONE)

    assert faults(page) == []
    assert not is_wider_than_the_window(page)
    assert charts.locator("svg").first.bounding_box()["width"] < PHONE["width"]
    page.get_by_role("link", name="Changes of phase").click()
    assert faults(page) == []
    assert not is_wider_than_the_window(page)
    watched.check()


def test_a_stand_leads_to_its_rows(studio, page):
    watched = Watched(page, studio)
    sign_in(page, studio, SAM)
    go(page, f"{studio}/numbers")
    page.locator("[data-rp=each-stand]").get_by_role("link", name="Shown to somebody").click()
    expect(page.get_by_role("cell", name="began to fill it in")).to_be_visible()
    page.set_viewport_size(PHONE)

    assert faults(page) == []
    assert not is_wider_than_the_window(page)
    watched.check()


def test_in_a_language_from_the_right(studio, browser):
    with contextlib.closing(browser.new_context(locale="ar", viewport=PHONE)) as context:
        page = context.new_page()
        go(page, f"{studio}/login")
        page.locator("#email").fill(SAM)
        page.locator("#password").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator(".bar")).to_be_visible()
        go(page, f"{studio}/numbers")

        assert faults(page) == []
        assert not is_wider_than_the_window(page)
        assert "How many" not in page.locator("main").inner_text()
