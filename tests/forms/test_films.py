"""A film behind a gate, in a real browser: played, wound back, by everybody, and told once."""

import json
import shutil
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from regportal.library.models import Serving
from regportal.library.rules import START_FILM
from regportal.tracking.models import Interaction
from tests.browsing import go
from tests.films import picture_of, publish, webm
from tests.forms.test_in_a_browser import (
    FILE,
    Place,
    ann,
    check_looks,
    page_of_somebody,
    tab_to,
    watch,
)
from tests.patience import until
from tests.portal import served
from tests.visiting import BY_A_PERSON, YES

__all__ = ["ann", "watch"]

SITE = """
site:
  name: Acme Products
  controller: Acme Products Ltd, 1 High Street, Leeds
  privacy_notice: https://www.acme.example/privacy
  origins: ["{ours}", "{far}"]
assets:
  - {{key: tour, title: A tour of the factory, category: video, topics: [widgets], file: tour.webm}}
  - {{key: talk, title: A talk, category: video, file: talk.webm, show: both}}
  - {{key: reel, title: A reel, category: video, file: reel.webm, show: download}}
  - {{key: lesson, title: A lesson, category: video, file: lesson.webm}}
  - {{key: guide, title: A guide, category: paper, file: guide.txt}}
gates:
  - {{key: tour, asset: tour, headline: The tour}}
  - {{key: talk, asset: talk, headline: The talk}}
  - {{key: reel, asset: reel, headline: The reel}}
  - {{key: lesson, asset: lesson, headline: The lesson}}
  - {{key: guide, asset: guide, headline: The guide}}
"""
POLICY = (
    "default-src 'none'; script-src {portal}; connect-src {portal}; frame-src {portal}; "
    "media-src {portal}; require-trusted-types-for 'script'; trusted-types 'none'"
)
FILM = "video[data-rp-video]"
GATE = "regportal-gate"
MINUTE, LESSON = 60, 100
PLAY = """(film, [from, to]) => new Promise((done, failed) => {
  film.onerror = () => failed(new Error(film.error.message))
  film.muted = true
  film.playbackRate = 8
  film.addEventListener('pause', () => done(film.currentTime), { once: true })
  film.ontimeupdate = () => film.currentTime >= to && film.pause()
  const begin = () => film.play()
  if (film.currentTime === from) return begin()
  film.addEventListener('seeked', begin, { once: true })
  film.currentTime = from
})"""
SEEK = """(film, to) => new Promise((done, failed) => {
  film.onerror = () => failed(new Error(film.error.message))
  film.addEventListener('seeked', () => done(film.currentTime), { once: true })
  film.currentTime = to
})"""


@pytest.fixture(scope="module")
def place(_sqlite_template, tmp_path_factory, browser):
    """The portal with some films, and a page of ours near it."""
    folder = tmp_path_factory.mktemp("portal")
    shutil.copyfile(_sqlite_template, folder / "regportal.db")
    short, picture = webm(picture_of(browser), MINUTE), picture_of(browser, large=True)
    films = {f"{name}.webm": short for name in ("tour", "talk", "reel")}
    films |= {"lesson.webm": webm(picture, LESSON, large=True), "guide.txt": b"A guide"}
    with ExitStack() as stack:
        ours, pages = stack.enter_context(page_of_somebody())
        far = ours.replace("localhost", "127.0.0.1")
        site = SITE.format(ours=ours, far=far)
        nothing = site.partition("assets:")[0]
        serving = served(f"sqlite:///{folder}/regportal.db", folder, nothing)
        portal, url = stack.enter_context(serving)
        publish(portal, site, films)
        yield Place(url, portal, ours, far, far, {ours: pages})


def claim(page, place, gate="tour", path=""):
    """Give an address at a gate, to be forgotten with the browser."""
    go(page, f"{place.url}/g/{gate}{path}")
    page.locator("input[name=email]").fill("ann@widgetworks.example")
    page.locator("button[name=remember][value=no]").click()


