"""What it means that two addresses are one person's, and that they no longer are."""

import pytest
import sqlalchemy as sa

from regportal.consent.actions import states_of, subject_of_contact
from regportal.errors import RegportalError
from regportal.forms.joining import join_people, split_people
from regportal.identity.actions import find_contact
from regportal.identity.models import Contact
from regportal.identity.rules import ADMINISTRATOR

ANN = "ann@widgetworks.example"
HOME = "ann@home.example"


@pytest.fixture
def two(portal):
    """Ann at work and Ann at home: two browsers, two proven addresses."""
    browsers = []
    for address, answer in ((ANN, "DE"), (HOME, "")):
        one = portal.browser()
        one.claim(address)
        portal.work()
        one.prove(portal)
        portal.work()
        if answer:
            one.send("study", q_country=answer)
        browsers.append(one)
    portal.work()
    return browsers


def decide(portal, verb, *emails, by=ADMINISTRATOR):
    """Join or split, as an administrator does; then let the worker work."""
    from datetime import UTC, datetime

    def work(session):
        found = [find_contact(session, email) for email in emails]
        published = portal.shelf.published(session)
        now = datetime.now(UTC)
        verb(session, published, *found, because="she told us", by=by, now=now)

    portal.store.write(work)
    portal.work()


def test_a_proven_person_is_not_asked_what_she_answered_under_another_address(portal, two):
    _, home = two
    before = home.gate("study").question
    decide(portal, join_people, ANN, HOME)
    joined = home.gate("study").question
    decide(portal, split_people, HOME)

    assert (before, joined, home.gate("study").question) == ("country", "company", "country")


def test_every_crm_is_told_who_is_one_person_and_when_no_longer(portal, two):
    decide(portal, join_people, ANN, HOME)
    [merged] = portal.news("contact.merged")
    decide(portal, split_people, HOME)
    [apart] = portal.news("contact.split")

    assert merged["contact"]["email"] == ANN
    assert [one["email"] for one in merged["joined"]] == [HOME]
    assert merged["fields"]["country"]["value"] == "DE"
    assert (apart["contact"], apart["joined"]) == (merged["contact"], merged["joined"])
    told = portal.news("contact.updated")[-1]
    assert (told["contact"]["email"], told["fields"]) == (HOME, {})


def test_joining_widens_no_permission(portal, two):
    at_work, _ = two
    at_work.send("prices", n_prices="yes")
    portal.work()
    decide(portal, join_people, HOME, ANN)

    with portal.store.read() as session:
        states = {
            one.email: {key: line.state.value for key, line in lines.items()}
            for one in session.scalars(sa.select(Contact))
            for lines in [states_of(session, subject_of_contact(one.id))]
        }
    assert states == {ANN: {"prices": "confirmed"}, HOME: {}}


def test_what_any_address_did_moves_the_opportunities_of_the_person(portal, two):
    for event, data in (
        ("opportunity.upserted", {"external_id": "006", "name": "500 widgets"}),
        ("contact_role.added", {"opportunity": "006", "email": ANN}),
    ):
        assert portal.hook(event, data).status_code == 202
    _, home = two
    home.send("prices")
    portal.work()
    before = [one["to"] for one in portal.news("phase.changed")]
    decide(portal, join_people, ANN, HOME)
    after = [one["to"] for one in portal.news("phase.changed")]

    assert "comparison" not in before
    assert after[-1] == "comparison"
    assert HOME in portal.news("phase.changed")[-1]["reason"]


def test_after_a_split_the_moves_stay_and_nothing_new_counts(portal, two):
    for event, data in (
        ("opportunity.upserted", {"external_id": "006", "name": "500 widgets"}),
        ("contact_role.added", {"opportunity": "006", "email": ANN}),
    ):
        portal.hook(event, data)
    decide(portal, join_people, ANN, HOME)
    moved = len(portal.news("phase.changed"))
    decide(portal, split_people, HOME)
    two[1].send("prices")
    portal.work()

    assert len(portal.news("phase.changed")) == moved


def test_a_crm_may_join_whom_it_brought_and_it_can_be_undone(portal, two):
    told = {"email": "a.smith@crm.example", "into": ANN}
    assert portal.hook("contact.merged", told).status_code == 202
    portal.work()
    [merged] = portal.news("contact.merged")
    decide(portal, split_people, "a.smith@crm.example")

    assert [one["email"] for one in merged["joined"]] == ["a.smith@crm.example"]
    assert len(portal.news("contact.split")) == 1


def test_a_crm_cannot_join_two_proven_people(portal, two):
    assert portal.hook("contact.merged", {"email": HOME, "into": ANN}).status_code == 202
    portal.work()

    assert portal.news("contact.merged") == []
    with portal.store.read() as session:
        from regportal.inbox.actions import list_notices

        [notice] = list_notices(session)
    assert notice["state"] == "unknown"
    assert "regportal contact join" in notice["reason"]


def test_a_refused_join_leaves_no_trace(portal, two):
    decide(portal, join_people, ANN, HOME)
    with pytest.raises(RegportalError):
        decide(portal, join_people, ANN, HOME)

    assert len(portal.news("contact.merged")) == 1
