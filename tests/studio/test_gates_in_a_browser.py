"""The way to a gate in a real browser: by keyboard, in the dark, on a phone, on a bad line."""

import contextlib
import re

import pytest
from playwright.sync_api import expect

from tests.browsing import go
from tests.portal import SITE, served
from tests.studio.looking import EXTREMES, Watched, faults, is_wider_than_the_window, sign_in
from tests.studio.staff import Company

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def studio(database_url, tmp_path):
    """An installation that is served, with a marketer; and the Studio's address."""
    with served(database_url, tmp_path / "instance", SITE) as (portal, url):
        Company(portal).hire("ann@acme.example", "marketer")
        yield f"{url}/studio"


@pytest.fixture
def price_list(tmp_path):
    """A file of three parts."""
    path = tmp_path / "price_list-2027.pdf"
    path.write_bytes(b"%PDF-1.7\n" + b"w" * 2_000_000)
    return path


def go_on(page):
    page.get_by_role("button", name="Go on").click()


@pytest.mark.parametrize(("theme", "size"), EXTREMES)
def test_every_step_can_be_read_by_everybody(studio, page, theme, size, price_list):
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size(size)
    watched, found = Watched(page, studio), {}

    def look(name):
        page.wait_for_load_state("networkidle")
        found[name] = faults(page)
        assert not is_wider_than_the_window(page), name

    sign_in(page, studio)
    go(page, f"{studio}/gates/new")
    page.get_by_label("Your file").set_input_files(price_list)
    look("file")
    go_on(page)
    expect(page.get_by_role("heading", name="What is it?")).to_be_visible()
    look("about")
    page.get_by_label("Headline").fill("By downloading you agree to our calls")
    go_on(page)
    look("questions")
    go_on(page)
    look("newsletters")
    go_on(page)
    look("look")
    page.get_by_role("button", name="Publish now").click()
    look("gate")
    page.get_by_role("button", name="Look", exact=True).click()
    look("checked")
    page.get_by_role("button", name="Change it").click()
    go(page, f"{studio}/gates")
    look("all")

    assert {name: what for name, what in found.items() if what} == {}
    watched.check()


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_order_of_questions_is_chosen_where_each_has_its_room(
    studio, new_context, price_list, language
):
    page = new_context(locale="en").new_page()
    sign_in(page, studio)
    page.set_extra_http_headers({"Accept-Language": language})
    go(page, f"{studio}/gates/new")
    page.locator("input[type=file]").set_input_files(price_list)
    page.locator("form .btn-primary").click()
    page.wait_for_url("**/about")
    go(page, page.url.replace("/about", "/questions"))
    for key in ("country", "company"):
        page.locator(f"input[value={key}]").check()
    page.locator("form .btn-primary").click()
    page.wait_for_url("**/newsletters")
    go(page, page.url.replace("/newsletters", "/questions"))
    page.locator("button[name=up]").press("Enter")
    page.wait_for_load_state("networkidle")
    keys = [box.get_attribute("value") for box in page.locator("input[name=chosen]").all()]
    room = page.locator(".box").first.evaluate(
        "one => [getComputedStyle(one).paddingTop, getComputedStyle(one).paddingInlineStart]"
    )

    assert keys[:2] == ["company", "country"]
    assert room == ["11.2px", "24px"]
    assert faults(page) == []


def test_from_a_file_to_a_gate_by_the_keyboard_alone(studio, page, price_list):
    page.on("filechooser", lambda _: None)  # else the browser may hear of it after the key
    sign_in(page, studio)
    keys = page.keyboard

    def tab_to(**whom):
        wanted = page.get_by_role(**whom) if "role" in whom else page.get_by_label(**whom)
        for _ in range(40):
            keys.press("Tab")
            if wanted.first.evaluate("one => one === document.activeElement"):
                return
        raise AssertionError(whom)

    tab_to(role="link", name="New gate")
    keys.press("Enter")
    page.get_by_label("Your file").wait_for()
    tab_to(text="Your file")
    with page.expect_file_chooser() as choosing:
        keys.press("Enter")
    choosing.value.set_files(price_list)
    tab_to(role="button", name="Go on")
    keys.press("Enter")
    page.get_by_label("Title", exact=True).wait_for()
    tab_to(text="Headline")
    keys.type("All prices")
    keys.press("Enter")
    page.get_by_label("Which company?").wait_for()
    tab_to(text="Which company?")
    keys.press("Space")
    keys.press("Enter")
    page.get_by_label("Price alerts").wait_for()
    tab_to(text="Price alerts")
    keys.press("Space")
    keys.press("Enter")
    page.get_by_role("button", name="Publish now").wait_for()
    tab_to(role="button", name="Publish now")
    keys.press("Enter")

    page.get_by_role("heading", name="All prices", level=1).wait_for()
    expect(page.get_by_role("status")).to_have_text("Published: your gate holds from now on.")