def embed(page, place, gate="tour", attributes="", *, far=False):
    """Open a page of ours that has a gate, and give an address there."""
    policy = POLICY.format(portal=place.url)
    place.pages[place.ours]["/"] = f"""<!doctype html><html lang="en"><head><title>Acme</title>
    <meta http-equiv="Content-Security-Policy" content="{policy}">
    <script type="module" src="{place.url}/static/js/regportal.js"></script></head><body><main>
    <h1>Acme</h1><{GATE} gate="{gate}" {attributes}><a href="{place.url}/g/{gate}">Get it</a>
    </{GATE}></main></body></html>"""
    go(page, place.partner if far else place.ours)


def watched(place, asset):
    """Return what the portal knows of a film that was watched: the properties, oldest first."""
    place.portal.work()
    with place.portal.store.read() as session:
        found = session.scalars(
            sa.select(Interaction)
            .where(Interaction.type == "video_watch", Interaction.object == asset)
            .order_by(Interaction.id)
        ).all()
        return [(one.category, one.visitor_id is not None, one.properties) for one in found]


def downloads(place, asset):
    """Return how many downloads of an asset were recorded, and how many parts of it were sent."""
    with place.portal.store.read() as session:
        taken = sa.select(Interaction.visit_id).where(
            Interaction.type == "download", Interaction.object == asset
        )
        return len(session.scalars(taken).all()), len(session.scalars(sa.select(Serving.id)).all())


# --- the hosted page ---


def test_a_film_is_played_on_the_page_without_javascript(new_context, watch, place):
    page = watch.over(new_context(java_script_enabled=False)).new_page()
    claim(page, place)
    film = page.locator(FILM)
    film.wait_for()

    assert film.get_attribute("preload") == "metadata"
    assert until(lambda: film.evaluate("one => one.readyState") > 0)
    assert film.evaluate("one => one.controls && one.duration") == MINUTE
    expect(page.locator("figcaption")).to_have_text("A tour of the factory")
    expect(page.locator(FILE)).to_have_count(0)
    expect(page.locator("script")).to_have_count(0)
    page.reload()
    film.wait_for()


def test_a_film_can_be_used_by_everybody(ann, place):
    ann.emulate_media(reduced_motion="reduce")
    claim(ann, place)
    ann.locator(FILM).wait_for()
    check_looks(ann)
    tab_to(ann, FILM)
    ann.keyboard.press("Space")

    assert until(lambda: ann.locator(FILM).evaluate("one => !one.paused"))


def test_a_page_says_until_when_a_film_plays_and_where_it_is_given_anew(ann, place):
    claim(ann, place)
    until_when = ann.locator("[data-rp=until]")
    expect(until_when).to_contain_text("It plays here until")
    until_when.get_by_role("link", name="Get it anew").click()
    ann.locator("form[data-rp=gate] .buttons button").first.click()

    expect(ann.locator(FILM)).to_be_visible()
    go(ann, f"{place.url}/g/reel")
    ann.locator("form[data-rp=gate] .buttons button").first.click()
    expect(ann.locator(FILE)).to_be_visible()
    expect(until_when).to_have_count(0)


def test_a_document_says_whether_a_film_can_be_kept(ann, place):
    claim(ann, place, "talk")
    expect(ann.locator(FILM)).to_be_visible()
    with ann.expect_download() as kept:
        ann.locator(FILE).click()
    ann.context.clear_cookies()
    with ann.expect_download() as taken:
        claim(ann, place, "reel")

    assert kept.value.suggested_filename == "talk.webm"
    assert taken.value.suggested_filename == "reel.webm"
    expect(ann.locator(FILM)).to_have_count(0)


def test_media_are_allowed_only_where_a_film_is(ann, place):
    policies = {}
    ann.on(
        "response",
        lambda one: policies.update({one.url: one.headers.get("content-security-policy")}),
    )
    claim(ann, place)
    ann.locator(FILM).wait_for()
    with ann.expect_download():
        go(ann, f"{place.url}/g/guide")
        ann.locator("form[data-rp=gate] .buttons button").first.click()
    media = {url.removeprefix(place.url) for url, one in policies.items() if "media-src" in one}

    assert media == {"/g/tour/done"}


