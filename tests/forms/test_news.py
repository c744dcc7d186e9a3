"""What connectors are told, and what of it goes ahead of all other."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from regportal.connectors.base import Outcome, Result
from regportal.consent.models import ConsentState
from regportal.forms.news import consent_news
from regportal.identity.actions import contact_from_crm
from regportal.outbox.actions import put
from regportal.outbox.drain import drain
from regportal.store.documents import keep_wording
from regportal.store.ids import uuid7

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
TAKES_AWAY = {"paused", "withdrawn", "refused", "expired", "suppressed", "erased"}


def told(session, state, email="ann@example.com"):
    """Say that a contact's consent has this state now."""
    line = SimpleNamespace(
        id=uuid7(),
        newsletter="widget-prices",
        state=state,
        wording=keep_wording(session, "Send me widget prices.", "en", now=NOON),
        at=NOON,
        rhythm=None,
        until=None,
    )
    return consent_news(contact_from_crm(session, email, now=NOON), line, session)


@pytest.mark.parametrize("state", list(ConsentState))
def test_what_takes_a_permission_away_has_a_lane_of_its_own(store, state):
    news = store.write(lambda session: told(session, state))

    assert news.lane == (0 if state.value in TAKES_AWAY else 1)


def test_a_withdrawal_overtakes_everything_that_waits(store):
    def fill(session):
        for number in range(20):
            news = told(session, ConsentState.CONFIRMED, f"p{number}@example.com")
            put(session, "crm", news, now=NOON)
        put(session, "crm", told(session, ConsentState.WITHDRAWN, "p19@example.com"), now=NOON)

    heard = []

    def crm(changes, *, now):
        heard.extend(change.payload["state"] for change in changes)
        return [Result(change.id, Outcome.DONE) for change in changes]

    store.write(fill)
    drain(store, "crm", crm, clock=lambda: NOON, size=1)

    assert heard == ["withdrawn", *["confirmed"] * 19]
