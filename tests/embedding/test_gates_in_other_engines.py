"""What is drawn in a page, and what goes along with it, in the engines of Firefox and of Safari."""

import pytest
import sqlalchemy as sa

from regportal.tracking.models import Interaction
from tests.embedding.engines import (
    COMES_BACK,
    GIVES,
    ROOT,
    Gate,
    allow,
    arrived,
    by_a_person,
    downloaded,
    soon,
)
from tests.keys import END, ENTER, TAB
from tests.names import known
from tests.tracking.test_players import TELLS, YOUTUBE
from tests.two_sites import visits

pytestmark = pytest.mark.soak

FOCUSED = f"({ROOT}.activeElement ?? document.body)"
HEARS = """
window.told = []
for (const name of ['asked', 'opened', 'refused', 'failed'])
  addEventListener('regportal:' + name, () => told.push(name))
"""
TOLD = "told.join()"


def element(place, gate, attributes):
    """Return the element of a gate with more attributes."""
    return place.snippet(gate).element.replace(" ", f" {attributes} ", 1)


def reach(browser, selector):
    """Press Tab until this has the focus."""
    for _ in range(15):
        if browser.read(f"{FOCUSED}.matches('{selector}')"):
            return
        browser.type(TAB)
    raise AssertionError(f"{selector} cannot be reached by keyboard")


@pytest.mark.parametrize(("mode", "attributes"), [("path", ""), ("sub-domain", "light")])
def test_a_drawn_gate_works_by_keyboard_alone_and_says_what_is_wrong(
    started, engine, mode, attributes, place_in
):
    place, browser = place_in(mode, named=known), started(engine)
    (place.pages / "hears.js").write_text(HEARS)
    hears = '<script src="hears.js"></script>'
    body = element(place, "guide", attributes)
    browser.open(by_a_person(place, body=body, head=hears))
    gate = Gate(browser, place)
    gate.asks()
    reach(browser, "input[name=email]")
    browser.type("nobody" + ENTER)
    soon(lambda: browser.read(f"{ROOT}.querySelector('[data-rp=error]') !== null"))
    wrong = f"""(field => field.name + ' ' + field.getAttribute('aria-invalid') + ' ' +
      field.getAttribute('aria-describedby').split(' ')
      .includes({ROOT}.querySelector('[data-field=email]').id))({FOCUSED})"""

    assert browser.read(wrong) == "email true true"
    browser.type(END + "@widgetworks.example")
    reach(browser, "button[value=no]")
    browser.type(ENTER)
    soon(lambda: browser.read(f"{FOCUSED}.localName") == "h2")
    assert browser.read(TOLD) == "asked,refused,opened"
    assert browser.read("document.querySelector('regportal-gate').shadowRoot !== null") == (
        attributes != "light"
    )
    assert downloaded(browser, "guide.txt") == "This is guide.txt.\n"


def test_a_page_of_another_site_draws_a_gate_with_a_token_of_its_own(started, engine, place_in):
    place, browser = place_in("other site", named=known), started(engine)
    body = [element(place, key, 'mode="script"') for key in ("guide", "study")]
    guide, study = place.page("guide", body=body[0]), place.page("study", body=body[1])
    gate = Gate(browser, place, drawn=True)
    browser.open(guide)
    gate.give_address()
    downloaded(browser, "guide.txt")
    browser.open(study)

    assert gate.asks() == COMES_BACK
    assert browser.read("JSON.parse(localStorage.regportal).token.length") == 43
    assert browser.read("document.cookie + frames.length") == "0"
    gate.answer()
    assert downloaded(browser, "study.txt") == "This is study.txt.\n"


@pytest.mark.parametrize("mode", ["path", "other site"])
def test_without_scripts_the_link_leads_to_the_same_gate(started, engine, mode, place_in):
    place, browser = place_in(mode, named=known), started(engine, scripts=False)
    browser.open(place.page("plain"))
    browser.read("(document.querySelector('regportal-gate a').click(), true)")
    soon(lambda: browser.read("document.querySelector('input[name=email]') !== null"))
    browser.read(GIVES.format("no"))

    assert downloaded(browser, "guide.txt") == "This is guide.txt.\n"
    assert browser.read("location.href") == f"{place.url}/g/guide/done"


def test_a_film_of_another_site_is_loaded_when_it_is_pressed_and_told_as_it_was_watched(
    started, engine, place_in
):
    player = f'location /embed/ {{ default_type text/html; return 200 "{YOUTUBE}"; }}'
    place = place_in("path", player, named=known)
    port = int(place.www.rpartition(":")[2])
    browser = started(engine, elsewhere={"www.youtube-nocookie.com": port})
    film = """<regportal-video data-rp-video="tour"><a
      href="https://www.youtube.com/watch?v=M7lc1UVf-VE">Play the tour</a></regportal-video>"""
    script = f'<script type="module" src="{place.url}/static/js/players.js"></script>'
    allows = "frame-src https://www.youtube-nocookie.com;"
    browser.open(by_a_person(place, "film", film, script, allows))
    allow(browser)
    soon(lambda: arrived(place) == ["page_view"])
    soon(lambda: browser.read("document.querySelector('regportal-video button') !== null"))
    assert browser.read("frames.length") == 0
    reach(browser, "regportal-video button")
    browser.type(ENTER)
    soon(lambda: browser.read_frame("typeof heard !== 'undefined' && heard > 0"))
    browser.read_frame(f"(({TELLS})([0, 2]), true)")
    soon(lambda: "video_watch" in arrived(place))

    with place.portal.store.read() as session:
        [told] = session.scalars(sa.select(Interaction).where(Interaction.type == "video_watch"))
        [[start, end]] = told.properties["watched"]
    assert (told.object, round(start), round(end)) == ("tour", 0, 2)


def test_a_visit_goes_on_at_another_of_the_companys_domains(started, engine, place_in):
    place, browser = place_in("sub-domain", named=known), started(engine)
    shop = place.www.replace("www.example.com", "shop.example.net")
    script = f'<script type="module" src="{place.url}/static/js/handover.js"></script>'
    sites = f'<meta name="regportal-sites" content="{shop}">'
    link = f'<a href="{shop}/shop.html?x=1">To the shop</a>'
    by_a_person(place, "shop", "<p>The shop</p>", script)
    browser.open(by_a_person(place, "start", link, sites + script) + "?utm_source=ad")
    allow(browser)
    soon(lambda: arrived(place) == ["page_view"])
    reach(browser, "a")
    soon(lambda: browser.read(ANSWERED))
    browser.type(ENTER)
    soon(lambda: browser.read("location.href") == f"{shop}/shop.html?x=1")
    allow(browser)
    soon(lambda: arrived(place) == ["page_view"] * 2)
    soon(lambda: len(visits(place.portal)[-1][1].parameters) > 1)
    (first, _), (second, touch) = visits(place.portal)

    assert touch.parameters == {"utm_source": "ad", "continues": str(first.id)}
    assert first.visitor_id != second.visitor_id


ANSWERED = """performance.getEntriesByType('resource')
  .some(one => one.name.endsWith('/handover') && one.responseEnd > 0)"""
