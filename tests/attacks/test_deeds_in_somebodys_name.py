"""
Putting deeds into somebody's name.

Scores and buying phases are made of what people do, and browsers tell what they do. On products
that take the word of a page for it, anybody can let a customer "look up prices" twenty times: by
naming her address in the call, by a number counted upwards, by sending her the attacker's cookie,
or by repeating a call of hers. Sales then ring her up, or a competitor learns what moves a
forecast.

What we do: a browser cannot say whose it is, only show a token, which nobody can guess; a token
that a site's scripts can read is never worth a proof; another site's page cannot tell at all; an
event counts once, whoever tells it; and what is not proven, or a machine's, moves nothing.
"""

import pytest
import sqlalchemy as sa

from regportal.tracking.models import Attributed, Interaction, Judged
from tests.tracking.test_the_collector import ANN, choose, event, tell

LOOKED = {"type": "price_lookup", "about": "widget-9", "category": "price"}


@pytest.fixture
def deal(portal):
    """An open opportunity in which Ann has a part."""
    portal.hook("opportunity.upserted", {"external_id": "D-1", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "D-1", "email": ANN, "role": "buyer"})
    portal.work()


@pytest.fixture
def eve(portal):
    browser = portal.browser()
    choose(browser)
    return browser


def named(portal):
    """Return the interactions that are anybody's."""
    with portal.store.read() as session:
        theirs = sa.select(Interaction).where(Interaction.contact_id.is_not(None))
        return session.scalars(theirs).all()


def test_naming_her_address_is_refused(portal, deal, eve):
    for name in ("contact", "email", "contact_id", "visitor"):
        _, answer = tell(eve, *(event(**LOOKED, **{name: ANN}) for _ in range(5)))
        assert answer["accepted"] == 0
    portal.work()

    assert named(portal) == []
    assert portal.news("phase.changed") == []


def test_claiming_her_address_moves_nothing(portal, deal, eve):
    eve.claim(ANN)
    tell(eve, *(event(**LOOKED) for _ in range(5)))
    portal.work()

    assert named(portal) == []
    assert portal.news("phase.changed") == []
    assert portal.news("interaction.recorded") == []


def test_no_makes_them_nobodys(portal, deal, eve):
    eve.claim(ANN)
    tell(eve, *(event(**LOOKED) for _ in range(5)))
    portal.work()
    portal.browser().post(portal.link(), {"choice": "deny"})
    portal.work()
    tell(eve, *(event(**LOOKED) for _ in range(5)))
    portal.work()

    assert named(portal) == []
    assert portal.news("phase.changed") == []


def test_a_call_of_hers_that_is_repeated_counts_once(portal, deal, eve):
    ann = portal.browser()
    choose(ann)
    ann.claim(ANN)
    portal.work()
    ann.prove(portal)
    looked = event(**LOOKED)
    tell(ann, looked)
    for browser in (ann, eve, portal.browser()):
        _, answer = tell(browser, *[looked] * 5)
        assert (answer["accepted"], answer["duplicate"]) == (0, 5)
    portal.work()

    assert [one.object for one in named(portal) if one.type == "price_lookup"] == ["widget-9"]


def test_an_id_that_was_taken_before_hers_does_not_make_her_deed_another(portal, deal, eve):
    """Who guessed an id could keep one event of hers from counting, and never change one."""
    ann = portal.browser()
    choose(ann)
    ann.claim(ANN)
    portal.work()
    ann.prove(portal)
    portal.work()
    hers = event(**LOOKED)
    tell(eve, {**hers, "object": "mine", "category": "contract"})
    _, answer = tell(ann, hers)
    portal.work()

    assert answer["duplicate"] == 1
    assert named(portal) == []
    told = [one["interaction"]["object"] for one in portal.news("interaction.recorded")]
    assert told == ["guide"]


@pytest.mark.parametrize("place", ["body", "header", "cookie"])
def test_a_made_up_token_is_nobodys(portal, deal, place):
    mallory, token = portal.browser(), "A" * 43
    headers = {"X-RP-Visitor": token} if place == "header" else {}
    if place == "cookie":
        mallory.client.set_cookie("rp_v", token, domain="localhost")
    more = {"visitor": token} if place == "body" else {}
    tell(mallory, event(**LOOKED), headers=headers, **more)
    portal.work()
    with portal.store.read() as session:
        (done,) = session.scalars(sa.select(Interaction)).all()

    assert (done.visitor_id, done.contact_id) == (None, None)
    assert (done.attribution, done.judged) == (Attributed.ANONYMOUS, Judged.PERSON)
