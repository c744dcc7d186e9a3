"""A gate in a frame on a slow line: it says that the form is on its way, and sends it once."""

import pytest
from playwright.sync_api import expect

from tests.browsing import go
from tests.patience import until
from tests.visiting import BY_A_PERSON

FRAME = "regportal-gate iframe"
WAIT = "[data-says]"
LONG = 10_000


@pytest.fixture(scope="module")
def place(place_in):
    """A site with the portal on another one, so that its gates are in frames."""
    return place_in("other site")


@pytest.fixture
def page(new_context, place):
    """A page with a gate, whose answers are kept back until the test lets them go."""
    context = new_context()
    context.add_init_script(BY_A_PERSON)
    page = context.new_page()
    page.sent = []

    def keep(route):
        if route.request.method == "POST":
            page.sent.append(route)
        else:
            route.continue_()

    context.route(f"{place.url}/g/**", keep)
    go(page, place.page("guide"))
    return page


def press(page, value="no", **how):
    """Press a button of the gate; nothing comes of it yet."""
    button = page.frame_locator(FRAME).locator(f"button[name=remember][value={value}]")
    button.click(no_wait_after=True, **how)


def arrived(page, many):
    """Return whether so many forms came to the portal."""

    def rest():
        page.wait_for_timeout(20)

    return until(lambda: len(page.sent) == many, rest=rest)


def test_the_frame_says_that_it_is_on_its_way_and_a_second_press_sends_nothing(page):
    gate = page.frame_locator(FRAME)
    gate.locator("input[name=email]").fill("ann@widgetworks.example")
    expect(gate.locator(WAIT)).to_have_text("")
    tall = page.locator(FRAME).bounding_box()["height"]
    press(page)
    assert arrived(page, 1)
    expect(gate.get_by_role("status").filter(has_text="One moment…")).to_have_count(1)
    expect(gate.locator("form[data-rp=gate]")).to_have_attribute("aria-busy", "true")
    for button in gate.locator("button").all():
        expect(button).to_have_attribute("aria-disabled", "true")
        expect(button).to_have_css("opacity", "0.55")
    press(page, force=True)
    press(page, "yes", force=True)
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)

    assert len(page.sent) == 1
    assert page.locator(FRAME).bounding_box()["height"] == tall
    page.sent[0].continue_()
    expect(gate.locator("a[data-rp=download]")).to_be_visible()
    expect(gate.locator(WAIT)).to_have_text("")
    expect(gate.locator("[aria-busy=true], [aria-disabled=true]")).to_have_count(0)


def test_an_error_comes_back_with_buttons_that_can_be_pressed(page):
    gate = page.frame_locator(FRAME)
    press(page)
    assert arrived(page, 1)
    page.sent[0].continue_()
    expect(gate.locator("[data-rp=error]").first).to_be_visible()

    expect(gate.locator("[aria-busy=true], [aria-disabled=true]")).to_have_count(0)


def test_without_an_answer_it_can_be_sent_again(page):
    page.clock.install()
    page.reload()
    gate = page.frame_locator(FRAME)
    gate.locator("input[name=email]").fill("ann@widgetworks.example")
    press(page)
    assert arrived(page, 1)
    page.sent[0].fulfill(status=204)
    expect(gate.locator(WAIT)).to_have_text("One moment…")
    page.clock.fast_forward(LONG)
    expect(gate.locator(WAIT)).to_have_text("")
    press(page)
    assert arrived(page, 2)
    page.sent[1].continue_()

    expect(gate.locator("a[data-rp=download]")).to_be_visible()
