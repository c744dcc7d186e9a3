"""A marketer who has read nothing: from the start of the demo to a gate of his own on the page."""

import pytest
from playwright.sync_api import expect

from tests.browsing import go
from tools.screenshots import demo

MOST_CLICKS, MOST_FIELDS = 12, 6


class Marketer:
    """Somebody at a page, whose clicks and fields are counted."""

    def __init__(self, page):
        self.page, self.clicks, self.fields = page, 0, 0

    def press(self, name, role="button"):
        self.page.get_by_role(role, name=name, exact=True).first.click()
        self.clicks += 1

    def tick(self, label):
        self.page.get_by_label(label).check()
        self.clicks += 1

    def write(self, label, text):
        self.page.get_by_label(label, exact=True).fill(text)
        self.fields += 1

    def choose(self, label, path):
        self.page.get_by_label(label).set_input_files(path)
        self.fields += 1


@pytest.fixture
def catalogue(tmp_path):
    made = tmp_path / "widget_catalogue-2027.pdf"
    made.write_bytes(b"%PDF-1.7\n" + b"widgets " * 200_000)
    return made


def test_an_own_gate_is_live_within_twelve_clicks_and_six_fields(page, tmp_path, catalogue):
    with demo(tmp_path) as site:
        go(page, f"{site}/story")
        somebody = Marketer(page)
        somebody.press("Studio", "link")
        somebody.write("Your e-mail address", "ann@acme.example")
        somebody.write("Your name", "Ann Example")
        somebody.write("New password", "a horse, a battery, a staple")
        somebody.write("The same again", "a horse, a battery, a staple")
        page.locator("main button[type=submit], .panel button[type=submit]").first.click()
        somebody.clicks += 1
        somebody.press("New gate", "link")
        somebody.choose("Your file", catalogue)
        expect(page.get_by_role("status")).to_have_text("widget_catalogue-2027.pdf · 1.6 MB")
        somebody.press("Go on")
        expect(page.get_by_label("Title", exact=True)).to_have_value("Widget catalogue 2027")
        somebody.write("Title", "Every widget there is")
        somebody.press("Go on")
        somebody.tick("Which company are you with?")
        somebody.press("Go on")
        somebody.tick("Workshop notes")
        somebody.press("Go on")
        shown = page.frame_locator("iframe.preview")
        expect(shown.get_by_role("heading", name="Every widget there is")).to_be_visible()
        somebody.press("Publish now")
        expect(page.get_by_text("Published: your gate holds from now on.")).to_be_visible()
        somebody.press(site, "link")
        somebody.press("Downloads", "link")
        gate = page.locator("regportal-gate[gate=every-widget-there-is]")
        gate.scroll_into_view_if_needed()

        expect(gate.get_by_role("heading", name="Every widget there is")).to_be_visible()
        expect(gate.get_by_label("Your e-mail address")).to_be_visible()
        expect(gate.get_by_label("Send me workshop notes")).not_to_be_checked()
        assert somebody.clicks <= MOST_CLICKS
        assert somebody.fields <= MOST_FIELDS
