"""
Letting a CRM say that two people are one.

Sales people merge duplicates all day, and some of them are none: two colleagues of one name, an
assistant and her boss. Systems that take such a merge for the truth hand one of them everything the
other left: on the page where people see their data, in the export that the law asks for, in the
question a form no longer asks. Often nobody notices, because at the time of the merge one of the
two had never proven anything; he does so a year later, and finds himself to be somebody else.

What we do: a CRM's word lets two addresses count in the same opportunity, and nothing more. Seeing,
taking and erasing follow links that rest on a proof of both mailboxes or on an administrator, and
are decided whenever they are read. Once both have proven their addresses the link ends by itself.
"""

import pytest

from regportal.forms.joining import join_people
from regportal.identity.actions import find_contact
from regportal.identity.models import Contact
from regportal.identity.people import contacts_of
from regportal.identity.rules import ADMINISTRATOR
from tests.privacy.people import Person

COLLEAGUE = "zoe@example.com"
SECRETS = ("ann@example.com", "Germany", "A case study")


@pytest.fixture
def ann(portal):
    """Ann, who proved her address, answered, downloaded and takes a newsletter."""
    return Person(portal, "ann@example.com").arrives()


@pytest.fixture
def merged(portal, ann):
    """The CRM knows a colleague of Ann's, and takes her for Ann."""
    portal.hook("opportunity.upserted", {"external_id": "o-1", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "o-1", "email": COLLEAGUE})
    portal.hook("contact.merged", {"email": COLLEAGUE, "into": ann.email})
    portal.work()
    assert len(together(portal, COLLEAGUE)) == 2
    return Person(portal, COLLEAGUE)


def together(portal, email):
    """Return all addresses that count as one person's with this one."""
    with portal.store.read() as session:
        person = find_contact(session, email).person_id
        return {one.email for one in contacts_of(session, person)}


def test_the_page_of_whoever_was_merged_shows_nothing_of_the_other(portal, merged, ann):
    own = merged.opens_her_page()
    export = merged.browser.get("/me/export.json").text

    assert COLLEAGUE in own.text
    for secret in SECRETS:
        assert secret not in own.text
        assert secret not in export


def test_nor_does_the_page_of_whom_she_was_merged_into(portal, merged, ann):
    own = ann.opens_her_page()

    assert COLLEAGUE not in own.text
    assert COLLEAGUE not in ann.browser.get("/me/export.json").text


@pytest.mark.parametrize("turned", [False, True])
def test_two_who_both_prove_their_addresses_are_told_apart(portal, ann, turned):
    pair = {"email": COLLEAGUE, "into": ann.email}
    if turned:
        pair = {"email": ann.email, "into": COLLEAGUE}
    portal.hook("contact.merged", pair)
    portal.work()
    Person(portal, COLLEAGUE).arrives()

    assert together(portal, COLLEAGUE) == {COLLEAGUE}
    assert together(portal, ann.email) == {ann.email}
    assert len(portal.news("contact.split")) == 1


def test_before_the_worker_has_settled_the_proof_there_is_no_moment_either(portal, merged):
    merged.browser.claim(COLLEAGUE)
    portal.work()
    merged.browser.prove(portal)

    for _ in range(2):  # before the worker, and after it
        own = merged.browser.get("/me").text
        assert [secret for secret in SECRETS if secret in own] == []
        portal.work()


def test_a_gate_asks_her_what_only_the_other_one_answered(portal, merged):
    merged.browser.claim(COLLEAGUE)
    portal.work()
    merged.browser.prove(portal)
    before = merged.browser.gate("study").question
    portal.work()

    assert (before, merged.browser.gate("study").question) == ("country", "country")


def test_a_merge_after_somebody_only_came_to_look_opens_nothing(portal, ann):
    """Whoever opens the own page of an address somebody typed is known by that claim only."""
    portal.browser().claim(COLLEAGUE)
    portal.work()
    zoe = Person(portal, COLLEAGUE)
    zoe.opens_her_page()
    portal.hook("contact.merged", {"email": COLLEAGUE, "into": ann.email})
    portal.work()
    own = zoe.browser.get("/me")

    assert 'data-fresh="yes"' in own.text
    assert [secret for secret in SECRETS if secret in own.text] == []


def test_erasing_herself_does_not_erase_whom_a_crm_took_for_her(portal, merged, ann):
    own = ann.opens_her_page()
    ann.browser.post("/me/erase", {**own.fields, "choice": "erase"})
    portal.work()

    assert ann.key is None
    assert together(portal, COLLEAGUE) == {COLLEAGUE}


def test_erasing_whom_others_were_merged_into_leaves_each_a_person_of_their_own(portal, ann):
    for email in (ann.email, "third@example.com"):
        portal.hook("contact.merged", {"email": email, "into": COLLEAGUE})
    portal.work()
    zoe = Person(portal, COLLEAGUE)
    own = zoe.opens_her_page()
    zoe.browser.post("/me/erase", {**own.fields, "choice": "erase"})

    assert together(portal, ann.email) == {ann.email}
    assert together(portal, "third@example.com") == {"third@example.com"}


def test_signing_out_everywhere_leaves_the_other_one_alone(portal, merged, ann):
    own = merged.opens_her_page()
    merged.browser.post("/me/sign-out", {**own.fields, "choice": "everywhere"})

    assert 'data-rp="me"' not in merged.browser.get("/me").text
    assert 'data-rp="me"' in ann.browser.get("/me").text


def test_what_an_administrator_joins_does_not_take_along_what_a_crm_said(portal, merged, ann):
    """Ann is joined with her address at home; the colleague stays a CRM's guess for both."""
    home = Person(portal, "ann@home.example").arrives()

    def work(session):
        pair = [find_contact(session, one) for one in (home.email, ann.email)]
        published, now = portal.shelf.published(session), pair[0].first_seen
        join_people(session, published, *pair, because="her own", by=ADMINISTRATOR, now=now)

    portal.store.write(work)
    portal.work()
    own = home.opens_her_page()

    assert ann.email in own.text
    assert COLLEAGUE not in own.text
    assert COLLEAGUE in together(portal, home.email)
    assert SECRETS[0] not in merged.opens_her_page().text


def test_every_contact_has_a_person_that_is_there(portal, merged, ann):
    ann.browser.post("/me/erase", {**ann.opens_her_page().fields, "choice": "erase"})

    with portal.store.read() as session:
        everybody = session.query(Contact).all()
        assert {one.person_id for one in everybody} <= {one.id for one in everybody}
