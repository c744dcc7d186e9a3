"""Browsers beside Chromium, and the gate of a page in them."""

import json
from contextlib import ExitStack

import pytest
import sqlalchemy as sa

from regportal.identity.models import Visitor
from regportal.tracking.models import Interaction
from tests.firefox import firefox
from tests.names import only_this_machine
from tests.patience import until
from tests.visiting import BY_A_PERSON
from tests.webkit import webkit

STARTS = {"firefox": firefox, "webkitgtk": webkit}
ROOT = "(document.querySelector('regportal-gate')?.shadowRoot ?? document)"
SEEN = f"""(has => JSON.stringify({{
  email: has('input[name=email]'), country: has('[data-question=country]'),
  file: has('a[data-rp=download]'), again: has('[data-rp=not-you]'),
}}))(selector => {ROOT}.querySelector(selector) !== null)"""
NEW = {"email": True, "country": False, "file": False, "again": False}
COMES_BACK = {"email": False, "country": True, "file": False, "again": True}
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
    found = until(condition)
    assert found, "it does not come"
    return found


def downloaded(browser, name):
    """Wait for a file that the browser was given, and return what is in it."""
    path = browser.downloads / name
    return soon(lambda: path.exists() and path.read_text())


def by_a_person(place, name="guide", body="", head="", policy="", watch=""):
    """Put a page on the site that takes whoever is there for a person; return its address."""
    (place.pages / "person.js").write_text(f"{BY_A_PERSON};{watch}")
    portal = "/".join(place.url.split("/")[:3])
    lax = f"{policy} script-src 'self' {portal}; connect-src {portal}"
    return place.page(name, body=body, head=f'<script src="person.js"></script>{head}', policy=lax)


def allow(browser):
    """Allow to be followed, as a consent banner says it."""
    soon(lambda: browser.read("window.regportal?.choose !== undefined"))
    browser.read("(regportal.choose({ recognise: true, track: true }), true)")


def arrived(place):
    """Return what the portal knows of, oldest first."""
    place.portal.work()
    with place.portal.store.read() as session:
        asked = sa.select(Interaction.type).order_by(Interaction.occurred_at)
        return [kind for kind in session.scalars(asked) if kind != "download"]


def attributed(place, kind):
    """Return whose the portal takes the one interaction of a type for."""
    with place.portal.store.read() as session:
        attribution = sa.select(Interaction.attribution).where(Interaction.type == kind)
        return session.scalars(attribution).one().value


def speaking(place):
    """Return how many recorders of pages speak for the visitor of a frame."""
    with place.portal.store.read() as session:
        count = sa.select(sa.func.count()).where(Visitor.speaks_for.is_not(None))
        return session.scalar(count)


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
        """Give an address."""
        soon(lambda: self.shows.get("email"))
        self.read(GIVES.format(remember))

    def answer(self):
        """Answer the question."""
        soon(lambda: self.shows.get("country"))
        self.read(ANSWERS)

    def not_you(self):
        """Say that it is somebody else."""
        self.read(f"({ROOT}.querySelector('[data-rp=not-you]').click(), true)")
