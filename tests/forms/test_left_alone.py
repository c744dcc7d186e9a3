"""Whoever said "that was not me" is left alone for 90 days, whatever is deleted meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.consent.actions import states_of, subject_of_contact
from regportal.consent.models import Refusal
from regportal.identity.actions import find_contact
from regportal.identity.models import Claim
from regportal.privacy.clocks import tidy
from regportal.privacy.erasing import ADMINISTRATOR, erase
from regportal.privacy.whom import find_whom
from tests.portal import SITE
from tests.privacy.people import found_in

ANN = "ann@widgetworks.example"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SHORT = SITE.replace("origins:", "keep: {claims: 7d}\n  origins:")


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as standing:
        yield standing


@pytest.fixture
def refused(portal, clock):
    """Somebody asked in Ann's name, and she said that it was not her."""
    portal.publish(SHORT)
    portal.browser().claim(ANN, n_news="yes")
    portal.work()
    portal.browser().post(portal.link(), {"choice": "deny"})
    portal.work()
    return portal


def night(portal):
    tidy(portal.store, portal.shelf, pepper=portal.settings.pepper_text, now=datetime.now(UTC))


def forget(portal):
    def work(session):
        whom = find_whom(session, ANN)
        published = portal.shelf.published(session)
        erase(
            session,
            published,
            whom,
            pepper=portal.settings.pepper_text,
            by=ADMINISTRATOR,
            now=datetime.now(UTC),
        )

    portal.store.write(work)
    portal.store.sweep()


def asks_again(portal):
    """Let somebody ask once more, and Ann say yes to the rest; return what was ordered."""
    portal.browser().claim(ANN, n_news="yes")
    portal.work()
    ann = portal.browser()
    page = ann.get(portal.link())
    ann.prove(portal)
    portal.work()
    with portal.store.read() as session:
        contact = find_contact(session, ANN)
        states = states_of(session, subject_of_contact(contact.id))
    return "Send me the news." in page.text, {key: line.state for key, line in states.items()}


def test_it_holds_where_claims_are_kept_for_a_week(refused, clock):
    clock.shift(timedelta(days=60))
    night(refused)
    with refused.store.read() as session:
        assert session.scalars(sa.select(Claim)).all() == []

    assert asks_again(refused) == (False, {})


def test_it_holds_when_the_person_was_erased(refused, clock):
    forget(refused)
    clock.shift(timedelta(days=60))

    assert asks_again(refused) == (False, {})


def test_it_ends_after_ninety_days(refused, clock):
    clock.shift(timedelta(days=91))
    night(refused)

    assert asks_again(refused) == (True, {"news": "confirmed"})


def test_whoever_asks_on_the_last_day_asks_in_vain_to_the_end(refused, clock):
    clock.shift(timedelta(days=89))
    refused.browser().claim(ANN, n_news="yes")
    refused.work()
    clock.shift(timedelta(days=5))
    night(refused)
    ann = refused.browser()
    ann.prove(refused)
    refused.work()

    assert refused.news("consent.changed") == []


def test_it_is_forgotten_in_the_end_and_never_named_the_address(refused, clock, database_url):
    forget(refused)
    with refused.store.read() as session:
        assert session.scalars(sa.select(Refusal.newsletter)).all() == ["news"]
    assert found_in(database_url, [ANN]) == []
    clock.shift(timedelta(days=98))
    night(refused)

    with refused.store.read() as session:
        assert session.scalars(sa.select(Refusal)).all() == []


def test_the_owner_may_order_it_any_time(refused):
    ann = refused.browser()
    ann.claim(ANN)
    refused.work()
    ann.prove(refused)
    refused.work()
    own = ann.get("/me")
    ann.post("/me/newsletters", {**own.fields, "newsletter": "news", "choice": "want"})
    refused.work()
    ann.prove(refused)
    refused.work()

    assert [one["state"] for one in refused.news("consent.changed")][-1] == "confirmed"
    assert asks_again(refused)[0] is True