def test_a_film_is_wound_to_and_fro_and_is_one_download(ann, place):
    _, before = downloads(place, "lesson")
    claim(ann, place, "lesson")
    film = ann.locator(FILM)
    for second in (90, 5, 70, 20, 95, 1, 60, 30, 80, 10):
        assert film.evaluate(SEEK, second) == second
    film.evaluate(PLAY, [50, 52])
    ann.reload()
    assert film.evaluate(SEEK, 99) == 99

    def is_measured():
        taken, parts = downloads(place, "lesson")
        return taken == 1 and parts - before > 5

    assert until(is_measured), (before, downloads(place, "lesson"))


def scrub(page):
    """Draw the handle of a film to and fro, faster than it can be shown."""
    return page.locator(FILM).evaluate(
        """film => new Promise((done, failed) => {
          film.onerror = () => failed(new Error(film.error.message))
          let left = 60
          const on = () => {
            film.currentTime = (left * 37) % 99
            if (left--) setTimeout(on, 15)
            else film.addEventListener('seeked', () => done(film.currentTime), { once: true })
          }
          on()
        })"""
    )


def test_whoever_scrubs_is_not_held_up(ann, place):
    statuses = set()
    ann.on("response", lambda one: statuses.add(one.status) if "/d/" in one.url else None)
    claim(ann, place, "lesson")

    assert scrub(ann) == 0
    assert statuses == {206}


# --- what is told ---


def choose(page, place):
    """Allow on our page, as its banner does, that everything is recorded."""
    page.add_init_script(BY_A_PERSON)
    embed(page, place)
    page.wait_for_function("window.regportal?.choose !== undefined")
    assert page.evaluate("choice => regportal.choose(choice)", YES) == YES


def test_what_is_watched_on_the_page_is_told_once_by_who_allowed_it(ann, place):
    choose(ann, place)
    sent = []
    ann.on("request", lambda one: sent.append(one) if one.url.endswith("interactions") else None)
    claim(ann, place, "talk")
    film = ann.locator(FILM)
    first = film.evaluate(PLAY, [0, 10])
    film.evaluate(PLAY, [2, 6])
    second = film.evaluate(PLAY, [40, 45])
    film.evaluate(PLAY, [50, 53])
    go(ann, place.ours)
    told = []

    def is_told():
        told[:] = watched(place, "talk")
        return len(told) == 3

    assert until(is_told), told
    stretches = [one for _, _, properties in told for one in properties["watched"]]
    assert stretches == [
        [0, pytest.approx(first, abs=0.5)],
        [40, pytest.approx(second, abs=0.5)],
        [50, pytest.approx(53, abs=2)],
    ]
    assert {(category, linked) for category, linked, _ in told} == {("video", True)}
    assert {properties["duration"] for _, _, properties in told} == {MINUTE}
    assert all("tour" not in one.post_data for one in sent)


@pytest.mark.parametrize("why", ["no choice", "an objection"])
def test_without_a_choice_nothing_is_told(ann, place, why):
    ann.add_init_script(BY_A_PERSON)
    if why == "an objection":
        choose(ann, place)
        ann.set_extra_http_headers({"Sec-GPC": "1"})
        ann.context.clear_cookies(name="rp_v")
    asked = []
    claim(ann, place, "talk")
    ann.on("request", lambda one: asked.append(one.url))
    film = ann.locator(FILM)
    film.evaluate(PLAY, [0, 10])
    go(ann, f"{place.url}/g/guide")

    assert [one for one in asked if "interactions" in one or "film.js" in one] == []


def test_what_the_portal_did_not_hear_goes_again_as_it_was(ann, place, watch):
    choose(ann, place)
    claim(ann, place, "talk")
    film, sent = ann.locator(FILM), []
    lost = [True]

    def lose(route):
        sent.append(json.loads(route.request.post_data)["events"])
        if lost:
            lost.pop()
            route.abort()
        else:
            route.continue_()

    ann.route("**/api/v1/interactions", lose)
    film.evaluate(PLAY, [0, 5])
    film.evaluate(PLAY, [20, 25])
    film.evaluate(PLAY, [40, 45])
    assert until(lambda: len(sent) == 3, rest=lambda: ann.wait_for_timeout(20)), sent

    assert sent[1][0] == sent[0][0]
    assert [len(one) for one in sent] == [1, 2, 1]
    watch.said.clear()  # the browser complains of the call that was lost


