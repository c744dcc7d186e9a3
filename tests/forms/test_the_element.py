"""`<regportal-gate>` in somebody's page: for everybody, under a strict policy, near and far."""

import re
import shutil
from contextlib import ExitStack

import pytest
from playwright.sync_api import expect

from tests.browsing import go, held_up
from tests.forms.test_in_a_browser import (
    EXTREMES,
    FILE,
    FORM,
    LAST_LETTER,
    TYPED,
    TYPES,
    Place,
    ann,
    check_looks,
    claim,
    known,
    page_of_somebody,
    site,
    violations,
    watch,
)
from tests.patience import until
from tests.portal import served
from tests.visiting import BY_A_PERSON

__all__ = ["ann", "known", "watch"]


POLICY = (
    "default-src 'none'; script-src 'self' {portal}; style-src 'self'; connect-src {portal}; "
    "frame-src {portal}; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
GATE = "regportal-gate"
EMAIL, ONCE = f"{GATE} input[name=email]", f"{GATE} button[value=no]"
LISTENING = """
window.told = []
window.broken = []
window.shifts = []
for (const name of ['asked', 'opened', 'refused', 'failed'])
  addEventListener('regportal:' + name, one => told.push([name, one.detail.gate]))
addEventListener('securitypolicyviolation', one => broken.push(one.violatedDirective))
new PerformanceObserver(list => { for (const one of list.getEntries()) shifts.push(one.value) })
  .observe({ type: 'layout-shift', buffered: true })
const own = new CSSStyleSheet()
own.replaceSync(`:root { color-scheme: light dark } body { margin: 1rem auto; max-width: 38rem }
  regportal-gate { display: block; min-height: 30rem; --rp-space: 30rem }`)
document.adoptedStyleSheets = [own]
"""


@pytest.fixture(scope="module")
def place(_sqlite_template, tmp_path_factory):
    """The portal, and pages of ours that are near it, far from it, and somebody else's."""
    folder = tmp_path_factory.mktemp("portal")
    shutil.copyfile(_sqlite_template, folder / "regportal.db")
    with ExitStack() as stack:
        (ours, one), (evil, two) = (stack.enter_context(page_of_somebody()) for _ in range(2))
        origins = [ours, ours.replace("localhost", "127.0.0.1")]
        headline = "headline: {en: A, de: Länder, ar: بلاد}"
        text = site(origins).replace("headline: About country", headline)
        serving = served(f"sqlite:///{folder}/regportal.db", folder, text)
        portal, url = stack.enter_context(serving)
        yield Place(url, portal, ours, ours, evil, {ours: one, evil: two})


def page_with(place, gate="guide", attributes=""):
    """Return a page with a gate, under the strictest policy it must live with."""
    policy = POLICY.format(portal=place.url)
    return f"""<!doctype html><html lang="en"><head><title>Acme</title>
    <meta http-equiv="Content-Security-Policy" content="{policy}">
    <meta name="viewport" content="width=device-width">
    <script type="module" src="{place.url}/static/js/regportal.js"></script></head><body><main>
    <h1>Acme</h1>
    <regportal-gate gate="{gate}" {attributes}>
    <a href="{place.url}/g/{gate}">Get the {gate}</a></regportal-gate>
    <p>What comes after it.</p></main></body></html>"""


def visit(page, place, gate="guide", attributes="", *, far=False):
    """Open a page of the site that has a gate."""
    page.add_init_script(LISTENING)
    place.pages[place.ours]["/"] = page_with(place, gate, attributes)
    go(page, place.ours.replace("localhost", "127.0.0.1") if far else place.ours)


def told(page):
    """Return the names of the events that the page was told."""
    return [name for name, _ in page.evaluate("told")]


def hear(page, name):
    """Wait until the page was told of something; a policy forbids Playwright to ask by itself."""
    heard = until(lambda: name in told(page), rest=lambda: page.wait_for_timeout(20))
    assert heard, told(page)


def in_gate(page, what):
    """Evaluate an expression of the element that has the focus, inside the gate."""
    root = "document.querySelector('regportal-gate').shadowRoot ?? document"
    return page.evaluate(f"(({root}).activeElement ?? document.body).{what}")


# --- near the portal ---


def test_a_gate_is_drawn_in_the_page_and_hands_over_the_file(ann, place):
    visit(ann, place)
    ann.locator(EMAIL).fill("una@widgetworks.example")
    check_looks(ann)
    with ann.expect_download() as file:
        ann.locator(ONCE).click()

    assert file.value.suggested_filename == "guide.txt"
    assert in_gate(ann, "localName") == "h2"
    expect(ann.get_by_role("heading", name="Here you are")).to_be_visible()
    expect(ann.locator(f"{GATE} {FILE}")).to_be_visible()
    outline = ann.locator(f"{GATE} h2").evaluate("one => getComputedStyle(one).outlineStyle")
    assert outline == "none"  # it has the focus so that it is read, not so that it is pressed
    expect(ann.get_by_role("link", name="Get the guide")).to_have_count(0)
    assert ann.locator("iframe").count() == 0
    assert ann.evaluate("told") == [["asked", "guide"], ["opened", "guide"]]
    assert ann.evaluate("broken") == []
    check_looks(ann)


@pytest.mark.parametrize("far", [False, True])
def test_a_banner_answered_before_the_gate_is_there_does_not_cost_the_form(guest, place, far):
    """Either brings the browser's token: with both at once the form would be somebody else's."""
    held, chosen = [], []

    def hold(route):
        if route.request.method == "GET" and not chosen:
            held.append(route)
        else:
            route.continue_()

    guest.add_init_script(BY_A_PERSON)
    guest.route("**/api/v1/gates/guide", hold)
    guest.on("request", lambda one: chosen.append(one.url) if one.url.endswith("choice") else None)
    visit(guest, place, attributes='mode="script"', far=far)
    assert until(lambda: held, rest=lambda: guest.wait_for_timeout(20))
    guest.evaluate("void (window.made = regportal.choose({ recognise: true, track: true }))")
    guest.wait_for_timeout(100)
    early = list(chosen)
    for one in held:
        one.continue_()
    guest.evaluate("window.made")
    guest.locator(EMAIL).fill("ida@widgetworks.example")
    with guest.expect_download():
        guest.locator(ONCE).click()

    assert (len(early), len(chosen)) == (0, 1)


def test_whoever_comes_back_answers_one_question_or_says_not_you(ann, place):
    visit(ann, place)
    ann.locator(EMAIL).fill("ulf@widgetworks.example")
    with ann.expect_download():
        ann.locator(ONCE).click()
    visit(ann, place, "study")
    expect(ann.locator('[data-rp="question"][data-question="country"]')).to_be_visible()
    expect(ann.locator("main")).to_contain_text("Welcome back.")
    check_looks(ann)
    ann.get_by_role("button", name="Not you?").click()
    expect(ann.locator(EMAIL)).to_be_visible()

    assert in_gate(ann, "localName") == "h2"


def test_two_gates_of_a_page_are_asked_of_one_visitor(ann, place):
    ann.add_init_script(LISTENING)
    two = page_with(place).replace("<p>", '<regportal-gate gate="study"></regportal-gate><p>')
    place.pages[place.ours]["/"] = two
    go(ann, place.ours)
    study = ann.locator(f"{GATE}[gate=study]")
    study.scroll_into_view_if_needed()
    study.locator("input[name=email]").wait_for()
    for gate in (ann.locator(f"{GATE}[gate=guide]"), study):
        gate.locator("input[name=email]").fill("ute@widgetworks.example")
        with ann.expect_download():
            gate.locator("button[value=no]").click()

    assert told(ann) == ["asked", "asked", "opened", "opened"]


def test_a_file_by_mail_is_on_its_way(ann, place):
    visit(ann, place, "prices")
    ann.locator(EMAIL).fill("uta@widgetworks.example")
    ann.locator(ONCE).click()
    expect(ann.locator(f"{GATE} [data-rp=mailed]")).to_be_visible()
    check_looks(ann)
    with ann.context.expect_page() as opened:
        ann.get_by_role("link", name=re.compile("get it")).click()

    expect(opened.value.locator("[data-rp=mailed]")).to_be_visible()
    assert told(ann) == ["asked", "opened"]


@pytest.mark.parametrize(("gate", "language"), [("guide", "en"), ("prices", "de")])
def test_the_code_of_the_mail_can_be_typed_from_where_it_was_asked_for(ann, place, gate, language):
    visit(ann, place, gate, f'lang="{language}"')
    ann.locator(EMAIL).fill("ugo@widgetworks.example")
    ann.locator(ONCE).click()
    says = {"en": "Type the code from the mail", "de": "Den Code aus der E-Mail eingeben"}
    with ann.context.expect_page() as opened:
        ann.get_by_role("link", name=says[language]).click()

    expect(opened.value.locator("form[data-rp=code] input[name=code]")).to_be_visible()
    assert opened.value.locator("html").get_attribute("lang") == language


def test_a_shell_kept_from_the_release_before_leaves_no_empty_link(ann, place):
    def before(route):
        told = route.fetch()
        shell = told.json()
        del shell["words"]["code"]
        route.fulfill(response=told, json=shell)

    ann.route("**/shell*", before)
    visit(ann, place, "prices")
    ann.locator(EMAIL).fill("ulla@widgetworks.example")
    ann.locator(ONCE).click()
    expect(ann.locator(f"{GATE} [data-rp=mailed]")).to_be_visible()

    expect(ann.locator(f"{GATE} [part=note] a")).to_have_text([re.compile("get it")])


@pytest.mark.parametrize("kind", TYPES)
def test_every_question_can_be_answered_in_the_page_by_everybody(
    new_context, watch, place, known, kind
):
    page = watch.over(new_context(storage_state=known)).new_page()
    if kind == "country":
        page.context.clear_cookies()
        claim(page, place)
    visit(page, place, f"ask-{kind}")
    page.locator(f'{GATE} [data-rp="question"][data-question="{kind}"]').wait_for()
    check_looks(page, EXTREMES)
    if kind in TYPED:
        page.locator(f"[name=q-{kind}]").fill(TYPED[kind])
    page.locator(f"{GATE} button[type=submit]").click()
    error = page.locator(f'[data-rp="error"][data-field="q-{kind}"]')
    expect(error).to_be_visible()

    assert in_gate(page, "name") == f"q-{kind}"
    described = page.locator(f"[aria-describedby~={error.get_attribute('id')}]")
    expect(described).to_have_count(1)
    assert told(page) == ["asked", "refused"]
    check_looks(page, EXTREMES)


def test_the_drawn_gate_works_by_keyboard_alone(ann, place):
    visit(ann, place)
    ann.locator(EMAIL).wait_for()
    reach(ann, "input[name=email]")
    ann.keyboard.type("nobody")
    ann.keyboard.press("Enter")
    ann.locator(f"{GATE} [data-rp=error]").wait_for()
    assert in_gate(ann, "name") == "email"
    ann.keyboard.press("End")
    ann.keyboard.type("@widgetworks.example")
    reach(ann, "input[name=n-news]")
    ann.keyboard.press("Space")
    reach(ann, "button[value=no]")
    with ann.expect_download():
        ann.keyboard.press("Enter")

    assert told(ann) == ["asked", "refused", "opened"]


@pytest.mark.parametrize("attributes", ["", "light"])
def test_whoever_presses_enter_chose_nothing_and_is_not_remembered(ann, place, attributes):
    visit(ann, place, "prices", attributes)
    ann.locator(EMAIL).fill("enid@widgetworks.example")
    with ann.expect_request(lambda one: one.method == "POST") as sent:
        ann.keyboard.press("Enter")
    expect(ann.locator("[data-rp=mailed]")).to_be_visible()

    assert sent.value.post_data_json["remember"] is False
    assert [one["expires"] for one in ann.context.cookies()] == [-1]


def test_remember_me_holds_beside_a_no_that_was_said_before(new_context, place):
    page = new_context().new_page()
    page.context.route("**/api/v1/choice", lambda route: route.abort())
    visit(page, place)
    page.evaluate("regportal.choose({ recognise: false, track: false })")
    page.locator(EMAIL).fill("ann@acme.example")
    page.locator(f"{GATE} button[value=yes]").click()
    hear(page, "opened")
    page.context.unroute("**/api/v1/choice")
    with page.expect_response("**/api/v1/choice") as said:
        page.reload()

    assert said.value.json() == {"recognise": True, "track": False}


def test_remember_me_holds_beside_a_no_that_is_still_on_its_way(new_context, place):
    page, held, sent = new_context().new_page(), [], []
    page.context.route("**/api/v1/choice", lambda route: held.append(route.continue_))
    page.on("request", lambda one: sent.append(one.url.rpartition("/")[2]))
    visit(page, place)
    page.locator(EMAIL).fill("ann@acme.example")
    page.evaluate("void regportal.choose({ recognise: false, track: false })")
    assert until(lambda: held, rest=lambda: page.wait_for_timeout(20))
    sent.clear()
    page.locator(f"{GATE} button[value=yes]").click()
    page.wait_for_timeout(100)
    early = list(sent)
    held.pop()()
    hear(page, "opened")

    assert early == []
    assert sent[0] == "guide?rp_ref="
    visit(page, place, "study")
    lasting = [one["name"] for one in page.context.cookies() if one["expires"] > 0]
    assert lasting == ["rp_v"]


def reach(page, selector):
    """Press Tab until this has the focus inside the gate."""
    for _ in range(15):
        if in_gate(page, f"matches('{selector}')"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by keyboard")


def test_nothing_moves_and_nothing_holds_up_the_page(new_context, place):
    longest = []
    for _ in range(3):  # what the gate costs, it costs each time; other work of the browser not
        ann = new_context().new_page()
        with held_up(ann) as tasks:
            visit(ann, place)
            ann.locator(EMAIL).wait_for()
            ann.wait_for_timeout(300)
            assert ann.evaluate("shifts") == []
            ann.locator(EMAIL).fill("udo@widgetworks.example")
            with ann.expect_download():
                ann.locator(ONCE).click()
            ann.wait_for_timeout(300)
        assert ann.evaluate("shifts") == []
        longest.append(max(tasks))

    assert min(longest) < 50, longest


def test_a_page_gives_it_its_own_look(ann, place):
    visit(ann, place)
    ann.locator(EMAIL).wait_for()
    ann.evaluate("""() => {
      const own = new CSSStyleSheet()
      own.replaceSync(`regportal-gate { --rp-accent: rgb(200, 0, 0) }
        regportal-gate::part(label) { text-transform: uppercase }`)
      document.adoptedStyleSheets.push(own)
    }""")
    button = ann.locator(ONCE).evaluate("one => getComputedStyle(one).backgroundColor")
    label = ann.locator(f"{GATE} label").first
    label = label.evaluate("one => getComputedStyle(one).textTransform")

    assert (button, label) == ("rgb(200, 0, 0)", "uppercase")


def test_without_a_word_of_the_page_it_has_the_portals_theme(ann, place):
    visit(ann, place)
    colour = ann.locator(ONCE).evaluate("one => getComputedStyle(one).backgroundColor")

    assert colour == "rgb(11, 92, 173)"


def test_a_light_gate_is_plain_html_that_the_page_styles(ann, place):
    visit(ann, place, attributes="light")
    form = ann.locator(f"{GATE} > div > {FORM}")
    form.wait_for()
    expect(form.locator("small")).to_have_text("Monthly. You can stop it at any time.")

    assert ann.evaluate("document.querySelector('regportal-gate').shadowRoot") is None
    assert ann.evaluate("document.querySelectorAll('regportal-gate [class], [style]').length") == 0
    assert violations(ann) == []
    ann.locator("input[name=email]").fill("nobody")
    form.locator("button[value=no]").click()
    error = ann.locator(f"{GATE} [data-rp=error][data-field=email]")
    expect(error).to_be_visible()
    assert violations(ann) == []
    ann.locator("input[name=email]").fill("ugo@widgetworks.example")
    with ann.expect_download():
        form.locator("button[value=no]").click()

    expect(ann.locator(FILE)).to_be_visible()
    assert ann.evaluate("broken") == []


def test_it_speaks_the_language_of_the_page(ann, place):
    visit(ann, place, "ask-country", 'lang="de"')
    ann.locator(EMAIL).wait_for()

    assert ann.locator(f"{GATE} [part=gate]").get_attribute("lang") == "de"
    expect(ann.get_by_role("heading", name="Länder")).to_be_visible()
    expect(ann.get_by_label("E-Mail")).to_be_visible()


def test_a_page_that_had_been_open_for_too_long_is_asked_anew(ann, place):
    visit(ann, place)
    ann.locator(EMAIL).fill("uwe@widgetworks.example")
    ann.context.clear_cookies()
    claim(ann.context.new_page(), place, email="eve@widgetworks.example")
    ann.locator(ONCE).click()
    expect(ann.get_by_role("status")).to_contain_text("open for too long")

    assert told(ann) == ["asked", "refused", "asked"]
    expect(ann.locator(f"{GATE} {FORM}")).to_be_visible()


@pytest.mark.parametrize("attributes", ["", "light"])
def test_asked_anew_nothing_is_typed_again_but_a_newsletter_is_agreed_to_anew(
    ann, place, attributes
):
    visit(ann, place, attributes=attributes)
    ann.locator(EMAIL).fill("uwe@widgetworks.example")
    ann.locator(f"{GATE} input[name=n-news]").check()
    ann.context.clear_cookies()
    allowed = {"recognise": True, "track": False}
    ann.context.request.post(
        f"{place.url}/api/v1/choice", data=allowed, headers={"Origin": place.ours}
    )
    ann.locator(ONCE).click()
    expect(ann.get_by_role("status")).to_contain_text("open for too long")

    expect(ann.locator(EMAIL)).to_have_value("uwe@widgetworks.example")
    expect(ann.locator(f"{GATE} input[name=n-news]")).not_to_be_checked()


@pytest.mark.parametrize(("gate", "attributes"), [("guide", ""), ("prices", "light")])
def test_not_you_is_there_after_the_file_and_after_the_mail_too(ann, place, gate, attributes):
    visit(ann, place, gate, attributes)
    ann.locator(EMAIL).fill("ursa@widgetworks.example")
    ann.locator(ONCE).click()
    ann.locator(f"{FILE}, [data-rp=mailed]").wait_for()
    ann.get_by_role("button", name="Not you?").click()

    expect(ann.locator(EMAIL)).to_have_value("")


@pytest.mark.parametrize("attributes", ["", "light"])
def test_a_text_in_another_language_keeps_its_full_stop_at_its_end(ann, place, attributes):
    visit(ann, place, attributes=f'lang="ar" {attributes}')
    box = ann.locator(f"{GATE} label:has(input[name=n-news])")
    box.wait_for()

    assert ann.locator(f"{GATE} > div, [part=gate]").first.get_attribute("dir") == "rtl"
    assert box.locator("bdi").first.evaluate(LAST_LETTER) > 20


# --- when it does not work ---


@pytest.mark.parametrize("attributes", ["", "light"])
def test_where_there_is_no_such_gate_the_link_stays(new_context, place, attributes):
    page = new_context().new_page()
    visit(page, place, "nothing", attributes)
    hear(page, "failed")

    expect(page.get_by_role("link", name="Get the nothing")).to_be_visible()


def test_what_was_typed_stays_where_the_portal_does_not_answer(new_context, place):
    page = new_context().new_page()
    visit(page, place)
    page.locator(EMAIL).fill("uma@widgetworks.example")
    page.route("**/api/v1/**", lambda route: route.abort())
    page.locator(ONCE).click()
    expect(page.get_by_role("status")).to_contain_text("did not work")
    link = page.get_by_role("status").get_by_role("link")

    assert link.get_attribute("href") == f"{place.url}/g/guide"
    expect(page.locator(EMAIL)).to_have_value("uma@widgetworks.example")
    assert violations(page) == []
    assert told(page) == ["asked", "failed"]
    page.unroute("**/api/v1/**")
    with page.expect_download():
        page.locator(ONCE).click()


def test_while_it_loads_its_link_can_be_followed(ann, place):
    ann.route("**/api/v1/**", lambda _: None)
    visit(ann, place)
    link = ann.get_by_role("link", name="Get the guide")
    link.click()

    expect(ann).to_have_url(f"{place.url}/g/guide")


def test_many_from_one_network_wait_for_a_calculation(new_context, place):
    page = new_context().new_page()
    asked = []

    def crowded(route):
        if route.request.method == "POST" and not asked:
            asked.append(route.request.post_data_json)
            goal = "2f6509a5292fb1550680b5558621165f7829b16d8d2b7bf82af3bbfd07fd0897"
            effort = {"salt": "x", "goal": goal, "most": 4000}
            route.fulfill(
                status=429,
                json={"status": 429, "effort": effort},
                headers={
                    "Access-Control-Allow-Origin": place.ours,
                    "Access-Control-Allow-Credentials": "true",
                },
            )
        else:
            asked.append(route.request.post_data_json)
            route.continue_()

    visit(page, place)
    page.locator(EMAIL).fill("ute@widgetworks.example")
    page.route(re.compile("/api/v1/gates/guide(\\?|$)"), crowded)
    with page.expect_download():
        page.locator(ONCE).click()

    assert [one.get("effort") for one in asked] == [None, "1234"]


# --- far from the portal ---


def test_a_page_of_another_site_shows_the_gate_in_a_frame(new_context, place):
    page = new_context().new_page()
    visit(page, place, far=True)

    expect(page.frame_locator(f"{GATE} iframe").locator(FORM)).to_be_visible()


def test_nothing_moves_when_the_frame_comes(new_context, place):
    page = new_context().new_page()
    visit(page, place, far=True)
    page.frame_locator(f"{GATE} iframe").locator(FORM).wait_for()
    page.wait_for_timeout(300)

    assert sum(page.evaluate("shifts")) < 0.1


def test_a_page_may_ask_for_the_frame(ann, place):
    visit(ann, place, attributes='mode="frame"')

    expect(ann.frame_locator(f"{GATE} iframe").locator(FORM)).to_be_visible()


def test_a_frame_is_named_by_its_link_whatever_stands_before_it(ann, place):
    before = "<p>What each widget costs, from the smallest to the largest.</p>"
    html = page_with(place, attributes='mode="frame"').replace("<a href", f"{before}<a href", 1)
    place.pages[place.ours]["/"] = html
    go(ann, place.ours)

    expect(ann.locator(f"{GATE} iframe")).to_have_attribute("title", "Get the guide")


def test_a_page_that_is_framed_itself_does_not_draw_it(new_context, place):
    page = new_context().new_page()
    page.add_init_script(LISTENING)
    place.pages[place.ours]["/"] = page_with(place)
    place.pages[place.evil]["/"] = f'<!doctype html><iframe src="{place.ours}"></iframe>'
    go(page, place.evil)
    [between] = page.main_frame.child_frames
    between.locator(f"{GATE} iframe").wait_for(state="attached")

    assert between.locator(f"{GATE} input").count() == 0


@pytest.mark.parametrize("far", [True, False])
def test_a_gate_that_is_not_published_is_given_up_at_once_and_named(guest, place, far):
    visit(guest, place, "nothing", far=far)
    hear(guest, "failed")

    expect(guest.get_by_role("link", name="Get the nothing")).to_be_visible()
    assert 'regportal: there is no published gate "nothing"' in guest.said


@pytest.mark.parametrize("key", ["", "Guide"])
def test_a_key_that_can_be_none_is_named_and_a_good_one_is_taken_whenever_it_comes(
    guest, place, key
):
    visit(guest, place, key)
    hear(guest, "failed")
    assert f'regportal: there is no published gate "{key}"' in guest.said
    guest.locator(GATE).evaluate("one => one.setAttribute('gate', 'guide')")

    expect(guest.locator(EMAIL)).to_be_visible()


def test_a_far_page_is_told_that_its_gate_cannot_be_light(guest, place):
    visit(guest, place, attributes="light", far=True)

    expect(guest.frame_locator(f"{GATE} iframe").locator(FORM)).to_be_visible()
    assert "regportal: guide cannot be light here, so it is shown in a frame" in guest.said


# --- far from the portal, with a token that the page's scripts hold ---


@pytest.fixture
def guest(new_context):
    """Somebody on a page far from the portal, and what its console says."""
    page = new_context().new_page()
    page.said = []
    page.on("console", lambda one: page.said.append(one.text))
    return page


def test_a_far_page_may_draw_a_gate_that_hands_over_at_once(guest, place):
    visit(guest, place, attributes='mode="script"', far=True)
    guest.locator(EMAIL).fill("zoe@widgetworks.example")
    with guest.expect_download() as file:
        guest.locator(ONCE).click()
    assert file.value.suggested_filename == "guide.txt"
    visit(guest, place, "study", 'mode="script"', far=True)

    expect(guest.locator("main")).to_contain_text("Welcome back.")
    assert guest.context.cookies() == []
    assert guest.evaluate("({ ...localStorage })") == {}
    assert guest.evaluate("broken") == []


def test_a_far_page_remembers_whoever_wants_it(guest, place):
    visit(guest, place, attributes='mode="script"', far=True)
    guest.locator(EMAIL).fill("zita@widgetworks.example")
    with guest.expect_download():
        guest.locator(f"{GATE} button[value=yes]").click()
    later = guest.context.new_page()
    visit(later, place, "study", 'mode="script"', far=True)

    expect(later.locator("main")).to_contain_text("Welcome back.")
    later.get_by_role("button", name="Not you?").click()
    expect(later.locator(EMAIL)).to_be_visible()


def test_a_far_page_shows_a_gate_by_mail_in_a_frame_and_says_why(guest, place):
    visit(guest, place, "prices", 'mode="script"', far=True)

    expect(guest.frame_locator(f"{GATE} iframe").locator(FORM)).to_be_visible()
    assert "regportal: prices gives its file by mail, so it is shown in a frame" in guest.said
