"""The gate in a real browser: without JavaScript, by keyboard, for everybody, and in a frame."""

import re
import shutil
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from regportal.cli.known import contact_shown
from tests.browsing import go
from tests.portal import Portal, served

FEW = "{a: Steel, b: Marine, c: Heat-proof}"
TYPES = {
    "text": "",
    "choice": f"choices: {FEW}",
    "choices": f"choices: {FEW}",
    "yes-no": "",
    "number": "",
    "date": "",
    "phone": "",
    "company": "",
    "job-title": "",
    "country": "",
    "region": "when: {answer: {question: country, in: [US]}}",
    "timeframe": "",
}
"""Every type of question, and what it needs beside its label."""
TYPED = {"number": "many", "phone": "12"}
"""What nobody can take."""
LOOKS = [*product(("light", "dark"), (390, 1280))]
EXTREMES = [("light", 1280), ("dark", 390)]
FORM = "form[data-rp=gate]"
EXPECTED = "Failed to load resource: the server responded with a status of 4"
GO = f"{FORM} .buttons button"
FILE = "a[data-rp=download]"
LAST_LETTER = """one => {
  const range = document.createRange(), text = one.firstChild
  range.setStart(text, text.length - 1)
  range.setEnd(text, text.length)
  return range.getBoundingClientRect().left - one.getBoundingClientRect().left
}"""
"""How far the last letter of a text is from its left end."""


def site(origins):
    """Return a site with a gate for every type of question."""
    questions = "\n".join(
        f"  - {{key: {kind}, type: {kind}, label: Your {kind}, why: So that it fits, {more}}}"
        for kind, more in TYPES.items()
    )
    assets = "\n".join(
        f"  - {{key: file-{kind}, title: About {kind}, category: paper, file: {kind}.txt}}"
        for kind in TYPES
    )
    gates = "\n".join(
        f"  - {{key: ask-{kind}, asset: file-{kind}, headline: About {kind}, "
        f"questions: [country, {kind}], answer: required, per_visit: 20}}"
        for kind in TYPES
    ).replace("[country, country]", "[country]")
    return f"""
site:
  name: Acme Products
  controller: Acme Products Ltd, 1 High Street, Leeds
  privacy_notice: https://www.acme.example/privacy
  origins: [{", ".join(origins)}]
newsletters:
  - {{key: news, title: News, topics: [widgets], wording: Send me the news., frequency: monthly}}
questions:
{questions}
assets:
  - {{key: guide, title: A guide, category: paper, topics: [widgets], file: guide.txt}}
  - {{key: study, title: A study, category: paper, topics: [widgets], file: study.txt}}
  - {{key: list, title: Price list, category: price-list, topics: [widgets], file: list.txt}}
{assets}
gates:
  - {{key: guide, asset: guide, headline: The guide, questions: [country], newsletters: [news]}}
  - {{key: study, asset: study, headline: A study, questions: [country], newsletters: [news]}}
  - {{key: prices, asset: list, headline: All prices, delivery: mail, newsletters: [news]}}
{gates}
"""


