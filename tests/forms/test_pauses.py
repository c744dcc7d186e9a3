"""A pause ends by itself: the ledger says so, commands show it, and the CRM hears of it."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from regportal.cli.known import contact_shown
from regportal.consent.ledger import broken_lines

ANN = "ann@widgetworks.example"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as standing:
        yield standing


@pytest.fixture
def paused(portal, clock):
    """Ann pauses her newsletter for three months."""
    ann = portal.browser()
    ann.claim(ANN, n_news="yes")
    portal.work()
    ann.prove(portal)
    portal.work()
    own = ann.get("/me")
    ann.post("/me/newsletters", {**own.fields, "newsletter": "news", "choice": "pause"})
    portal.work()
    return portal


def shown(portal):
    with portal.store.read() as session:
        (one,) = contact_shown(session, ANN)["consents"]
    return one["state"], one["since"]


def states(portal):
    return [one["state"] for one in portal.news("consent.changed")]


def test_a_command_shows_that_it_is_over_before_anybody_wrote_it_down(paused, clock):
    before = shown(paused)
    clock.shift(timedelta(days=91))

    assert before == ("paused", "2026-03-04T12:00:00Z")
    assert shown(paused) == ("confirmed", "2026-06-02T12:00:00Z")


def test_the_crm_hears_of_the_pause_and_of_its_end_once(paused, clock):
    clock.shift(timedelta(days=89))
    paused.work()
    during = states(paused)
    clock.shift(timedelta(days=2))
    paused.work()
    clock.shift(timedelta(days=2))
    paused.work()

    assert during == ["confirmed", "paused"]
    assert states(paused) == ["confirmed", "paused", "confirmed"]
    assert paused.news("consent.changed")[-1]["until"] is None
    with paused.store.read() as session:
        assert list(broken_lines(session)) == []


def test_a_request_that_waited_too_long_is_shown_as_expired(portal, clock):
    portal.browser().claim(ANN, n_news="yes")
    clock.shift(timedelta(days=8))

    assert shown(portal)[0] == "expired"
