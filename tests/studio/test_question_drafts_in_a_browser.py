"""Writing a question in a real browser: in the dark, on a phone, from the right, by keyboard."""

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


def begin(page, studio):
    go(page, f"{studio}/questions")
    page.get_by_label("Another question, as visitors read it").fill("How many seats?")
    page.get_by_role("button", name="Write it").click()
    expect(page.get_by_role("heading", name="A new question")).to_be_visible()


@pytest.mark.parametrize(("theme", "size"), EXTREMES)
def test_the_page_can_be_read_by_everybody(studio, page, theme, size):
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size(size)
    watched, found = Watched(page, studio), {}
    sign_in(page, studio)

    def look(name):
        page.wait_for_load_state("networkidle")
        found[name] = faults(page)
        assert not is_wider_than_the_window(page), name

    begin(page, studio)
    look("new")
    page.get_by_label("What is answered").select_option("choice")
    page.get_by_label("Answer 1").fill("A few")
    page.get_by_label("Answer 2").fill("Many")
    page.get_by_label("Asked again after", exact=True).fill("soon")
    page.get_by_role("button", name="Save in the draft").last.click()
    expect(page.get_by_text("Saved in the draft.")).to_be_visible()
    look("faults")
    go(page, f"{studio}/questions")
    look("drafts")
    go(page, f"{studio}/questions/country")
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("heading", name="Change a question")).to_be_visible()
    look("change")

    assert {name: rules for name, rules in found.items() if rules} == {}
    watched.check()


def test_a_question_is_published_by_the_keyboard_alone_with_faults_as_one_types(studio, page):
    watched = Watched(page, studio)
    sign_in(page, studio)
    go(page, f"{studio}/questions")
    page.get_by_label("Another question, as visitors read it").focus()
    page.keyboard.type("May we call you?")
    page.keyboard.press("Enter")
    expect(page.locator("#label-remark")).to_contain_text("asks for a permission")
    page.get_by_label("The question").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("How many seats?")
    expect(page.locator("#label-remark")).not_to_contain_text("asks for a permission")
    page.get_by_label("Field in the CRM").focus()
    page.keyboard.type("no field")
    expect(page.locator("#crm_field-remark")).not_to_be_empty()
    page.keyboard.press("Control+A")
    page.keyboard.type("Seats")
    expect(page.locator("#crm_field-remark")).to_be_empty()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved in the draft.")).to_be_visible()
    page.get_by_role("button", name="Publish now").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="How many seats?").first).to_be_visible()
    watched.check()