@contextmanager
def page_of_somebody():
    """Serve one page on an origin of its own; give the origin and where the page's text goes."""
    pages = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            text = pages.get(self.path.partition("?")[0], "").encode()
            self.send_response(200 if text else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://localhost:{server.server_address[1]}", pages
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Place:
    """The portal, and three pages of others: two that may embed it, and one that may not."""

    url: str
    portal: Portal
    ours: str
    partner: str
    evil: str
    pages: dict

    def link(self, email):
        """Let the worker do its work, and return the link of the last mail to this address."""
        self.portal.work()
        mail = [one for one in self.portal.mails() if one["To"] == email][-1]
        text = mail.get_body(("plain",)).get_content()
        return re.search(rf"^({re.escape(self.url)}/m/\S+)\r?$", text, re.MULTILINE)[1]


@pytest.fixture(scope="module")
def place(_sqlite_template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("portal")
    shutil.copyfile(_sqlite_template, folder / "regportal.db")
    with ExitStack() as stack:
        (ours, one), (partner, two), (evil, three) = (
            stack.enter_context(page_of_somebody()) for _ in range(3)
        )
        database_url = f"sqlite:///{folder}/regportal.db"
        serving = served(database_url, folder, site([ours, partner]))
        portal, url = stack.enter_context(serving)
        yield Place(url, portal, ours, partner, evil, {ours: one, partner: two, evil: three})


@dataclass
class Watch:
    """What the browser said, and whom it asked."""

    said: list = field(default_factory=list)
    asked: set = field(default_factory=set)

    def over(self, context):
        """Watch every page of a browser."""
        context.on("console", lambda one: self.said.append((one.type, one.text)))
        context.on("weberror", lambda one: self.said.append(("error", str(one.error))))
        context.on("request", lambda one: self.asked.add(re.match(r"\w+://[^/]*", one.url)[0]))
        return context

    @property
    def complaints(self):
        """Return what was said, but for what every browser says of a form that is refused."""
        return [
            text
            for kind, text in self.said
            if kind in {"error", "warning"} and not text.startswith(EXPECTED)
        ]


@pytest.fixture
def watch(place):
    """What must not happen on any page: a complaint, or a call to another host."""
    watching = Watch()
    yield watching
    assert watching.complaints == []
    assert watching.asked <= {place.url, place.ours, place.partner}


@pytest.fixture
def ann(new_context, watch):
    """A browser nobody has used."""
    return watch.over(new_context()).new_page()


@pytest.fixture(scope="module")
def known(browser, place):
    """The cookies of somebody who gave an address, and comes from the United States."""
    with browser.new_context() as context:
        page = context.new_page()
        claim(page, place)
        go(page, f"{place.url}/g/ask-country")
        page.locator("select").select_option("US")
        page.locator(GO).first.click()
        page.locator(FILE).wait_for()
        return context.storage_state()


def claim(page, place, gate="guide", email="ann@widgetworks.example", remember="no"):
    """Give an address at a gate."""
    go(page, f"{place.url}/g/{gate}")
    page.locator("input[name=email]").fill(email)
    page.locator(f"button[name=remember][value={remember}]").click()
    page.locator(f"{FILE}, [data-rp=mailed]").wait_for()


def violations(page):
    """Return what keeps somebody from using this page."""
    found = Axe().run(page, options={"iframes": False}).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def check_looks(page, looks=tuple(LOOKS)):
    """Everybody can use this page, in light and dark, on a phone and on a desk."""
    for scheme, width in looks:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})

        assert violations(page) == [], (scheme, width)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (scheme, width)


def focused(page):
    return page.evaluate("document.activeElement.name ?? document.activeElement.tagName")


def tab_to(page, selector):
    """Press Tab until this has the focus, as somebody without a mouse does."""
    for _ in range(15):
        page.keyboard.press("Tab")
        if page.evaluate("what => document.activeElement.matches(what)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by keyboard")


# --- for everybody ---


@pytest.mark.parametrize("kind", TYPES)
def test_every_question_can_be_answered_by_everybody(new_context, watch, place, known, kind):
    page = watch.over(new_context(storage_state=known)).new_page()
    if kind == "country":
        page.context.clear_cookies()
        claim(page, place)
    go(page, f"{place.url}/g/ask-{kind}")

    assert page.locator(f'[data-rp="question"][data-question="{kind}"]').count() == 1
    check_looks(page, EXTREMES)
    if kind in TYPED:
        page.locator(f"[name=q-{kind}]").fill(TYPED[kind])
    with page.expect_navigation() as refused:
        page.locator(GO).first.click()

    assert refused.value.status == 422
    error = page.locator(f'[data-rp="error"][data-field="q-{kind}"]')
    expect(error).to_be_visible()
    assert focused(page) == f"q-{kind}"
    described = page.locator(f"[aria-describedby~={error.get_attribute('id')}]")
    expect(described).to_have_count(1)
    check_looks(page, EXTREMES)


