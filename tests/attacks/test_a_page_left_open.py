"""
Adding to a request while its owner reads it.

The owner of an address opens the page of the mail and sees what somebody asked for. While it
lies open, whoever typed the address orders a newsletter and answers a question more. Where the
press on "yes" means whatever is there by then, he agrees to what he never saw. Here a yes is a
yes to what the page showed; otherwise it is shown once more.
"""

import re

import pytest
import sqlalchemy as sa

from regportal.consent.models import ConsentEvent
from regportal.identity.models import Claim

ANN = "ann@widgetworks.example"


@pytest.fixture
def page(portal):
    """The form on Ann's page, opened before Eve added to it."""
    eve, ann = portal.browser(), portal.browser()
    eve.claim(ANN)
    portal.work()
    opened = ann.get(portal.link())
    seen = re.search(r'name="seen" value="(\w+)"', opened.text)[1]
    eve.send("study", q_country="FR", n_news="yes")
    return ann, {"choice": "confirm", "seen": seen}


def states(portal):
    with portal.store.read() as session:
        lines = session.scalars(sa.select(ConsentEvent.state)).all()
        return session.scalars(sa.select(Claim.state)).one(), set(lines)


def test_a_yes_to_less_than_there_is_decides_nothing(portal, page):
    ann, fields = page
    answer = ann.post(portal.link(), fields)
    portal.work()

    assert answer.status == 409
    assert "Something was added meanwhile" in answer.text
    assert "Send me the news." in answer.text
    assert states(portal) == ("open", {"pending"})


def test_shown_once_more_it_can_be_answered(portal, page):
    ann, fields = page
    again = ann.post(portal.link(), fields)
    seen = re.search(r'name="seen" value="(\w+)"', again.text)[1]
    answer = ann.post(portal.link(), {"choice": "confirm", "seen": seen})
    portal.work()

    assert answer.status == 303
    assert states(portal) == ("confirmed", {"pending", "confirmed"})


def test_a_no_needs_no_second_look(portal, page):
    ann, fields = page
    answer = ann.post(portal.link(), {**fields, "choice": "deny"})
    portal.work()

    assert answer.status == 303
    assert states(portal) == ("rejected", {"pending", "refused"})
