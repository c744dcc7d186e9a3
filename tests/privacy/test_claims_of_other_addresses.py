"""Somebody has two addresses: on her page she decides what was asked for with either."""

import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.consent.permission import may_mail
from regportal.forms.joining import join_people
from regportal.identity.actions import find_contact
from regportal.identity.models import Claim
from regportal.identity.rules import ADMINISTRATOR
from tests.privacy.people import PRESS, Person, link

WORK, HOME = "ann@example.com", "ann@home.example"


@pytest.fixture
def moved(portal):
    """Ann, who proved both addresses, and is written to at home since."""
    ann = Person(portal, WORK).arrives()
    own = ann.opens_her_page()
    ann.browser.post("/me/address", {**own.fields, "email": HOME})
    portal.work()
    ann.browser.post(link(portal, "/me/"), PRESS)
    portal.work()
    return ann


def joined(portal, other):
    """Let an administrator say that two addresses are one person's."""

    def work(session):
        published, now = portal.shelf.published(session), datetime.now(UTC)
        pair = find_contact(session, WORK), find_contact(session, other)
        join_people(session, published, *pair, because="one", by=ADMINISTRATOR, now=now)

    portal.store.write(work)
    portal.work()


def asked_with(portal, email, **fields):
    """Let somebody type an address at a gate; return the claim's id."""
    portal.browser().claim(email, "prices", n_prices="yes", **fields)
    portal.work()
    with portal.store.read() as session:
        return session.scalars(sa.select(Claim).order_by(Claim.opened_at.desc())).first().id


def press(portal, browser, claim, choice):
    """Press a button of the own page; return the answer and how the claim stands."""
    page = browser.get("/me")
    here = rf'<details(?:(?!<details).)*action="/me/claims/{claim}".*?</form>'
    shown = re.search(here, page.text, re.DOTALL)
    seen = re.search(r'name="seen" value="(\w+)"', shown[0])[1] if shown else ""
    fields = {**page.fields, "choice": choice, "seen": seen}
    answer = browser.post(f"/me/claims/{claim}", fields)
    portal.work()
    with portal.store.read() as session:
        kept = session.get(Claim, claim)
    return answer, kept.state.value, shown[0] if shown else ""


def gets(portal, email, newsletter="prices"):
    """Return whether a newsletter may be sent to an address."""
    with portal.store.read() as session:
        contact = find_contact(session, email)
        return may_mail(session, contact, newsletter, at=datetime.now(UTC)).allowed


@pytest.mark.parametrize(("choice", "state"), [("confirm", "confirmed"), ("deny", "rejected")])
@pytest.mark.parametrize("email", [WORK, HOME])
def test_each_address_whose_claims_are_shown_can_be_decided(portal, moved, email, choice, state):
    claim = asked_with(portal, email)
    answer, now, _ = press(portal, moved.browser, claim, choice)

    assert (answer.status, now) == (303, state)


def test_the_page_says_which_address_it_was(portal, moved):
    asked_with(portal, WORK)

    assert re.search(
        rf"<summary><bdi>All prices</bdi>.*{WORK}.*</summary>", moved.browser.get("/me").text
    )


def test_a_yes_begins_no_newsletter_to_a_mailbox_that_was_left(portal, moved):
    """Somebody else may read it by now: he asks for it by a letter of his own."""
    old, new = asked_with(portal, WORK), asked_with(portal, HOME)
    _, _, shown = press(portal, moved.browser, old, "confirm")
    press(portal, moved.browser, new, "confirm")

    assert "Price alerts" not in shown
    assert not gets(portal, WORK)
    assert gets(portal, HOME)
    Person(portal, WORK).browser.claim(WORK, "prices", n_prices="yes")
    portal.work()
    portal.browser().prove(portal)
    portal.work()
    assert gets(portal, WORK)


def test_the_mailbox_that_was_left_decides_nothing_of_the_new_one(portal, moved):
    claim = asked_with(portal, HOME)
    successor = portal.browser()
    successor.claim(WORK)
    portal.work()
    successor.prove(portal)
    portal.work()
    done = successor.get("/g/guide/done")
    for path in (f"/me/claims/{claim}", f"/g/guide/others/{claim}"):
        for choice in ("confirm", "deny"):
            successor.post(path, {**done.fields, "choice": choice})
    portal.work()

    with portal.store.read() as session:
        assert session.get(Claim, claim).state == "open"


def test_two_proven_addresses_that_were_joined_decide_for_each_other(portal):
    ann, home = Person(portal, WORK).arrives(), Person(portal, HOME).arrives()
    joined(portal, home.email)
    claim = asked_with(portal, HOME)
    ann.opens_her_page()
    answer, state, shown = press(portal, ann.browser, claim, "confirm")

    assert (answer.status, state) == (303, "confirmed")
    assert "Price alerts" in shown
    assert gets(portal, HOME)


def test_a_mailbox_nobody_proved_says_yes_itself_and_its_owner_may_say_no(portal):
    ann = Person(portal, WORK).arrives()
    told = {"opportunity": "1", "email": HOME, "role": "buyer"}
    portal.hook("opportunity.upserted", {"external_id": "1", "name": "Widgets"})
    portal.hook("contact_role.added", told)
    portal.work()
    joined(portal, HOME)
    claim = asked_with(portal, HOME)
    ann.opens_her_page()
    answer, state, shown = press(portal, ann.browser, claim, "confirm")
    assert (answer.status, state) == (404, "open")
    assert 'data-rp="confirm"' not in shown
    assert 'data-rp="deny"' in shown

    assert press(portal, ann.browser, claim, "deny")[1] == "rejected"
    with portal.store.read() as session:
        assert find_contact(session, HOME).assurance == "crm"


def test_a_strangers_claim_stays_out_of_reach(portal, moved):
    Person(portal, "bob@example.com").arrives()
    claim = asked_with(portal, "bob@example.com")
    answer, state, shown = press(portal, moved.browser, claim, "confirm")

    assert (answer.status, state, shown) == (404, "open", "")


def test_one_person_stays_signed_in_whichever_of_her_mails_is_opened(portal):
    ann, home = Person(portal, WORK).arrives(), Person(portal, HOME).arrives()
    joined(portal, home.email)
    asked_with(portal, HOME)
    page = ann.browser.get(portal.link())
    assert 'data-rp="stays"' not in page.text
    ann.browser.prove(portal)
    portal.work()

    assert "a***@h***.example" in ann.browser.get("/me").text


def test_a_left_mailbox_opened_in_her_browser_asks_whose_it_is(portal, moved):
    asked_with(portal, WORK)
    page = moved.browser.get(portal.link())

    assert 'data-rp="stays"' in page.text
    assert "a***@h***.example" in page.text