# --- in a page of ours ---


def test_a_film_is_drawn_in_the_page_and_told_by_its_recorder(ann, place):
    choose(ann, place)
    ann.locator(f"{GATE} input[name=email]").fill("ida@widgetworks.example")
    ann.locator(f"{GATE} button[value=no]").click()
    film = ann.locator(f"{GATE} {FILM}")
    film.wait_for()
    paused = film.evaluate(PLAY, [0, 10])
    check_looks(ann, [("light", 390), ("light", 1280)])

    expect(ann.locator(f"{GATE} figcaption")).to_have_text("A tour of the factory")
    expect(ann.locator(FILE)).to_have_count(0)
    told = []

    def is_told():
        told[:] = watched(place, "tour")
        return told

    assert until(is_told, rest=lambda: ann.wait_for_timeout(20))
    assert told[-1][0] == "video"
    assert told[-1][2]["watched"] == [[0, pytest.approx(paused, abs=0.5)]]
    ann.get_by_role("button", name="Not you?").click()
    expect(ann.locator(f"{GATE} input[name=email]")).to_be_visible()
    expect(ann.locator(FILM)).to_have_count(0)


def test_a_light_gate_draws_a_film_too(ann, place):
    embed(ann, place, "talk", "light")
    ann.locator(f"{GATE} input[name=email]").fill("una@widgetworks.example")
    ann.locator(f"{GATE} button[value=no]").click()
    ann.locator(f"{GATE} {FILM}").evaluate(PLAY, [30, 33])

    expect(ann.locator(f"{GATE} {FILE}")).to_be_visible()


def test_a_film_plays_in_a_frame_and_may_fill_the_screen(ann, place):
    embed(ann, place, "tour", 'mode="frame"')
    frame = ann.frame_locator(f"{GATE} iframe")
    frame.locator("input[name=email]").fill("ulf@widgetworks.example")
    frame.locator("button[value=no]").click()
    film = frame.locator(FILM)
    film.evaluate(PLAY, [30, 33])

    assert film.evaluate("() => document.fullscreenEnabled")
    tall = film.evaluate("one => document.documentElement.scrollHeight - innerHeight")
    assert tall <= 0


def test_where_no_cookie_goes_along_a_film_is_a_file(ann, place):
    embed(ann, place, "tour", 'mode="script"', far=True)
    ann.locator(f"{GATE} input[name=email]").fill("uta@widgetworks.example")
    with ann.expect_download() as file:
        ann.locator(f"{GATE} button[value=no]").click()

    assert file.value.suggested_filename == "tour.webm"
    expect(ann.locator(FILM)).to_have_count(0)


def test_a_film_whose_time_is_over_says_where_it_goes_on(ann, place, watch):
    embed(ann, place)
    ann.route("**/d/*", lambda route: route.fulfill(status=403))
    ann.locator(f"{GATE} input[name=email]").fill("ute@widgetworks.example")
    ann.locator(f"{GATE} button[value=no]").click()
    expect(ann.locator(f"{GATE} [role=status] a")).to_have_attribute("href", f"{place.url}/g/tour")


def test_a_film_whose_hours_are_over_is_given_anew_where_it_was(ann, place, watch):
    embed(ann, place)
    ann.locator(f"{GATE} input[name=email]").fill("uli@widgetworks.example")
    ann.locator(f"{GATE} button[value=no]").click()
    film = ann.locator(f"{GATE} {FILM}")
    film.wait_for()
    ann.clock.set_fixed_time(datetime.now(UTC) + START_FILM + timedelta(minutes=1))
    ann.route("**/d/*", lambda route: route.fulfill(status=403))
    film.evaluate("film => film.load()")
    expect(ann.locator(f"{GATE} [role=status]")).to_contain_text("One press gives it anew.")
    ann.unroute("**/d/*")
    ann.get_by_role("button", name="Get it now").click()

    assert until(lambda: film.evaluate("one => one.readyState") > 0)
    watch.said.clear()  # the browser complains of the film that was refused