def test_a_large_file_goes_on_where_the_line_broke(studio, page, price_list):
    sent, whole = [], []

    def break_off(route):
        if route.request.method == "POST":
            sent.append(route.request.url)
            if len(sent) > 1 and not whole:
                route.abort("connectionreset")
                return
        route.continue_()

    sign_in(page, studio)
    page.route("**/uploads/**", break_off)
    go(page, f"{studio}/gates/new")
    page.get_by_label("Your file").set_input_files(price_list)
    go_on(page)
    expect(page.get_by_role("status")).to_contain_text("The line broke.", timeout=60_000)
    whole.append(True)
    before = len(sent)
    go(page, f"{studio}/gates/new")  # opened anew
    page.get_by_label("Your file").set_input_files(price_list)
    go_on(page)

    expect(page.get_by_role("heading", name="What is it?")).to_be_visible()
    expect(page.locator("main")).to_contain_text("price_list-2027.pdf · PDF, 2 MB")
    assert "at=0" not in "".join(sent[before:])


def test_a_small_file_and_every_step_without_javascript(studio, browser, tmp_path):
    small = tmp_path / "guide.pdf"
    small.write_bytes(b"%PDF-1.7 small")
    with contextlib.closing(browser.new_context(java_script_enabled=False)) as context:
        page = context.new_page()
        sign_in(page, studio)
        page.get_by_role("link", name="New gate").click()
        page.get_by_label("Your file").set_input_files(small)
        for _ in range(4):
            go_on(page)
        page.get_by_role("button", name="Publish now").click()

        expect(page.get_by_text("Published: your gate holds from now on.")).to_be_visible()


def test_what_is_worth_a_second_look_is_said_as_one_types(studio, page, price_list):
    sign_in(page, studio)
    watched = Watched(page, studio)
    go(page, f"{studio}/gates/new")
    page.get_by_label("Your file").set_input_files(price_list)
    go_on(page)
    headline, remark = page.get_by_label("Headline"), page.locator("#headline-remark")
    headline.press_sequentially("By downloading you agree to our calls")
    expect(remark).to_contain_text("a permission stands alone")
    expect(headline).to_be_focused()
    expect(headline).to_have_accessible_description(re.compile("a permission stands alone"))
    assert faults(page) == []
    headline.fill("All prices")
    expect(remark).to_have_text("")
    go_on(page)

    expect(page.get_by_role("heading", name="What do you want to know?")).to_be_visible()
    watched.check()


def test_the_lines_are_copied_by_a_button(studio, page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page, studio)
    go(page, f"{studio}/gates/guide")
    page.get_by_role("button", name="Copy").nth(1).click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert '<regportal-gate gate="guide">' in page.evaluate("navigator.clipboard.readText()")


def test_in_german_and_from_the_right(studio, page, browser):
    asks = {"de": "Was geben Sie?", "ar": "ماذا تقدّم؟"}
    for language, heading in asks.items():
        with contextlib.closing(browser.new_context(locale=language)) as context:
            foreign = context.new_page()
            go(foreign, f"{studio}/login")
            foreign.locator("[name=email]").fill("ann@acme.example")
            foreign.locator("[name=password]").fill("a horse, a battery, a staple")
            foreign.locator("[name=password]").press("Enter")
            foreign.locator(".bar").wait_for()
            go(foreign, f"{studio}/gates/new")

            expect(foreign.get_by_role("heading", name=heading)).to_be_visible()
            is_from_the_right = foreign.locator("html").get_attribute("dir") == "rtl"
            assert is_from_the_right == (language == "ar")
            assert faults(foreign) == []
