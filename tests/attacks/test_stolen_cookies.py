"""
A copied cookie, and a planted one.

Whoever copies a cookie (from a shared computer, a backup, a proxy's log) is, to most products, the
person for as long as the cookie lives. Whoever plants one of his own in another's browser waits
until its owner signs in, and is then signed in with her.

Here a token is new after every step, an old one that turns up again ends the whole family and tells
its owner by mail, a proof holds only in the kind of browser that gave it, and a token from before a
proof is worth no more than a claim.
"""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import request

from regportal.identity.models import Visitor, VisitorToken
from regportal.store.tokens import fresh_token
from regportal.tracking.hearing import hear, keep_all, sender_of
from regportal.tracking.models import Parcel
from regportal.tracking.telling import Events
from tests.portal import FIREFOX, ORIGIN
from tests.tracking.test_the_collector import choose, event

ANN = "ann@widgetworks.example"
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0 Safari/537.36"


@pytest.fixture
def clock():
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        yield clock


def cookie(browser):
    """Return the token a browser holds."""
    found = browser.client.get_cookie("rp_v") or browser.client.get_cookie("rp_s")
    return found.value


def with_cookie(portal, token, **headers):
    """Return a browser into which a token was copied."""
    thief = portal.browser(**headers)
    thief.client.set_cookie("rp_v", token)
    return thief


def prove(portal, ann):
    """Let Ann claim and prove her address; return the token from before the proof."""
    ann.claim(ANN)
    portal.work()
    before = cookie(ann)
    ann.prove(portal)
    portal.work()
    return before


def states(portal):
    """Return the state of every visitor that has not ended."""
    with portal.store.read() as session:
        living = sa.select(Visitor).where(Visitor.ended_at.is_(None))
        return [one.state.value for one in session.scalars(living)]


def test_an_old_token_ends_the_family_and_tells_its_owner(portal, clock):
    ann = portal.browser()
    old = prove(portal, ann)
    ann.gate("guide")
    portal.store.catch_up()
    clock.shift(timedelta(minutes=5))
    thief = with_cookie(portal, old)
    stolen = thief.gate("study")
    portal.work()

    assert stolen.asks_email
    assert ann.gate("study").asks_email
    assert states(portal) == []
    letter = portal.mails()[-1]
    assert (letter["To"], letter["X-Regportal-Kind"]) == (ANN, "alert")
    assert "signed one of your browsers out" in letter["Subject"]
    text = letter.get_body(("plain",)).get_content()
    assert "http://localhost:8000/me" in text
    assert "/m/" not in text


def test_the_alarm_is_raised_once(portal, clock):
    ann = portal.browser()
    old = prove(portal, ann)
    ann.gate("guide")
    portal.store.catch_up()
    clock.shift(timedelta(minutes=5))
    for _ in range(3):
        with_cookie(portal, old).gate("study")
        portal.work()
        clock.shift(timedelta(minutes=5))

    assert [one["X-Regportal-Kind"] for one in portal.mails()].count("alert") == 1


def test_no_letter_is_written_to_an_address_nobody_proved(portal, clock):
    ann = portal.browser()
    ann.gate("guide")
    old = cookie(ann)
    ann.claim(ANN)
    ann.gate("guide")
    portal.store.catch_up()
    clock.shift(timedelta(minutes=5))
    with_cookie(portal, old).gate("study")
    portal.work()

    assert states(portal) == []
    assert [one["X-Regportal-Kind"] for one in portal.mails()] == ["claim"]


def test_a_copied_cookie_proves_nothing_in_another_browser(portal, clock):
    ann = portal.browser()
    prove(portal, ann)
    ann.send("study", q_country="DE")
    thief = with_cookie(portal, cookie(ann), **{"User-Agent": CHROME})
    page = thief.get("/g/guide/done")
    portal.store.catch_up()

    assert 'data-rp="proven"' not in page.text
    assert states(portal) == ["claimed"]


def test_what_a_thief_posts_counts_as_a_claim_at_most(portal, clock):
    ann = portal.browser()
    prove(portal, ann)
    thief = with_cookie(portal, cookie(ann), **{"User-Agent": CHROME})
    page = thief.gate("study")
    thief.send("study", page, q_country="US")
    portal.work()

    assert "verified" not in states(portal)
    assert all(one["fields"] == {} for one in portal.news("contact.updated"))


def test_a_planted_cookie_is_not_proven_with_its_victim(portal, clock):
    eve = portal.browser()
    eve.gate("guide")
    planted = cookie(eve)
    ann = with_cookie(portal, planted)
    prove(portal, ann)
    eve.client.set_cookie("rp_s", planted)
    stolen = eve.get("/g/guide/done")

    assert 'data-rp="proven"' not in stolen.text
    assert "verified" in states(portal)  # Ann's own browser still is


def test_the_token_from_before_a_proof_cannot_act_for_whoever_gave_it(portal, clock):
    ann = portal.browser()
    old = prove(portal, ann)
    thief = with_cookie(portal, old)
    page = thief.gate("study")
    refused = thief.send("study", page, q_country="US", n_news="yes")
    portal.work()

    assert refused.status == 409
    assert portal.news("consent.changed") == []
    assert states(portal) == ["verified"]


def test_a_token_we_never_gave_is_never_adopted_by_a_proof(portal, clock):
    made_up = fresh_token()
    ann = with_cookie(portal, made_up)
    prove(portal, ann)

    assert cookie(ann) != made_up
    assert with_cookie(portal, made_up).get("/g/guide/done").text.count('data-rp="proven"') == 0


def heard_from(portal, agent, token):
    """Return what a browser with this cookie tells, before anybody looked up whose it is."""
    call = Events.model_validate({"events": [event()]})
    headers = {"User-Agent": agent, "Cookie": f"rp_v={token}"}
    with portal.app.test_request_context(base_url=ORIGIN, headers=headers):
        heard, _ = hear(call, sender_of(request), now=datetime.now(UTC))
    return heard


def test_a_copied_cookie_proves_nothing_beside_its_owners_call(portal, clock):
    """What several tell at the same moment is looked up at once; each still counts by itself."""
    ann = portal.browser()
    choose(ann)
    prove(portal, ann)
    heard = [heard_from(portal, agent, cookie(ann)) for agent in (CHROME, FIREFOX)]
    portal.store.write(lambda session: keep_all(session, heard))
    with portal.store.read() as session:
        proven = {one.agent: one.proven for one in session.scalars(sa.select(Parcel))}

    assert proven == {CHROME: False, FIREFOX: True}


def test_a_stolen_database_holds_no_token_that_works(portal, clock):
    ann = portal.browser()
    prove(portal, ann)
    with portal.store.read() as session:
        kept = [one.hash for one in session.scalars(sa.select(VisitorToken))]
    for one in kept:
        for spelled in (one.hex()[:43], one.hex(), one.decode("latin-1")):
            assert spelled != cookie(ann)
    assert cookie(ann).encode() not in kept


def test_a_file_that_goes_by_mail_is_not_handed_to_a_copied_cookie(portal, clock):
    """The page after the gate refuses it; so does the address of the bytes."""
    ann = portal.browser()
    ann.claim(ANN, "prices")
    portal.work()
    ann.prove(portal)
    portal.work()
    file = ann.get("/g/prices/done").download
    served = ann.get(file).status
    thief = with_cookie(portal, cookie(ann), **{"User-Agent": CHROME})

    assert thief.get("/g/prices/done").download is None
    assert thief.get(file).status == 303
    assert served == 200