def test_the_address_can_be_given_by_everybody(ann, place):
    go(ann, f"{place.url}/g/guide")

    check_looks(ann)
    ann.locator(GO).first.click()
    expect(ann.locator('[data-rp="error"][data-field="email"]')).to_be_visible()
    assert focused(ann) == "email"
    assert ann.locator("input[name=email]").get_attribute("aria-invalid") == "true"
    check_looks(ann)


def test_the_pages_after_a_gate_can_be_used_by_everybody(ann, place):
    with ann.expect_download():  # it starts by itself, and would break off what comes next
        claim(ann, place)
    check_looks(ann)
    go(ann, f"{place.url}/g/guide")

    check_looks(ann)
    ann.context.clear_cookies()
    claim(ann, place, "prices", "ann@gmial.com")
    ann.locator("summary").click()
    expect(ann.locator("[data-rp=mailed]")).to_contain_text("ann@gmail.com")
    check_looks(ann)


def test_the_pages_of_a_mail_can_be_used_by_everybody(ann, place):
    claim(ann, place, "prices", "eve@widgetworks.example")
    link = place.link("eve@widgetworks.example")
    go(ann, link)
    check_looks(ann)
    ann.locator("button[data-rp=deny]").click()
    expect(ann.get_by_text("Deleted. It was not you.")).to_be_visible()
    check_looks(ann)
    claim(ann, place, "prices", "eve@widgetworks.example")
    link = place.link("eve@widgetworks.example")
    go(ann, link)
    with ann.expect_download():  # it starts by itself, and would break off what comes next
        ann.locator("button[data-rp=confirm]").click()
    ann.locator(FILE).wait_for()
    check_looks(ann)

    assert go(ann, link).status == 410
    check_looks(ann)


def test_a_page_that_is_not_there_can_be_used_by_everybody(ann, place):
    assert go(ann, f"{place.url}/g/nothing").status == 404
    check_looks(ann)


def test_somebody_who_wants_no_motion_sees_none(ann, place):
    ann.emulate_media(reduced_motion="reduce")
    go(ann, f"{place.url}/g/guide")

    assert ann.evaluate("document.getAnimations().length") == 0


# --- without a mouse, without JavaScript ---


def test_the_whole_gate_works_by_keyboard_alone(ann, place):
    go(ann, f"{place.url}/g/guide")
    tab_to(ann, "input[name=email]")
    ann.keyboard.type("kay@widgetworks.example")
    tab_to(ann, "input[name=n-news]")
    ann.keyboard.press("Space")
    tab_to(ann, "button[name=remember][value=no]")
    ann.keyboard.press("Enter")
    ann.locator(FILE).wait_for()
    go(ann, f"{place.url}/g/study")
    tab_to(ann, "select[name=q-country]")
    ann.keyboard.type("Germany")
    tab_to(ann, GO)
    ann.keyboard.press("Enter")
    ann.locator(FILE).wait_for()
    tab_to(ann, FILE)
    with ann.expect_download() as started:
        ann.keyboard.press("Enter")

    assert started.value.path().read_text() == "This is study.txt.\n"
    place.portal.work()
    with place.portal.store.read() as session:
        told = contact_shown(session, "kay@widgetworks.example")
    assert [one["value"] for one in told["claims"][0]["answers"]] == ["DE"]
    assert [(one["newsletter"], one["state"]) for one in told["consents"]] == [("news", "pending")]


def test_the_focus_can_be_seen(ann, place):
    go(ann, f"{place.url}/g/guide")
    for selector in ("input[name=email]", "input[name=n-news]", "button[name=remember]"):
        tab_to(ann, selector)
        look = ann.evaluate(
            "() => { const one = getComputedStyle(document.activeElement);"
            " return one.outlineStyle !== 'none' && parseFloat(one.outlineWidth) >= 2 }"
        )

        assert look, selector


