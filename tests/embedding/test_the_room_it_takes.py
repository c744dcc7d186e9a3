"""A gate with all that a gate may say takes the room that its snippet leaves, and no more."""

import re

import pytest
from playwright.sync_api import expect

from tests.browsing import go
from tests.embedding.test_what_visitors_bring import FRAME, SHIFTS
from tests.visiting import BY_A_PERSON

FULL = """
newsletters:
  - key: alerts
    title: Widget price alerts
    topics: [widgets]
    wording: {en: "Send me widget price alerts, about once a month.",
      de: "Schicken Sie mir Widget-Preisnachrichten, etwa einmal im Monat."}
    frequency: monthly
gates:
  - key: study
    asset: study
    headline: {en: What every widget costs, de: Was jedes Widget kostet}
    text: {en: "One list, every widget.", de: "Eine Liste, jedes Widget."}
    questions: [country]
    newsletters: [alerts]
    abstract:
      en: |
        What each of our widgets costs, by country and by number, with the discounts of this year.

        Which of them are made to order, what that depends on, and how long it takes until they are
        there; what spare parts cost, and whom to ask for more.
      de: |
        Was jedes unserer Widgets kostet, nach Land und Menge, mit den Rabatten dieses Jahres.

        Welche davon auf Bestellung gefertigt werden, wovon das abhängt und wie lange es dauert, bis
        sie da sind; was Ersatzteile kosten und wen man nach mehr fragt.
"""


MEASURED = """one => {
  const seen = one.shadowRoot.querySelectorAll('iframe, [part~=headline], [part~=note]')
  const places = [...seen].map(each => each.getBoundingClientRect())
  const [ends, begins] = [places.map(each => each.bottom), places.map(each => each.top)]
  const filled = Math.max(...ends) - Math.min(...begins)
  const room = Number.parseFloat(getComputedStyle(one).minHeight)
  return [one.getBoundingClientRect().height, room, filled]
}"""
"""How tall a gate is, how tall its page's style lets it be, and how tall what is in it is."""


@pytest.fixture(scope="module", params=["path", "other site"])
def place(request, place_in):
    """A site with a gate that says all that a gate may say: drawn, and in a frame."""
    place = place_in(request.param)
    text = (place.portal.folder / "regportal.yaml").read_text()
    newsletters, _, gate = FULL.partition("gates:")
    text = re.sub(r"origins: .+", f'origins: ["{place.www}"]', text)
    others = text.partition("  - {key: study, asset: study, headline")[0]
    place.portal.publish(others + gate + newsletters)
    return place


@pytest.mark.parametrize("width", [390, 800, 1280])
@pytest.mark.parametrize("language", ["en", "de"])
def test_nothing_moves_when_the_gate_of_a_snippet_comes(new_context, place, width, language):
    context = new_context(viewport={"width": width, "height": 1400}, locale=language)
    context.add_init_script(BY_A_PERSON)
    context.add_init_script(f"({SHIFTS})()")
    page, snippet = context.new_page(), place.snippet("study")
    head = f"<style>main {{ max-width: 46rem; margin: auto }} {snippet.style}</style>"
    size = '<meta name="viewport" content="width=device-width">'
    policy = "default-src 'none'; style-src 'unsafe-inline'; require-trusted-types-for 'script'"
    body = f"<main>{snippet.element}<p>What comes after it.</p></main>"
    go(page, place.page("room", "study", body, size + head, policy))
    gate = page.locator("regportal-gate")
    shown = page.frame_locator(FRAME) if "vendor" in place.url else gate
    expect(shown.locator("[data-rp=abstract] p")).to_have_count(2)
    gate.locator("iframe:not([data-ready])").wait_for(state="detached")
    tall, room, filled = gate.evaluate(MEASURED)

    assert tall == pytest.approx(room, abs=1)
    assert room * 0.75 < filled < room
    assert page.evaluate("shifted") < 0.01  # a hundredth of what may be called good
