"""A HubSpot that takes five searches a second, as the real one does, is asked what happened."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.inbox import polling
from regportal.inbox.models import Notice, Poll
from regportal.inbox.polling import EVERY, LEAST
from regportal.outbox.budget import Budget
from regportal.sandbox.hubspot.limits import SECOND, Limits
from tests.connectors.worlds.hubspot import hubspot

DEALS, TOO_MANY = 250, 429


@pytest.fixture
def account():
    with hubspot() as account:
        account.fake.account.limits.searches = 5
        for number in range(DEALS):
            account.fake.deal(f"{number} widgets")
        yield account


@pytest.fixture
def time(account):
    """Let the second in which searches are counted last until it is moved on."""
    time = [datetime.now(UTC)]
    account.fake.account.limits = Limits(lambda: time[0], burst=10_000)
    return time


def poll(store, account, ahead=timedelta(0), **how):
    """Ask what happened; return in what time to ask again, by a clock that may be ahead."""
    begun = datetime.now(UTC) + ahead
    connector, budget = account.connector(), Budget("crm")
    again = polling.poll(
        store, "crm", connector, budget, clock=lambda: datetime.now(UTC) + ahead, **how
    )
    return again - begun


def state(store):
    """Return how many deals were heard of, and why HubSpot could not be asked."""
    with store.read() as session:
        heard = session.scalar(sa.select(sa.func.count()).select_from(Notice))
        return heard, session.get(Poll, "crm").trouble


def refused(account):
    """Return how many searches were too many."""
    return len([one for one in account.sandbox.seen if one.status == TOO_MANY])


def test_news_of_many_pages_keep_the_limit(store, account):
    again = poll(store, account)

    assert refused(account) == 0
    assert state(store) == (DEALS, None)
    assert again >= EVERY


def test_where_others_search_too_hubspot_is_waited_for(store, account, time):
    rests = []

    def rest(seconds):
        rests.append(seconds)
        time[0] += SECOND
        return True

    again = poll(store, account, rest=rest)

    assert len(rests) == refused(account) > 0
    assert all(0 <= one <= 1 for one in rests)
    assert state(store) == (DEALS, None)
    assert again >= EVERY


def test_what_was_heard_before_a_refusal_is_kept_and_the_rest_is_asked_for_soon(
    store, account, time
):
    again = poll(store, account, rest=lambda _: False)
    with store.read() as session:
        row = session.get(Poll, "crm")
    heard, trouble = state(store)

    assert refused(account) == 1
    assert trouble is None
    assert 0 < heard < DEALS
    assert row.awaited == row.due
    assert LEAST <= again < EVERY
    time[0] += SECOND
    poll(store, account, ahead=EVERY)
    assert state(store) == (DEALS, None)


def test_a_hubspot_that_takes_no_search_is_trouble_and_asked_again_soon(store, account, time):
    account.fake.account.limits.searches = 0
    again = poll(store, account, rest=lambda _: True)

    assert refused(account) == 2
    assert state(store) == (0, "HubSpot allows no more calls just now")
    assert LEAST <= again < EVERY
