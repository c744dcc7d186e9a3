"""A film behind a gate in the engines of Firefox and of Safari: drawn, and in a frame."""

import json
from itertools import product

import pytest

from tests.embedding.engines import ROOT, Gate, soon
from tests.films import picture_of, publish, webm
from tests.names import known

pytestmark = pytest.mark.soak

FILMS = """
assets:
  - {key: tour, title: A tour, category: video, file: tour.webm}
gates:
  - {key: tour, asset: tour, headline: The tour}
"""
MINUTE = 60
FILM = f"(document.querySelector('video') ?? {ROOT}.querySelector('video'))"
STATE = f"""(film => JSON.stringify(film && {{
  ready: film.readyState, duration: film.duration, at: film.currentTime, error: film.error?.message,
}}))({FILM})"""


def open_gate(theirs, place, browser):
    """Give an address at a gate with a film."""
    publish(place.portal, FILMS, {"tour.webm": webm(picture_of(browser), MINUTE)})
    theirs.open(place.page("tour", gate="tour"))
    gate = Gate(theirs, place)
    gate.give_address()
    return gate


@pytest.mark.parametrize(
    ("name", "mode"),
    [*product(("firefox", "webkitgtk"), ("path", "sub-domain")), ("firefox", "other site")],
)
def test_a_film_can_be_wound_to_any_place(started, name, mode, place_in, browser):
    place = place_in(mode, named=known)
    gate = open_gate(started(name), place, browser)

    def state():
        return json.loads(gate.read(STATE) or "null") or {}

    soon(lambda: state().get("ready"))
    gate.read(f"({FILM}.currentTime = 40, true)")
    soon(lambda: state()["ready"] > 1 and state()["at"] == 40)

    assert state()["duration"] == MINUTE
    assert state().get("error") is None


def test_where_a_frame_keeps_no_cookie_a_film_is_a_file(started, place_in, browser):
    theirs, place = started("webkitgtk"), place_in("other site", named=known)
    gate = open_gate(theirs, place, browser)
    soon((theirs.downloads / "tour.webm").exists)

    assert gate.read(f"{FILM} === null")
