"""
Films of YouTube and Vimeo on a page of the site: loaded when pressed, watched or only opened.

The players here are ours: they stand at the two companies' addresses, inside the browser, and speak
as the companies document it.
"""

import json
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.visiting import YES, page_with

POLICY = (
    "default-src 'none'; script-src {portal}; connect-src {portal}; "
    "frame-src https://www.youtube-nocookie.com https://player.vimeo.com; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
YOUTUBE = """<!doctype html><title>YouTube</title><script>
const tell = (event, info) =>
  parent.postMessage(JSON.stringify({ event, info, id: 1, channel: 'widget' }),
    new URLSearchParams(location.search).get('origin'))
let heard = 0
onmessage = ({ data }) => {
  const { event } = JSON.parse(data)
  if (event === 'listening' && !heard++) tell('initialDelivery', { duration: 180, playerState: -1 })
}
const plays = (currentTime, playerState = 1) =>
  tell('infoDelivery', { currentTime, playerState, playbackRate: 1 })
</script>"""
VIMEO = """<!doctype html><title>Vimeo</title><script>
const tell = said => parent.postMessage(JSON.stringify({ ...said, player_id: 'one' }), '*')
const asked = []
onmessage = ({ data }) => {
  const { method, value } = JSON.parse(data)
  asked.push(value ?? method)
  if (method === 'getPaused') tell({ method, value: true })
}
tell({ event: 'ready' })
const plays = (seconds, state = 1) => {
  if (!asked.includes('timeupdate')) return
  if (state === 1) tell({ event: 'play', data: { seconds, duration: 180 } })
  tell({ event: state === 1 ? 'timeupdate' : 'pause', data: { seconds, duration: 180 } })
}
</script>"""
DOCS = Path(__file__).parents[2] / "docs" / "recording.md"
PLAYERS = {
    "https://www.youtube-nocookie.com": ("https://www.youtube.com/watch?v=M7lc1UVf-VE", YOUTUBE),
    "https://player.vimeo.com": ("https://vimeo.com/76979871", VIMEO),
}
TELLS = """([from, seconds]) => new Promise(done => {
  const began = performance.now()
  plays(from)
  const timer = setInterval(() => {
    const passed = (performance.now() - began) / 1000
    plays(from + Math.min(passed, seconds), passed < seconds ? 1 : 2)
    if (passed < seconds) return
    clearInterval(timer)
    done()
  }, 50)
})"""


@dataclass
class Film:
    """A film on a page, before and after it was pressed."""

    visitor: object
    origin: str

    @property
    def button(self):
        return self.visitor.page.get_by_role("button", name="Play the tour")

    @property
    def frames(self):
        """Return the players on the page."""
        return [one for one in self.visitor.page.frames if one.url.startswith(self.origin)]

    def press(self):
        """Press the button, and wait until the player is there and was asked to tell."""
        self.button.click()
        return self.player()

    def player(self):
        """Wait for the player."""
        self.visitor.page.wait_for_function("() => frames.length > 0")
        self.visitor.page.frame_locator("iframe").locator("title").wait_for(state="attached")
        [player] = self.frames
        player.wait_for_function("() => typeof asked === 'undefined' ? heard : asked.length > 4")
        return player

    def watch(self, start, seconds):
        """Play the film from a second on for so long, then pause."""
        self.frames[0].evaluate(TELLS, [start, seconds])


@pytest.fixture(params=PLAYERS)
def film(request, visit, place):
    """Somebody on a page with one film."""
    link, player = PLAYERS[request.param]
    body = f"""<regportal-video data-rp-video="tour" title="The tour">
      <a href="{link}">Play the tour. It is loaded from elsewhere.</a></regportal-video>"""
    more = f'<script type="module" src="{place.url}/static/js/players.js"></script>'
    place.pages["/"] = page_with(place, body, head=more, policy=POLICY)
    visitor = visit()
    visitor.asked = []
    for origin in PLAYERS:
        visitor.page.context.route(f"{origin}/**", partial(_answer, visitor.asked, player))
    return Film(visitor.open(), request.param)


def _answer(asked, player, route):
    asked.append(route.request)
    route.fulfill(content_type="text/html", body=player)


def stretches(collector, many):
    """Wait for what was watched, and return it, to the nearest second."""
    told = collector.of("video_watch", many)
    assert {(one["object"], one["properties"]["duration"]) for one in told} == {("tour", 180)}
    return [[round(second) for second in one["properties"]["watched"][0]] for one in told]


def test_before_it_is_pressed_nothing_of_the_player_is_loaded(film):
    expect(film.button).to_be_visible()
    film.visitor.choose(**YES)

    assert film.visitor.asked == []
    assert film.visitor.page.locator("iframe, regportal-video a").count() == 0
    assert film.visitor.wrong == []


def test_pressed_it_plays_without_cookies_and_has_the_focus_and_a_name(film):
    film.button.focus()
    film.visitor.page.keyboard.press("Enter")
    film.player()
    frame = film.visitor.page.locator("iframe")

    expect(frame).to_be_focused()
    expect(frame).to_have_attribute("title", "The tour")
    [asked] = film.visitor.asked
    assert asked.url.startswith(film.origin)
    assert "autoplay=1" in asked.url
    assert asked.headers["referer"] == f"{film.visitor.place.near}/"
    assert film.visitor.wrong == []


def test_with_the_style_of_the_docs_nothing_moves_when_it_is_pressed(film):
    style = "".join(re.findall(r"^regportal-video .*\}$", DOCS.read_text(), re.MULTILINE))
    film.visitor.page.evaluate(
        """text => {
          const style = new CSSStyleSheet()
          style.replaceSync(text)
          document.adoptedStyleSheets = [style]
        }""",
        style,
    )
    before = film.button.bounding_box()
    film.press()

    assert film.visitor.page.locator("iframe").bounding_box() == before
    assert round(before["height"]) == round(before["width"] * 9 / 16)


def test_what_was_really_watched_is_told_and_a_jump_is_not(film, place):
    film.visitor.choose(**YES)
    film.press()
    film.watch(0, 2)
    film.watch(60, 2)
    film.watch(0, 1.5)
    film.visitor.wait_until_all_is_sent()
    told = stretches(place.collector, 2)

    assert told == [[0, 2], [60, 62]]
    assert film.visitor.wrong == []


def test_a_film_that_still_plays_is_told_when_the_page_is_left(film, place):
    film.visitor.choose(**YES)
    film.press()
    film.frames[0].evaluate(TELLS.replace(": 2)", ": 1)"), [0, 2])
    film.visitor.page.goto(f"{place.url}/g/prices")

    assert stretches(place.collector, 1) == [[0, 2]]


def test_what_was_watched_before_the_choice_is_never_told(film, place):
    film.press()
    film.watch(0, 2)
    film.visitor.choose(**YES)
    film.watch(2, 2)

    assert stretches(place.collector, 1) == [[2, 4]]


def test_a_banner_that_allows_it_loads_the_player_and_takes_it_away_again(film):
    element = film.visitor.page.locator("regportal-video")
    element.evaluate("film => film.toggleAttribute('allowed', true)")
    film.player()
    assert "autoplay" not in film.visitor.asked[0].url
    assert film.visitor.page.evaluate("document.activeElement === document.body")
    element.evaluate("film => film.toggleAttribute('allowed', false)")

    expect(film.button).to_be_visible()
    assert film.visitor.page.locator("iframe").count() == 0


def test_a_film_that_is_taken_off_the_page_tells_what_was_watched(film, place):
    film.visitor.choose(**YES)
    film.press()
    film.frames[0].evaluate(TELLS.replace(": 2)", ": 1)"), [0, 2])
    film.visitor.page.locator("regportal-video").evaluate("film => film.remove()")

    assert stretches(place.collector, 1) == [[0, 2]]


LIES = """said => {
  for (const where of [parent, parent.frames[0]]) {
    where.postMessage(said, '*')
    where.postMessage(JSON.stringify(said), '*')
  }
}"""


def test_another_frame_that_speaks_like_a_player_is_not_heard(film, place):
    film.visitor.choose(**YES)
    film.press()
    page = film.visitor.page
    page.evaluate(
        """src => {
          const frame = document.createElement('iframe')
          frame.src = src
          document.body.append(frame)
        }""",
        f"{film.origin}/liar",
    )
    page.wait_for_function("() => frames.length > 1")
    page.frame_locator("iframe >> nth=1").locator("title").wait_for(state="attached")
    liar = next(one for one in page.frames if one.url.endswith("/liar"))
    for second in range(3):
        for said in (
            {"event": "infoDelivery", "info": {"currentTime": second, "playerState": 1}},
            {"event": "play", "data": {"seconds": second}},
        ):
            liar.evaluate(LIES, said)
            page.evaluate("said => window.postMessage(JSON.stringify(said), '*')", said)
        page.wait_for_timeout(600)
    page.locator("regportal-video").evaluate("film => film.remove()")
    page.evaluate("regportal.record('share')")
    place.collector.of("share")

    assert "video_watch" not in json.dumps(place.collector.told)


def test_a_player_that_says_odd_things_breaks_nothing(film, place):
    film.visitor.choose(**YES)
    player = film.press()
    for odd in ("null", "'{'", "5", "{ event: 'infoDelivery' }", "{ event: 'timeupdate' }"):
        player.evaluate(f"parent.postMessage({odd}, '*')")
        player.evaluate(f"parent.postMessage(JSON.stringify({odd}), '*')")
    film.watch(0, 2)

    assert stretches(place.collector, 1) == [[0, 2]]
    assert film.visitor.wrong == []


def test_a_link_to_anything_else_stays_a_link(visit, place):
    more = f'<script type="module" src="{place.url}/static/js/players.js"></script>'
    body = '<regportal-video><a href="https://films.example/1">Play</a></regportal-video>'
    place.pages["/"] = page_with(place, body, head=more)
    visitor = visit().open()

    expect(visitor.page.get_by_role("link", name="Play")).to_be_visible()
    assert "regportal-video: no link to a film of YouTube or Vimeo inside" in visitor.said