def test_the_whole_gate_works_without_javascript(new_context, watch, place):
    page = watch.over(new_context(java_script_enabled=False)).new_page()
    go(page, f"{place.url}/g/guide")
    page.locator("input[name=email]").fill("not an address")
    page.locator("input[name=n-news]").check()
    page.locator("button[name=remember][value=no]").click()
    expect(page.locator('[data-rp="error"][data-field="email"]')).to_be_visible()
    expect(page.locator("input[name=email]")).to_have_value("not an address")
    expect(page.locator("input[name=n-news]")).to_be_checked()
    page.locator("input[name=email]").fill("noah@widgetworks.example")
    with page.expect_download() as started:
        page.locator("button[name=remember][value=no]").click()
    assert started.value.path().read_text() == "This is guide.txt.\n"
    go(page, f"{place.url}/g/study")
    page.locator("select[name=q-country]").select_option("DE")
    with page.expect_download() as started:
        page.locator(GO).first.click()
    assert started.value.path().read_text() == "This is study.txt.\n"
    go(page, f"{place.url}/g/prices")
    page.locator(GO).first.click()
    expect(page.locator("[data-rp=mailed]")).to_be_visible()
    go(page, place.link("noah@widgetworks.example"))
    page.locator("button[data-rp=confirm]").click()
    page.locator(FILE).wait_for()
    page.locator("button[data-rp=not-you]").first.click()

    expect(page.locator("input[name=email]")).to_be_visible()


# --- what is kept, and what starts ---


def test_the_file_starts_by_itself(ann, place):
    go(ann, f"{place.url}/g/guide")
    ann.locator("input[name=email]").fill("ann@widgetworks.example")
    with ann.expect_download() as started:
        ann.locator("button[name=remember][value=no]").click()

    assert started.value.suggested_filename == "guide.txt"
    assert started.value.path().read_text() == "This is guide.txt.\n"
    expect(ann.locator(FILE)).to_be_visible()


@pytest.mark.parametrize("remember", ["yes", "no"])
def test_a_cookie_is_all_that_is_kept_and_no_script_can_read_it(ann, place, remember):
    claim(ann, place, remember=remember)
    cookies = ann.context.cookies()
    kept = ann.evaluate(
        "async () => [document.cookie, localStorage.length, sessionStorage.length,"
        " (await indexedDB.databases()).length, (await caches.keys()).length]"
    )

    assert kept == ["", 0, 0, 0, 0]
    assert [one["name"] for one in cookies] == ["rp_v" if remember == "yes" else "rp_s"]
    assert [(one["httpOnly"], one["sameSite"]) for one in cookies] == [(True, "Lax")]
    assert (cookies[0]["expires"] > 0) == (remember == "yes")


def test_a_browser_that_objects_is_offered_no_memory(new_context, watch, place):
    context = watch.over(new_context(extra_http_headers={"Sec-GPC": "1"}))
    page = context.new_page()
    go(page, f"{place.url}/g/guide")
    buttons = page.locator("button[name=remember]")

    expect(buttons).to_have_count(1)
    expect(buttons).to_have_text("Get it, just this once")
    claim(page, place)
    assert [one["expires"] for one in context.cookies()] == [-1]


@pytest.mark.parametrize("scripts", [True, False])
def test_whoever_presses_enter_chose_nothing_and_is_not_remembered(new_context, place, scripts):
    context = new_context(java_script_enabled=scripts)
    page = context.new_page()
    go(page, f"{place.url}/g/prices")
    page.locator("input[name=email]").fill("enid@widgetworks.example")
    page.keyboard.press("Enter")
    page.locator("[data-rp=mailed]").wait_for()

    assert [one["expires"] for one in context.cookies()] == [-1]


def test_a_text_in_another_language_keeps_its_full_stop_at_its_end(ann, place):
    go(ann, f"{place.url}/g/guide")
    ann.evaluate("document.documentElement.dir = 'rtl'")
    wording = ann.locator(".permission bdi").first

    expect(wording).to_have_text("Send me the news.")
    assert wording.evaluate(LAST_LETTER) > 20


