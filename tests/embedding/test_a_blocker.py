"""
The gate under uBlock Origin, as people have it: with EasyList, EasyPrivacy and its own lists.

The real thing in a real Firefox; Chromium no longer takes it.
"""

import json

import pytest

from tests.embedding.engines import Gate, allow, arrived, by_a_person, downloaded, soon
from tests.embedding.test_what_visitors_bring import WAYS
from tests.names import known
from tools.ensure_blocker import ensure

pytestmark = pytest.mark.soak

WATCH = """
window.wrong = []
for (const kind of ['error', 'unhandledrejection', 'securitypolicyviolation'])
  addEventListener(kind, event => wrong.push(event.message ?? event.reason ?? event.blockedURI))
"""
LISTED = "/matomo.js"
"""A file of the site that a rule of EasyPrivacy names."""


@pytest.mark.parametrize("way", WAYS)
def test_with_a_real_blocker_the_file_comes_and_what_is_allowed_is_recorded(started, way, place_in):
    mode, says = WAYS[way]
    place, browser = place_in(mode, named=known), started("firefox")
    browser.add(ensure())
    element = place.snippet("guide").element.replace("<regportal-gate", f"<regportal-gate{says}")
    (place.pages / LISTED[1:]).touch()
    (place.pages / "bare.html").touch()
    browser.open(f"{place.www}/bare.html")
    fetched = f"fetch('{LISTED}').then(() => 'let through', () => 'blocked')"
    soon(lambda: browser.read(fetched) == "blocked")  # it has read its lists
    browser.open(by_a_person(place, body=element, watch=WATCH))
    allow(browser)
    gate = Gate(browser, place, drawn=bool(says))
    gate.give_address()

    assert downloaded(browser, "guide.txt") == "This is guide.txt.\n"
    soon(lambda: "page_view" in arrived(place))
    assert json.loads(browser.read("JSON.stringify(wrong)")) == []
