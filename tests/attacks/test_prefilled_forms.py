"""
Reading what a form is prefilled with.

Forms that fill themselves from the profile behind a cookie show it to whoever sits at that
browser: a colleague, a guest, the next one at the kiosk; and whoever types an address gets that
person's profile first. Hiding the fields does not help, the values are in the page. Here no
gate holds a value that we know: not for a claimed visitor, and not for a proven one either.
"""

import pytest

ANN = "ann@widgetworks.example"
TOLD = {"q_country": "US", "q_company": "Widget Works of Leeds", "q_seats": "4711"}
PAGES = ("/g/guide", "/g/study", "/g/prices", "/g/must", "/g/guide/done", "/g/study/done")
KNOWN = ("Widget Works", "4711", "widgetworks", ANN)


@pytest.fixture
def ann(portal):
    """Ann, proven, who has told us much."""
    ann = portal.browser()
    ann.claim(ANN)
    portal.work()
    ann.prove(portal)
    portal.work()
    for gate in ("guide", "study", "must", "guide", "guide"):
        page = ann.gate(gate)
        answer = TOLD.get(f"q_{page.question}")
        if page.question and answer:
            ann.send(gate, page, **{f"q_{page.question}": answer})
            portal.work()
    return ann


def shown(browser):
    """Return everything the gates show to a browser."""
    return "".join(browser.get(path).text for path in PAGES)


def test_even_the_owner_is_shown_no_value_on_a_gate(ann):
    pages = shown(ann)

    assert not [value for value in KNOWN if value in pages]
    assert "a***@w***.example" in pages


def test_who_types_the_address_is_shown_nothing(portal, ann):
    eve = portal.browser()
    eve.claim(ANN)
    pages = shown(eve)

    assert not [value for value in KNOWN if value in pages]


def test_a_form_that_was_refused_shows_only_what_was_typed_into_it(portal, ann):
    eve = portal.browser()
    page = eve.send("guide", email="ann@", remember="yes")

    assert page.status == 422
    assert 'value="ann@"' in page.text
    assert not [value for value in KNOWN if value in page.text]
