"""Where companies put the portal: below a path of their site, beside it, or far from it."""

import re
import time
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from regportal.identity.models import Visitor
from regportal.tracking.actions import seen
from regportal.tracking.models import Interaction
from tests.browsing import go
from tests.visiting import BY_A_PERSON

FRAME = "regportal-gate iframe"
FILE = "a[data-rp=download]"
EXPECTED = "Failed to load resource: the server responded with a status of 4"


@pytest.fixture
def ann(new_context):
    """A browser nobody has used; nothing on any page may go wrong in it."""
    context = new_context()
    context.add_init_script(BY_A_PERSON)
    wrong = []
    context.on("weberror", lambda one: wrong.append(str(one.error)))
    context.on(
        "console", lambda one: wrong.append(one.text) if one.type in {"error", "warning"} else None
    )
    yield context.new_page()
    assert [one for one in wrong if not one.startswith(EXPECTED)] == []


def gate_in(page, place):
    """Return the gate of a page: in a frame where the portal is on another site, else drawn."""
    return page.frame_locator(FRAME) if "vendor" in place.url else page.locator("regportal-gate")


def give_address(page, place, email="ann@widgetworks.example", remember="yes"):
    """Give an address at the gate of a page, and wait for the file."""
    gate = gate_in(page, place)
    gate.locator("input[name=email]").fill(email)
    gate.locator(f"button[name=remember][value={remember}]").click()
    gate.locator(FILE).wait_for()
    return gate


def test_a_gate_hands_over_every_byte_and_knows_who_comes_back(ann, place):
    go(ann, place.page("guide"))
    with ann.expect_download() as started:
        give_address(ann, place)
    ann.goto("about:blank")
    go(ann, place.page("study", "study"))
    gate = gate_in(ann, place)

    assert started.value.path().read_bytes() == b"This is guide.txt.\n"
    expect(gate.locator("[data-question=country]")).to_be_visible()
    expect(gate.locator("input[name=email]")).to_have_count(0)
    expect(gate.locator("[data-rp=not-you]")).to_be_visible()
    check_cookie(ann, place)


def test_two_gates_of_a_page_are_asked_of_one_visitor(ann, place):
    ann.add_init_script(
        "window.told = []; for (const one of ['asked', 'refused', 'opened'])"
        " addEventListener(`regportal:${one}`, () => told.push(one))"
    )
    both = "".join(place.snippet(gate).element for gate in ("guide", "study"))
    go(ann, place.page("both", body=both))
    for nth in (1, 0):
        frames = ann.frame_locator(FRAME).nth(nth)
        gate = frames if "vendor" in place.url else ann.locator("regportal-gate").nth(nth)
        gate.locator("input[name=email]").fill("pam@widgetworks.example")
        gate.locator("button[name=remember][value=yes]").click()
        gate.locator(FILE).wait_for()

    assert ann.evaluate("told") == ["asked", "asked", "opened", "opened"]


def check_cookie(page, place):
    """It is bound to our host and, where we are a guest, to the site around us."""
    guest = "vendor" in place.url
    [one] = page.context.cookies()

    assert one["name"] == ("__Host-rp_p" if guest else "__Host-rp_v")
    assert (one["path"], one["secure"], one["httpOnly"]) == ("/", True, True)
    assert one["sameSite"] == ("None" if guest else "Lax")
    assert one.get("partitionKey") == ("https://acme.test" if guest else None)
    assert one["expires"] - time.time() > (29 if guest else 179) * 86400  # he said: remember me


def test_the_frame_is_as_tall_as_what_it_asks(ann, place):
    framed = place.snippet("guide").element.replace("<regportal-gate", "<regportal-gate mode=frame")
    go(ann, place.page("framed", body=framed))
    frame = ann.locator(FRAME)
    ann.frame_locator(FRAME).locator("input[name=email]").wait_for()
    ann.wait_for_function("document.querySelector('regportal-gate').clientHeight > 200")
    before = frame.bounding_box()["height"]
    ann.frame_locator(FRAME).locator("button[name=remember]").first.click()
    ann.frame_locator(FRAME).locator("[data-rp=error]").first.wait_for()
    ann.wait_for_function(
        "before => document.querySelector('regportal-gate').clientHeight > before", arg=before
    )


def test_the_mail_leads_back_to_the_portal_and_proves_the_browser(ann, place):
    go(ann, place.page("guide"))
    with ann.expect_download():
        give_address(ann, place, "mia@widgetworks.example")
    place.portal.work()
    mail = next(one for one in place.portal.mails() if one["To"] == "mia@widgetworks.example")
    text = mail.get_body(("plain",)).get_content()
    link = re.search(rf"^({re.escape(place.url)}/m/\S+)\r?$", text, re.MULTILINE)[1]
    go(ann, link)
    ann.locator("button[data-rp=confirm]").click()
    ann.locator(FILE).wait_for()

    assert ann.url == f"{place.url}/g/guide/done"


def test_what_is_recorded_arrives(ann, place):
    go(ann, place.page("guide"))
    ann.wait_for_function("window.regportal?.choose !== undefined")
    with ann.expect_response("**/api/v1/interactions") as told:
        ann.evaluate("regportal.choose({ recognise: true, track: true })")

    assert told.value.status == 202
    assert told.value.json() == {"accepted": 1, "duplicate": 0, "refused": []}


