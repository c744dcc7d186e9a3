"""Browsers beside Chromium, and the gate of a page in them."""

import json
import time
from contextlib import ExitStack

import pytest

from tests.firefox import firefox
from tests.names import only_this_machine
from tests.webkit import webkit

STARTS = {"firefox": firefox, "webkitgtk": webkit}
PATIENCE = 20
ROOT = "(document.querySelector('regportal-gate')?.shadowRoot ?? document)"
FILE = f"{ROOT}.querySelector('a[data-rp=download]')"
SEEN = f"""(has => JSON.stringify({{
  email: has('input[name=email]'), country: has('[data-question=country]'),
  file: has('a[data-rp=download]'), again: has('[data-rp=not-you]'),
}}))(selector => {ROOT}.querySelector(selector) !== null)"""
NEW = {"email": True, "country": False, "file": False, "again": False}
COMES_BACK = {"email": False, "country": True, "file": False, "again": True}
FETCHED = """(asked => (
  asked.open('GET', {}, false), asked.send(), asked.responseText
))(new XMLHttpRequest())"""
GIVES = f"""({ROOT}.querySelector('input[name=email]').value = 'ann@widgetworks.example',
  {ROOT}.querySelector('button[name=remember][value={{}}]').click(), true)"""
ANSWERS = f"""({ROOT}.querySelector('select').value = 'GB',
  {ROOT}.querySelector('form[data-rp=gate] [type=submit]').click(), true)"""


@pytest.fixture
def started(request):
    """Start the engine that a test is about, with what it is to be told."""
    with ExitStack() as stack:

        def start(name, elsewhere=None, **preferences):
            proxy = stack.enter_context(only_this_machine(elsewhere))
            browser = stack.enter_context(STARTS[name](proxy, **preferences))
            request.config.pluginmanager.get_plugin("guard").engines[name] = browser.version
            return browser

        yield start


@pytest.fixture(params=list(STARTS))
def engine(request):
    """Each engine beside Chromium."""
    return request.param


def soon(condition):
    """Wait until something holds, and return it."""
    until = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.05)
    return found


class Gate:
    """The gate of a page: in a frame where the portal is on another site, else drawn."""

    def __init__(self, browser, place, *, drawn=False):
        self.browser, self.place = browser, place
        self.framed = "example.net" in place.url and not drawn
        self.read = browser.read_frame if self.framed else browser.read

    @property
    def shows(self):
        """Return what there is; nothing while it is on its way."""
        return json.loads(self.read(SEEN) or "{}")

    def asks(self):
        """Wait until it asks, and return what it shows."""
        soon(lambda: self.shows.get("email") or self.shows.get("again"))
        return self.shows

    def give_address(self, remember="yes"):
        """Give an address, and return the bytes of the file."""
        soon(lambda: self.shows.get("email"))
        self.read(GIVES.format(remember))
        return self.file()

    def answer(self):
        """Answer the question, and return the bytes of the file."""
        soon(lambda: self.shows.get("country"))
        self.read(ANSWERS)
        return self.file()

    def file(self):
        """Return the bytes of the file; the browser leaves the page for them where it must."""
        soon(lambda: self.shows.get("file"))
        if self.framed:
            return self.read(FETCHED.format(f"{FILE}.href"))
        file = self.read(f"{FILE}.href")
        self.browser.open(f"{self.place.url}/g/guide")
        return self.browser.read(FETCHED.format(json.dumps(file)))

    def not_you(self):
        """Say that it is somebody else."""
        self.read(f"({ROOT}.querySelector('[data-rp=not-you]').click(), true)")
