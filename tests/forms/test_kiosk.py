"""A gate on a device that passers-by share: nobody is known, and nothing of anybody stays."""

import re

import pytest
import sqlalchemy as sa

from regportal.identity.models import Claim, Contact, Visitor
from tests.portal import SITE

ANN, BOB = "ann@widgetworks.example", "bob@gearbox.example"
KIOSK = SITE.replace("controller:", "kiosk: true\n  controller:")
ONE_GATE = SITE.replace("headline: The guide,", "headline: The guide, kiosk: true,")


@pytest.fixture
def kiosk(portal):
    """The device."""
    portal.publish(KIOSK)
    return portal.browser()


def rows(portal, kind):
    """Return every row of a kind."""
    with portal.store.read() as session:
        return session.scalars(sa.select(kind).order_by(kind.id)).all()


def test_no_cookie_is_ever_set_at_a_kiosk(portal, kiosk):
    page = kiosk.gate("guide")
    answers = [page, kiosk.send("guide", page, email=ANN), kiosk.get("/g/guide/done")]

    assert [one.status for one in answers] == [200, 200, 303]
    assert all("Set-Cookie" not in one.headers for one in answers)


def test_no_cookie_is_read_at_a_kiosk(portal):
    ann = portal.browser()
    ann.claim(ANN)
    portal.work()
    ann.prove(portal)
    portal.publish(KIOSK)
    page = ann.gate("study")

    assert page.asks_email
    assert "Welcome back" not in page.text
    assert "not-you" not in page.text


def test_a_kiosk_shows_the_masked_address_and_the_way_for_the_next_one(portal, kiosk):
    page = kiosk.claim(ANN)

    assert "a***@w***.example" in page.text
    assert ANN not in page.text
    assert 'data-rp="next-visitor"' in page.text
    assert page.headers["Refresh"] == "15; url=/g/guide"
    assert page.download is None
    for offered in ('data-rp="code"', "Not you?", 'name="email"'):
        assert offered not in page.text


def test_a_kiosk_does_not_ask_to_be_remembered_whatever_is_sent(portal, kiosk):
    page = kiosk.gate("guide")
    kiosk.send("guide", page, email=ANN, remember="yes")

    assert "remember me" not in page.text
    assert [one.remembered for one in rows(portal, Visitor)] == [False]


def test_the_browser_is_told_not_to_keep_what_is_typed(portal, kiosk):
    [field] = re.findall(r'<input[^>]*name="email"[^>]*>', kiosk.gate("guide").text)

    assert 'autocomplete="off"' in field


def test_the_file_goes_by_mail_and_opens_in_a_browser_of_ones_own(portal, kiosk):
    kiosk.claim(ANN)
    portal.work()
    [mail] = portal.mails()
    assert not re.search(r"^\d{6}\r?$", mail.get_body(("plain",)).get_content(), re.MULTILINE)
    phone = portal.browser()
    phone.prove(portal)
    portal.work()

    assert phone.get("/g/guide/done").download
    [contact] = rows(portal, Contact)
    assert contact.email == ANN
    assert [one["interaction"]["object"] for one in portal.news("interaction.recorded")] == [
        "guide"
    ]


def test_the_visitor_ends_with_the_form(portal, kiosk):
    kiosk.claim(ANN)

    [visitor] = rows(portal, Visitor)
    assert visitor.ended_at is not None
    assert kiosk.gate("study").asks_email


def test_two_people_at_one_kiosk_are_never_connected(portal, kiosk):
    for address in (ANN, BOB):
        kiosk.claim(address)
    portal.work()
    owners = [portal.browser(), portal.browser()]
    for number, owner in enumerate(owners):
        owner.prove(portal, number)
    portal.work()

    claims = rows(portal, Claim)
    assert len({one.visitor_id for one in claims}) == 2
    assert len({one.person_id for one in rows(portal, Contact)}) == 2
    for contact in portal.news("contact.identified"):
        assert len(contact["claims"]) == 1


def test_the_same_form_sent_twice_at_a_kiosk_is_one_claim(portal, kiosk):
    page = kiosk.gate("guide")
    first = kiosk.send("guide", page, email=ANN)
    second = kiosk.send("guide", page, email=ANN)

    assert (first.status, second.status) == (200, 200)
    assert "a***@w***.example" in second.text
    assert len(rows(portal, Claim)) == 1


def test_going_back_to_the_form_of_the_one_before_does_not_speak_for_him(portal, kiosk):
    page = kiosk.gate("guide")
    kiosk.send("guide", page, email=ANN)
    refused = kiosk.send("guide", page, email=BOB)

    assert refused.status == 409
    assert "a***@" not in refused.text
    assert BOB not in refused.text
    assert [one.email for one in rows(portal, Claim)] == [ANN]


def test_a_single_gate_may_stand_at_a_kiosk(portal):
    portal.publish(ONE_GATE)
    browser = portal.browser()
    browser.claim(ANN, "study")
    page = browser.gate("guide")

    assert page.asks_email
    assert browser.send("guide", page, email=BOB).status == 200
    assert not browser.gate("study").asks_email


def test_a_single_gate_may_stand_elsewhere(portal):
    portal.publish(KIOSK.replace("headline: The guide,", "headline: The guide, kiosk: false,"))
    browser = portal.browser()

    assert browser.claim(ANN).status == 303
    assert browser.get("/g/guide/done").download


def test_a_bad_address_at_a_kiosk_is_said_beside_the_field(portal, kiosk):
    page = kiosk.claim("ann at widgetworks")

    assert page.status == 422
    assert page.errors == ["email"]
