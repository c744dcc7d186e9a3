"""
Reading a person by a mailbox she left.

People change jobs; their mailbox stays, and somebody else reads it: a successor, an administrator,
whoever bought the domain. A system that knows the person under both addresses sends its link to
whichever is typed, and the mailbox she left opens everything she did since.

What we do: whoever asked, with a proof of both mailboxes, to be written to elsewhere has left the
first one. It still decides what is sent to it. It opens no page of hers, exports and erases
nothing, tells a gate no more than a stranger's address does, and moves nobody on.
"""

import pytest

from regportal.identity.actions import find_contact
from regportal.identity.people import own_contacts
from tests.privacy.people import PRESS, Person, link

NEW = "ann@new.example"


@pytest.fixture
def ann(portal):
    """Ann, who proved her address, answered, downloaded and takes a newsletter."""
    return Person(portal, "ann@example.com").arrives()


@pytest.fixture
def moved(portal, ann):
    """Ann, who is written to elsewhere now; and somebody who reads her old mailbox."""
    moves(portal, ann, NEW)
    return Person(portal, ann.email)


def moves(portal, person, email):
    """Let somebody prove another address, and be written to there."""
    own = person.opens_her_page()
    person.browser.post("/me/address", {**own.fields, "email": email})
    portal.work()
    answer = person.browser.post(link(portal, "/me/"), PRESS)
    portal.work()
    return answer


def owned(portal, email):
    """Return all own addresses of whoever has this one, the main one first."""
    with portal.store.read() as session:
        return [one.email for one in own_contacts(session, find_contact(session, email))]


def test_the_link_to_the_old_mailbox_opens_what_is_sent_there_and_nothing_else(portal, moved):
    own = moved.opens_her_page()

    assert 'data-newsletter="news"' in own.text
    for secret in (NEW, "Germany", "A guide to widgets", "crm"):
        assert secret not in own.text
    for path in ("export.json", "export.csv", "receipt", "erase", "address", "answers/country"):
        assert moved.browser.get(f"/me/{path}").status == 303, path


def test_a_proof_at_a_gate_opens_no_more(portal, moved):
    moved.browser.claim(moved.email)
    portal.work()
    moved.browser.prove(portal)
    portal.work()

    assert NEW not in moved.browser.get("/me").text
    assert moved.browser.get("/me/export.json").status == 303
    assert moved.browser.gate("study").question == "country"


def test_the_old_mailbox_still_stops_what_is_sent_there(portal, moved):
    own = moved.opens_her_page()
    moved.browser.post("/me/newsletters", {**own.fields, "newsletter": "news", "choice": "stop"})
    portal.work()

    told = portal.news("consent.changed")[-1]
    assert (told["contact"]["email"], told["state"]) == (moved.email, "withdrawn")


def test_it_cannot_sign_her_out_erase_her_or_say_what_she_is_asked(portal, moved, ann):
    own = moved.opens_her_page()
    moved.browser.post("/me/erase", {**own.fields, "choice": "erase"})
    moved.browser.post("/me/never/company", {**own.fields, "choice": "never"})
    moved.browser.post("/me/sign-out", {**own.fields, "choice": "everywhere"})
    now = Person(portal, NEW)
    now.browser = ann.browser

    assert now.key is not None
    assert 'data-rp="me"' in ann.browser.get("/me").text
    assert now.browser.gate("work").question == "company"


def test_it_cannot_take_her_along_to_a_third_address(portal, moved):
    own = moved.opens_her_page()
    asked = moved.browser.post("/me/address", {**own.fields, "email": "eve@evil.example"})
    portal.work()

    assert asked.headers["Location"] == "/me"
    assert owned(portal, NEW) == [NEW, moved.email]


def test_the_new_address_opens_everything(portal, moved):
    own = Person(portal, NEW).opens_her_page()

    for known in (NEW, moved.email, "Germany", "A guide to widgets"):
        assert known in own.text


def test_whoever_moves_back_has_left_the_other_one(portal, moved, ann):
    now = Person(portal, NEW)
    now.browser = ann.browser
    moves(portal, now, ann.email)

    assert owned(portal, ann.email) == [ann.email, NEW]
    assert "Germany" in ann.opens_her_page().text
    assert "Germany" not in Person(portal, NEW).opens_her_page().text


def test_a_mailbox_that_somebody_else_left_cannot_be_taken_over(portal, moved):
    bob = Person(portal, "bob@example.com").arrives()
    answer = moves(portal, bob, moved.email)

    assert answer.status == 410
    assert owned(portal, NEW) == [NEW, moved.email]
    assert owned(portal, bob.email) == [bob.email]


def test_a_move_does_not_follow_what_a_crm_said_of_the_new_address(portal, ann):
    portal.hook("contact.merged", {"email": NEW, "into": "zoe@example.com"})
    portal.work()
    moves(portal, ann, NEW)
    zoe = Person(portal, "zoe@example.com").opens_her_page()

    assert owned(portal, NEW) == [NEW, ann.email]
    assert "Germany" not in zoe.text
    assert ann.email not in zoe.text
