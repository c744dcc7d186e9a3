"""Wherever a mail is owed the page says how many there can be, whether or not one was sent."""

import pytest

from tests.portal import SITE

SAYS = "We send at most three such mails a day."
ANN = "ann@widgetworks.example"


def test_it_is_said_where_the_file_comes_by_mail(portal):
    ann = portal.browser()
    ann.claim(ANN, "prices")

    assert SAYS in ann.get("/g/prices/done").text


def test_it_is_said_beside_the_file_while_the_address_is_unproven(portal):
    ann = portal.browser()
    ann.claim(ANN, "guide")
    page = ann.get("/g/guide/done")

    assert page.download
    assert page.text.count(SAYS) == 1


def test_it_is_said_to_a_browser_without_cookies(portal):
    ann = portal.browser()
    page = ann.gate("guide")
    ann.client.delete_cookie("rp_s", domain="localhost")
    answer = ann.send("guide", page, email=ANN)

    assert answer.status == 200
    assert SAYS in answer.text


def test_it_is_said_where_a_newsletter_waits(portal):
    ann = portal.browser()
    ann.claim(ANN, "prices")
    portal.work()
    ann.prove(portal)
    portal.work()
    before = ann.get("/g/prices/done").text
    ann.send("study", q_country="DE", n_news="yes")

    assert SAYS not in before
    assert SAYS in ann.get("/g/study/done").text


@pytest.mark.parametrize("gate", ["guide", "prices"])
def test_it_is_said_at_a_kiosk(portal, gate):
    portal.publish(SITE.replace("controller:", "kiosk: true\n  controller:"))

    assert SAYS in portal.browser().claim(ANN, gate).text
