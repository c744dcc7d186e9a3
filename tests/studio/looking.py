"""Looking at pages of the Studio in a real browser: who reads them, and what is broken."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browsing import go
from tests.studio.staff import PASSWORD

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
EXTREMES = [
    pytest.param("light", WIDE, id="wide-light"),
    pytest.param("dark", PHONE, id="phone-dark"),
]
"""Each colour and each width once: what one breaks, it breaks whatever the other is."""


class Watched:
    """A page that notes what its policy refused, and what it asked of other hosts."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        self.broken, self.foreign = [], []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.broken.append(str(error)))
        page.on("request", self._see)

    def _hear(self, said):
        if said.type in {"error", "warning"} and "favicon" not in said.text:
            self.broken.append(said.text)

    def _see(self, request):
        if not request.url.startswith((self.address.removesuffix("/studio"), "data:")):
            self.foreign.append(request.url)

    def check(self):
        """Fail where anything was refused, or asked elsewhere."""
        assert self.broken == []
        assert self.foreign == []


def sign_in(page, address, email="ann@acme.example"):
    go(page, f"{address}/login")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator(".bar")).to_be_visible()


def faults(page):
    """What axe finds in a page, in few words."""
    found = Axe().run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["html"][:120]) for one in found]


def is_wider_than_the_window(page):
    return page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
