"""What a page says to search engines, in a real browser, under the policy we name."""

import pytest
from playwright.sync_api import expect

from tests.attacks.test_an_abstract_that_ends_its_script import TEXTS, written
from tests.browsing import go
from tests.visiting import BY_A_PERSON

TEXT = " ".join(TEXTS)
READ = " ".join(TEXT.split())
FRAME = "regportal-gate iframe"
ABSTRACT = "[data-rp=abstract] p"
INCLUDED = '<!--# include virtual="/portal/g/guide/include" -->'
WATCH = """
window.wrong = []
window.alert = () => wrong.push('a script ran')
addEventListener('securitypolicyviolation', one => wrong.push(one.violatedDirective))
"""


@pytest.fixture(scope="module")
def place(place_in):
    """A site with the portal below a path of it, all of whose texts are hostile."""
    place = place_in("path")
    origins = f'site: {{origins: ["{place.www}"], '
    place.portal.publish(written(TEXT).replace("site: {", origins))
    return place


@pytest.fixture
def ann(new_context):
    """A browser nobody has used, that keeps what a policy stops and what ran."""
    context = new_context()
    context.add_init_script(BY_A_PERSON)
    context.add_init_script(WATCH)
    return context.new_page()


def told(page):
    """Return what a search engine is told by a page."""
    read = "() => JSON.parse(document.querySelector('script[type$=json]').textContent)"
    return page.evaluate(read)


@pytest.mark.parametrize("put_in", ["by hand", "by a server"])
def test_a_strict_policy_neither_stops_nor_reports_it_and_nothing_of_it_runs(ann, place, put_in):
    snippet = place.snippet("guide")
    by_hand = snippet.element + snippet.teaser
    said = []
    ann.on("console", lambda one: said.append(one) if one.type in {"error", "warning"} else None)
    go(ann, place.page("teaser", body=by_hand if put_in == "by hand" else INCLUDED))
    expect(ann.locator(f"regportal-gate {ABSTRACT}")).to_have_text(READ)

    assert told(ann)["name"] == TEXT
    assert told(ann)["description"] == READ
    assert ann.locator(told(ann)["hasPart"]["cssSelector"]).count() >= 1
    assert ann.evaluate("wrong") == []
    assert said == []


def test_the_same_policy_stops_and_reports_a_script(ann, place):
    go(ann, place.page("script", body="<script>alert(1)</script>"))

    assert ann.evaluate("wrong") == ["script-src-elem"]


@pytest.mark.parametrize("how", ["", " light", ' mode="frame"'])
def test_whoever_sees_the_gate_reads_the_abstract_before_and_after(ann, place, how):
    snippet = place.snippet("guide")
    element = snippet.element.replace("<regportal-gate", f"<regportal-gate{how}")
    go(ann, place.page("shown", body=element + snippet.teaser))
    gate = ann.frame_locator(FRAME) if "frame" in how else ann.locator("regportal-gate")
    expect(gate.locator(ABSTRACT)).to_have_text(READ)
    if how == " light":
        expect(ann.locator(f"form{told(ann)['hasPart']['cssSelector']}")).to_be_visible()
    gate.locator("input[name=email]").fill("ann@widgetworks.example")
    gate.locator("button[name=remember]").first.click()
    gate.locator("a[data-rp=download]").wait_for()

    expect(gate.locator(ABSTRACT)).to_have_text(READ)
