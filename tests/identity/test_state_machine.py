"""Every arrow between the states of a visitor (security.md 2.2), as it is met over HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
import sqlalchemy as sa
import time_machine

from regportal.identity.actions import find_contact
from regportal.identity.models import Claim, Contact, Visitor
from regportal.identity.recognising import recognise
from regportal.identity.rules import is_fresh
from regportal.identity.visitors import sign_out_everywhere
from tests.identity.test_codes import code_in, type_code

ANN, BOB = "ann@widgetworks.example", "bob@widgetworks.example"
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0 Safari/537.36"


def token_of(browser):
    """Return the token a browser holds."""
    for name in ("rp_v", "rp_s"):
        cookie = browser.client.get_cookie(name)
        if cookie is not None:
            return cookie.value
    return None


def state(portal, token):
    """Return the state of whoever holds a token now; None for nobody."""
    with portal.store.read() as session:
        visitor = recognise(session, token, now=datetime.now(UTC)).visitor
        return visitor and visitor.state.value


def begun(portal, ann, clock):
    """Bring a browser nowhere: it has only opened the page."""
    ann.gate("guide")


def claimed(portal, ann, clock):
    """Let it claim an address, and let the mail arrive."""
    ann.claim(ANN)
    portal.work()


def verified(portal, ann, clock):
    """Let it prove the address."""
    claimed(portal, ann, clock)
    ann.prove(portal)
    portal.work()


# --- what can happen ---


def types_an_address(portal, ann, clock):
    """Somebody types an e-mail on a gate."""
    ann.claim(ANN)


def presses_here(portal, ann, clock):
    """The button of the page opened from the mail is pressed in this browser."""
    ann.prove(portal)


def types_the_code(portal, ann, clock):
    """The code from the mail is typed in this browser."""
    assert type_code(ann, code_in(portal)).status == 303


def presses_elsewhere(portal, ann, clock):
    """The button is pressed in another browser."""
    portal.browser().prove(portal)


def says_no(portal, ann, clock):
    """The owner of the mailbox says: no, that was not me."""
    portal.browser().post(portal.link(), {"choice": "deny"})


def is_not_you(portal, ann, clock):
    """Not you?"""
    page = ann.get("/g/guide/done")
    ann.post("/g/guide/not-you", page.fields)


def idles(portal, ann, clock):
    """Nobody comes back for half a year."""
    clock.shift(timedelta(days=181))


def signs_out(portal, ann, clock):
    """She signs out everywhere."""
    with portal.store.read() as session:
        contact = find_contact(session, ANN)
    now = datetime.now(UTC)
    portal.store.write(lambda session: sign_out_everywhere(session, contact, now))


def moves_to_another_browser(portal, ann, clock):
    """Her cookie turns up in another kind of browser."""
    ann.headers["User-Agent"] = CHROME
    ann.gate("guide")
    portal.store.catch_up()


class Arrow(NamedTuple):
    begin: Callable
    happens: Callable
    mine: str | None
    """The state of this browser afterwards, by the token it holds."""
    old: str | None
    """And of whoever holds the token from before."""


ARROWS = [
    Arrow(begun, types_an_address, "claimed", "claimed"),  # the old one is good for a moment
    Arrow(claimed, presses_here, "verified", "verified"),
    Arrow(claimed, types_the_code, "verified", "verified"),
    Arrow(claimed, presses_elsewhere, "claimed", "claimed"),
    Arrow(claimed, says_no, "anonymous", "anonymous"),
    Arrow(claimed, is_not_you, None, None),
    Arrow(verified, is_not_you, None, None),
    Arrow(claimed, idles, None, None),
    Arrow(verified, idles, None, None),
    Arrow(verified, signs_out, None, None),
    Arrow(verified, moves_to_another_browser, "claimed", "claimed"),
]


@pytest.mark.parametrize(
    "arrow", ARROWS, ids=lambda arrow: f"{arrow.begin.__name__}-{arrow.happens.__name__}"
)
def test_every_arrow_leads_where_the_specification_says(portal, arrow):
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        ann = portal.browser()
        arrow.begin(portal, ann, clock)
        before = token_of(ann)
        arrow.happens(portal, ann, clock)
        portal.work()

        assert state(portal, token_of(ann)) == arrow.mine
        assert state(portal, before) == arrow.old


@pytest.mark.parametrize("happens", [presses_here, types_the_code, types_an_address])
def test_every_transition_gives_a_new_token(portal, happens):
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        ann = portal.browser()
        (begun if happens is types_an_address else claimed)(portal, ann, clock)
        before = token_of(ann)
        happens(portal, ann, clock)

        assert token_of(ann) != before


@pytest.mark.parametrize("begin", [claimed, verified])
def test_another_address_is_another_visitor_and_the_first_one_ends(portal, begin):
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        ann = portal.browser()
        begin(portal, ann, clock)
        before = token_of(ann)
        page = ann.get("/g/guide/done")
        ann.post("/g/guide/not-you", page.fields)
        ann.claim(BOB)

        assert state(portal, before) is None
        assert state(portal, token_of(ann)) == "claimed"
    with portal.store.read() as session:
        owners = {one.email: one.visitor_id for one in session.scalars(sa.select(Claim))}
    assert len(set(owners.values())) == 2


def test_a_browser_that_is_proven_is_fresh_for_a_quarter_of_an_hour(portal):
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        ann = portal.browser()
        verified(portal, ann, clock)
        with portal.store.read() as session:
            [visitor] = session.scalars(sa.select(Visitor))
        freshly = [
            is_fresh(visitor.verified_at, datetime.now(UTC) + timedelta(minutes=minutes))
            for minutes in (0, 14, 15)
        ]

        assert freshly == [True, True, False]


# --- stories ---


def test_two_people_at_one_browser_stay_two_people(portal):
    shared = portal.browser()
    for address, country in ((ANN, "DE"), (BOB, "US")):
        shared.claim(address)
        portal.work()
        shared.prove(portal)
        portal.work()
        shared.send("study", q_country=country)
        page = shared.get("/g/study/done")
        assert "w***.example" in page.text
        shared.post("/g/study/not-you", page.fields)
    portal.work()

    with portal.store.read() as session:
        contacts = session.scalars(sa.select(Contact).order_by(Contact.first_seen)).all()
    assert [one.email for one in contacts] == [ANN, BOB]
    assert {one.person_id for one in contacts} == {one.id for one in contacts}
    told = {one["contact"]["email"]: one["fields"] for one in portal.news("contact.updated")}
    assert {email: fields["country"]["value"] for email, fields in told.items()} == {
        ANN: "DE",
        BOB: "US",
    }
    assert shared.gate("guide").asks_email


def test_one_person_in_two_browsers_is_one_contact_that_both_know(portal):
    laptop, phone = portal.browser(), portal.browser()
    for browser in (laptop, phone):
        browser.claim(ANN)
        portal.work()
        browser.prove(portal)
        portal.work()
    laptop.send("study", q_country="DE")
    portal.work()

    assert phone.gate("study").question == "company"
    with portal.store.read() as session:
        assert len(session.scalars(sa.select(Contact)).all()) == 1


def test_whoever_sits_down_after_not_you_sees_nothing_of_before(portal):
    shared = portal.browser()
    shared.claim(ANN)
    file = shared.get("/g/guide/done").download
    shared.post("/g/guide/not-you", shared.get("/g/guide/done").fields)

    assert shared.gate("guide").asks_email
    assert "a***@" not in shared.gate("guide").text
    assert shared.get("/g/guide/done").status == 303
    assert shared.get(file).status == 303


def test_signing_out_everywhere_reaches_every_address_of_a_person(portal):
    from regportal.forms.joining import join_people
    from regportal.identity.rules import ADMINISTRATOR

    browsers = [portal.browser(), portal.browser()]
    for browser, address in zip(browsers, (ANN, BOB), strict=True):
        browser.claim(address)
        portal.work()
        browser.prove(portal)
        portal.work()
    now = datetime.now(UTC)

    def work(session):
        pair = find_contact(session, ANN), find_contact(session, BOB)
        published = portal.shelf.published(session)
        join_people(session, published, *pair, because="one", by=ADMINISTRATOR, now=now)
        return sign_out_everywhere(session, pair[0], now)

    assert portal.store.write(work) == 2
    assert [browser.gate("guide").asks_email for browser in browsers] == [True, True]