def test_not_you_begins_anew(ann, place):
    claim(ann, place, remember="yes")
    before = ann.context.cookies()
    go(ann, f"{place.url}/g/study")
    expect(ann.locator("body")).to_contain_text("a***@w***.example")
    ann.get_by_role("button", name="Not you?").click()

    expect(ann.locator("input[name=email]")).to_have_value("")
    after = ann.context.cookies()
    assert {one["value"] for one in before}.isdisjoint(one["value"] for one in after)
    go(ann, f"{place.url}/g/guide/done")
    expect(ann).to_have_url(f"{place.url}/g/guide")


def test_both_buttons_weigh_the_same(ann, place):
    go(ann, f"{place.url}/g/guide")
    looks = ann.locator("button[name=remember]").evaluate_all(
        "all => all.map(one => { const look = getComputedStyle(one); return"
        " [look.backgroundColor, look.color, look.fontSize, look.fontWeight, look.borderColor] })"
    )

    assert len(looks) == 2
    assert looks[0] == looks[1]
    expect(ann.locator("input[type=checkbox]")).not_to_be_checked()


# --- in somebody's page ---


def embedding(place, gate="guide"):
    """Return a page that embeds a gate by our script, and writes down what it is told."""
    return f"""<!doctype html><html lang="en"><head><title>Acme</title></head><body><main>
    <script>
      window.heard = []
      window.told = []
      addEventListener('message', one => heard.push([one.origin, one.data]))
      for (const name of ['asked', 'opened', 'refused', 'failed'])
        addEventListener('regportal:' + name, one => told.push([name, one.detail.gate]))
    </script>
    <h1>Acme</h1>
    <regportal-gate gate="{gate}" mode="frame">
    <a href="{place.url}/g/{gate}">Get the {gate}</a></regportal-gate>
    <script type="module" src="{place.url}/static/js/regportal.js"></script></main></body></html>"""


def framing(place, address):
    return f'<!doctype html><title>x</title><iframe src="{address}"></iframe>'


def test_a_page_of_ours_shows_the_gate_where_its_link_was(ann, place):
    place.pages[place.ours]["/"] = embedding(place)
    go(ann, f"{place.ours}/?utm_source=ad&email=eve@evil.example")
    gate = ann.frame_locator("regportal-gate iframe")
    gate.locator("input[name=email]").fill("fay@widgetworks.example")
    expect(ann.get_by_role("link", name="Get the guide")).to_be_hidden()
    assert ann.locator("regportal-gate iframe").evaluate(
        "frame => frame.clientHeight === frame.offsetHeight && frame.clientHeight > 200"
    )
    assert violations(ann) == []
    gate.locator(GO).last.click()
    gate.locator(FILE).wait_for()

    ann.wait_for_function("told.length === 2")
    assert ann.evaluate("told") == [["asked", "guide"], ["opened", "guide"]]


def test_a_frame_is_as_tall_as_its_page_and_no_word_more_is_said(ann, place):
    place.pages[place.ours]["/"] = embedding(place)
    go(ann, place.ours)
    frame = ann.locator("regportal-gate iframe")
    gate = ann.frame_locator("regportal-gate iframe")
    gate.locator("input[name=email]").fill("nobody")
    before = frame.bounding_box()["height"]
    gate.locator(GO).last.click()
    gate.locator("[data-rp=error]").wait_for()
    ann.wait_for_function("told.some(([name]) => name === 'refused')")
    ann.wait_for_function(
        "before => document.querySelector('regportal-gate').offsetHeight > before",
        arg=before,
    )
    heard = ann.evaluate("heard")

    assert {origin for origin, _ in heard} == {place.url}
    assert {tuple(sorted(data)) for _, data in heard} == {
        ("height", "type", "v"),
        ("known", "state", "type", "v"),
    }
    assert "nobody" not in str(heard)
    inside = gate.locator("html").evaluate("one => Math.ceil(one.getBoundingClientRect().height)")
    assert frame.bounding_box()["height"] == inside