def told_of(place):
    """Return what the portal has been told of by pages, oldest first: type, and whose it is now."""
    place.portal.work()
    with place.portal.store.read() as session:
        ids = session.scalars(
            sa.select(Interaction.id)
            .where(Interaction.type != "download")
            .order_by(Interaction.occurred_at)
        ).all()
        return [(one.type, one.attribution.value) for one in (seen(session, id) for id in ids)]


def allow(page):
    """Let a banner hand over a yes, and wait until the page's view has been told."""
    page.wait_for_function("window.regportal?.choose !== undefined")
    with page.expect_response("**/api/v1/interactions"):
        page.evaluate("regportal.choose({ recognise: true, track: true })")


def say(page, query):
    """Let the recorder tell of a search, and wait until it is told."""
    with page.expect_response("**/api/v1/interactions"):
        page.evaluate("query => regportal.record('search', { properties: { query } })", query)


@contextmanager
def vouched(page):
    """Wait until the frame has given the portal what the page said of its recorder."""
    with page.expect_response("**/handover/vouch?in=frame") as answer:
        yield
    assert answer.value.status == 200


@pytest.mark.parametrize("first", ["recorder", "frame"])
def test_the_recorder_of_a_page_and_the_frame_in_it_are_one_visitor(ann, place_in, first):
    place = place_in("other site")
    go(ann, place.page("guide"))
    if first == "recorder":
        allow(ann)
        with vouched(ann):
            gate = give_address(ann, place)
    else:
        gate = give_address(ann, place)
        with vouched(ann):
            allow(ann)
    say(ann, "bolts")
    before = told_of(place)
    text = place.portal.mails()[-1].get_body(("plain",)).get_content()
    gate.locator("input[name=code]").fill(re.search(r"^(\d{6})\r?$", text, re.MULTILINE)[1])
    with vouched(ann):
        gate.locator("form[data-rp=code] button").click()
    after = told_of(place)
    ann.goto("about:blank")
    with vouched(ann):
        go(ann, place.page("study", "study"))

    assert before[-1] == ("search", "claimed")
    assert after == [("page_view", "verified"), ("search", "verified")]
    keeps = ann.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage })")
    assert "ann@" not in keeps
    assert ann.evaluate("document.cookie") == ""


def test_no_window_but_the_page_around_names_its_recorder_to_the_frame(ann, place_in):
    """Not even one of the same site: the frame hears whom it is in, and nobody else."""
    place = place_in("other site")
    go(ann, place.page("guide"))
    with ann.expect_download():
        give_address(ann, place)
    asked = []
    ann.context.on("request", lambda one: asked.append(one.url) if "/vouch" in one.url else None)
    ann.evaluate("""window.inside = document.querySelector('regportal-gate').shadowRoot
      .querySelector('iframe').contentWindow""")
    says = f"postMessage({{ v: 1, type: 'handover', handover: '{'A' * 70}' }}, '*')"
    with ann.expect_popup() as other:
        ann.evaluate("void window.open('about:blank')")
    other.value.evaluate(f"opener.inside.{says}")
    ann.wait_for_timeout(500)
    from_elsewhere = len(asked)
    with vouched(ann):  # but what it was told was made by nobody
        ann.evaluate(f"inside.{says}")

    assert from_elsewhere == 0
    with place.portal.store.read() as session:
        speaking = sa.select(Visitor.id).where(Visitor.speaks_for.is_not(None))
        assert session.scalars(speaking).all() == []


@pytest.mark.parametrize("lasting", [True, False])
def test_a_browser_that_keeps_no_cookie_in_a_frame_is_known_again_by_what_the_frame_keeps(
    ann, place_in, lasting
):
    """
    As WebKit: its frames on other sites have a storage of their own, and no cookies.

    On a sub-domain, for the Chromium that tests steer forbids the storage on other sites.
    """
    place = place_in("sub-domain", "proxy_hide_header Set-Cookie;")
    guide, study = (
        place.page(key, body=place.snippet(key).element.replace(" ", ' mode="frame" ', 1))
        for key in ("guide", "study")
    )
    gate = ann.frame_locator(FRAME)
    go(ann, guide)
    gate.locator("input[name=email]").fill("ann@widgetworks.example")
    with ann.expect_download() as started:
        gate.locator(f"button[name=remember][value={'yes' if lasting else 'no'}]").click()
    go(ann, study)

    assert started.value.path().read_bytes() == b"This is guide.txt.\n"
    expect(gate.locator("[data-question=country]")).to_be_visible()
    gate.locator("select").select_option("GB")
    gate.get_by_role("button", name="Get it now").click()
    gate.locator(FILE).wait_for()
    assert ann.context.cookies() == []
    keeps = ann.frames[1].evaluate("[localStorage.length, sessionStorage.length]")
    assert keeps == ([1, 1] if lasting else [0, 1])
    assert ann.evaluate("localStorage.length + sessionStorage.length") == 0
    go(ann, guide)
    gate.locator("button[data-rp=not-you]").click()
    expect(gate.locator("input[name=email]")).to_be_visible()
