"""Nothing is kept longer than we said."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.consent.ledger import broken_lines
from regportal.consent.models import ConsentEvidence, ConsentNetwork
from regportal.forms.models import Shown, Submission
from regportal.identity.models import Claim, Visitor
from regportal.inbox.models import Notice
from regportal.library.models import Grant
from regportal.mail.models import Letter
from regportal.outbox.models import Message
from regportal.privacy import unknown
from regportal.privacy.clocks import last_run, tidy
from regportal.tracking.models import Interaction, Touch, Visit
from tests.privacy.people import found_in


def night(portal, days):
    """Let the nightly job run after so many days; return what it did."""
    at = datetime.now(UTC) + timedelta(days=days)
    with time_machine.travel(at):
        portal.work()
        pepper = portal.settings.pepper_text
        did = tidy(portal.store, portal.shelf, pepper=pepper, now=at)
        portal.work()
    return did


def count(portal, model):
    """Return how many rows a table has."""
    with portal.store.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model))


def test_a_young_house_has_nothing_to_delete(portal, ann):
    assert night(portal, 0) == {}


def test_networks_go_after_thirty_days_and_the_ledger_stays_whole(portal, ann):
    before = count(portal, ConsentNetwork)
    night(portal, 31)

    assert (before, count(portal, ConsentNetwork)) == (3, 0)
    with portal.store.read() as session:
        assert list(broken_lines(session)) == []


def test_a_call_that_waits_in_vain_is_emptied_after_thirty_days(portal, ann):
    portal.hook("contact_role.added", {"opportunity": "o-1", "email": ann.email})
    portal.work()
    night(portal, 29)
    with portal.store.read() as session:
        (waits,) = session.scalars(sa.select(Notice.state))
    night(portal, 31)

    assert waits == "waiting"
    with portal.store.read() as session:
        notice = session.scalars(sa.select(Notice)).one()
    assert (notice.body, notice.state, notice.because) == (b"", "done", "emptied")


def test_messages_and_calls_go_after_thirty_days(portal, ann):
    portal.hook("contact_role.added", {"opportunity": "o-1", "email": ann.email})
    portal.hook("opportunity.upserted", {"external_id": "o-1", "name": "Widgets"})
    portal.work()
    night(portal, 31)

    assert count(portal, Message) == 0
    with portal.store.read() as session:
        assert {notice.body for notice in session.scalars(sa.select(Notice))} == {b""}


def test_letters_are_counted_for_forty_days(portal, ann):
    night(portal, 31)
    kept = count(portal, Letter)
    night(portal, 41)

    assert (kept, count(portal, Letter)) == (1, 0)


def test_a_claim_that_nobody_confirms_goes_with_all_that_was_done_under_it(portal, database_url):
    browser = portal.browser()
    browser.claim("typed-only@example.com")
    browser.send("study", q_country="DE")
    portal.work()
    night(portal, 91)
    night(portal, 92)

    for model in (Claim, Interaction, Visitor, Visit, Touch):
        assert count(portal, model) == 0
    assert found_in(database_url, ["typed-only"]) == []


def test_what_was_shown_to_nobody_we_know_goes_too(portal):
    portal.browser().gate("guide")
    portal.store.catch_up()
    left = []
    for days in (89, 91):
        night(portal, days)
        left.append(count(portal, Shown))

    assert left == [1, 0]


def test_of_a_stranger_who_still_comes_stays_what_he_did_lately(portal):
    browser = portal.browser()
    browser.claim("typed-only@example.com")
    portal.work()
    night(portal, 60)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=60)):
        browser.gate("guide")
        portal.store.catch_up()
    did = night(portal, 91)

    assert (did["claims"], did["submission"]) == (1, 1)
    assert [count(portal, model) for model in (Submission, Shown)] == [0, 1]


def test_a_night_takes_more_than_memory_may_hold(portal, monkeypatch):
    monkeypatch.setattr(unknown, "LISTED", 2)
    for _ in range(5):
        portal.browser().gate("guide")
    portal.store.catch_up()

    assert night(portal, 91)["shown"] == 5


def test_what_is_a_persons_stays_with_the_person(portal, ann):
    hers = (Claim, Interaction, Visitor, Visit, Submission, Grant)
    before = [count(portal, model) for model in hers]
    night(portal, 100)

    assert [count(portal, model) for model in hers] == before


def test_whoever_still_takes_a_newsletter_is_not_silent(portal, ann):
    night(portal, 800)

    assert ann.key is not None


@pytest.fixture
def stopped(ann):
    """Somebody who stopped her newsletter."""
    own = ann.opens_her_page()
    ann.browser.post("/me/newsletters", {**own.fields, "newsletter": "news", "choice": "stop"})
    return ann


def test_two_years_of_silence_are_an_erasure_that_is_told(portal, stopped):
    key = stopped.key
    night(portal, 700)
    assert stopped.key == key
    did = night(portal, 800)

    assert did["contacts"] == 1
    assert stopped.key is None
    assert key in {news["contact"]["key"] for news in portal.news("contact.erased")}


def test_an_open_opportunity_keeps_a_silent_person(portal, stopped):
    portal.hook("opportunity.upserted", {"external_id": "o-1", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "o-1", "email": stopped.email})
    portal.work()
    night(portal, 800)

    assert stopped.key is not None


def test_evidence_of_a_permission_goes_three_years_after_it_ended(portal, stopped):
    portal.hook("opportunity.upserted", {"external_id": "o-1", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "o-1", "email": stopped.email})
    portal.work()
    night(portal, 1000)
    kept = count(portal, ConsentEvidence)
    night(portal, 1100)

    assert kept > 0
    assert count(portal, ConsentEvidence) == 0


def test_it_is_noted_when_it_was_done(portal, ann):
    with portal.store.read() as session:
        assert last_run(session) is None
    did = night(portal, 31)

    assert did["network"] > 0
    with portal.store.read() as session:
        assert last_run(session).did == did