def test_in_a_frame_too_the_focus_goes_to_the_first_bad_field(ann, place):
    place.pages[place.ours]["/"] = embedding(place)
    go(ann, place.ours)
    gate = ann.frame_locator("regportal-gate iframe")
    gate.locator(GO).last.click()
    gate.locator("[data-rp=error]").wait_for()

    expect(gate.locator("input[name=email]")).to_be_focused()


def test_the_frame_speaks_to_the_exact_origin_of_its_page(ann, place):
    place.pages[place.partner]["/"] = embedding(place)
    go(ann, place.partner)
    ann.frame_locator("regportal-gate iframe").locator(FORM).wait_for()
    gate = ann.locator("regportal-gate iframe").content_frame.locator("html")

    assert gate.get_attribute("data-parent") == place.partner


@pytest.mark.parametrize("parent", ["*", "null", "http://localhost", "https://evil.example"])
def test_no_made_up_parent_is_spoken_to(ann, place, parent):
    go(ann, f"{place.url}/g/guide?in=frame&host={parent}")

    assert ann.locator("html").get_attribute("data-parent") == place.ours


@pytest.mark.parametrize("host", ["", "&host={ours}", "&host={evil}", "&host=*"])
def test_a_page_of_nobody_cannot_frame_the_gate(new_context, place, host):
    watching = Watch()
    page = watching.over(new_context()).new_page()
    address = f"{place.url}/g/guide?in=frame" + host.format(ours=place.ours, evil=place.evil)
    place.pages[place.evil]["/"] = framing(place, address)
    go(page, place.evil)
    [inside] = page.main_frame.child_frames

    assert inside.locator(FORM).count() == 0
    assert inside.url.startswith("chrome-error:")
    assert any("frame-ancestors" in text for text in watching.complaints)


def test_a_page_of_nobody_cannot_frame_it_through_a_page_of_ours(new_context, place):
    page = new_context().new_page()
    place.pages[place.ours]["/"] = embedding(place)
    place.pages[place.evil]["/"] = framing(place, f"{place.ours}/")
    go(page, place.evil)
    [between] = page.main_frame.child_frames
    between.locator("regportal-gate iframe").wait_for(state="attached")
    page.wait_for_timeout(500)

    assert between.frame_locator("regportal-gate iframe").locator(FORM).count() == 0
    assert between.evaluate("heard") == []


@pytest.mark.parametrize("path", ["/m/nothing", "/nothing", "/healthz", "/g/guide"])
def test_nothing_but_a_gate_can_be_framed(new_context, place, path):
    page = new_context().new_page()
    place.pages[place.ours]["/"] = framing(place, f"{place.url}{path}")
    go(page, place.ours)
    [inside] = page.main_frame.child_frames

    assert inside.url.startswith("chrome-error:")


def test_where_the_portal_has_no_such_gate_the_link_stays(new_context, place):
    place.pages[place.ours]["/"] = embedding(place, "nothing")
    page = new_context().new_page()
    page.add_init_script(
        "customElements.whenDefined('regportal-gate').then(one => { one.patience = 300 })"
    )
    go(page, place.ours)
    page.wait_for_function("told.length > 0")

    assert page.evaluate("told") == [["failed", "nothing"]]
    expect(page.get_by_role("link", name="Get the nothing")).to_be_visible()


def test_without_its_script_the_link_leads_to_the_same_gate(new_context, watch, place):
    place.pages[place.ours]["/"] = embedding(place)
    page = watch.over(new_context(java_script_enabled=False)).new_page()
    go(page, place.ours)
    page.get_by_role("link", name="Get the guide").click()

    expect(page).to_have_url(f"{place.url}/g/guide")
    expect(page.locator(FORM)).to_be_visible()
