"""`min_attribution`: how sure we must be whose something is, so that it counts for a phase."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.buying.alerts.models import Alert
from regportal.buying.checking import standing_differences
from regportal.buying.default import DEFAULT
from regportal.buying.models import Move, Opportunity
from regportal.buying.reading import reasons
from regportal.tracking.models import Attributed, Interaction
from regportal.tracking.reverting import revert
from tests.buying.scene import NOON
from tests.portal import SITE
from tests.tracking.test_the_collector import choose, event, tell

ANN = "ann@widgetworks.example"
CLAIMED = """
buying:
  min_attribution: claimed
  phases:
    - {id: unaware}
    - id: comparison
      enter: {any: [{event: download, where: {category: price-list}, within: 45d}]}
"""


@pytest.fixture
def clock():
    with time_machine.travel(datetime(2026, 3, 4, 12, tzinfo=UTC), tick=False) as standing:
        yield standing


@pytest.fixture
def portal(portal, clock):
    """A portal that gives prices at once, whose rules count what nobody has proven."""
    site = SITE.replace("delivery: mail", "delivery: instant")
    portal.publish(site.replace("origins:", "keep: {claims: 7d}\n  origins:") + CLAIMED)
    portal.hook("opportunity.upserted", {"external_id": "D-1", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "D-1", "email": ANN, "role": "buyer"})
    portal.work()
    return portal


def takes_prices(portal):
    browser = portal.browser()
    browser.claim(ANN, "prices")
    portal.work()
    return browser


def told(portal):
    """What became of the opportunity: its phase, and each move with its cause and sentence."""
    with portal.store.read() as session:
        published = portal.shelf.published(session)
        moves = session.scalars(sa.select(Move).order_by(Move.at, Move.id)).all()
        why = reasons(session, published, moves)
        assert [*standing_differences(session, published, now=datetime.now(UTC))] == []
        phase = session.scalars(sa.select(Opportunity.phase)).one()
        return phase, [(move.to_phase, move.cause, why[move.id]) for move in moves]


def alerts(portal):
    with portal.store.read() as session:
        return session.scalars(sa.select(Alert)).all()


WHY = "Comparison since 4 Mar 2026 12:00: {} downloaded Price list 2026 (1 needed in 45 days)"
AS_ANN = ("comparison", "event", WHY.format(f"somebody as {ANN}"))


def test_what_nobody_has_proven_counts_at_once_and_says_so(portal):
    takes_prices(portal)

    assert told(portal) == ("comparison", [AS_ANN])
    assert portal.news("interaction.recorded") == []  # held until the claim is confirmed
    assert alerts(portal) == []  # a stranger writes to no seller


def test_no_takes_it_back_as_a_correction(portal, clock):
    takes_prices(portal)
    clock.shift(timedelta(hours=1))
    portal.browser().post(portal.link(), {"choice": "deny"})
    portal.work()
    phase, (_, back) = told(portal)

    assert phase == "unaware"
    assert back[:2] == ("unaware", "correction")


def test_a_colleague_takes_back_what_a_competitor_did_as_our_customer(portal, clock):
    takes_prices(portal)
    clock.shift(timedelta(hours=1))
    with portal.store.read() as session:
        (taken,) = session.scalars(sa.select(Interaction.id).where(Interaction.type == "download"))
    now = datetime.now(UTC)
    portal.store.write(lambda session: revert(session, taken, "a competitor", now=now))
    portal.work()
    phase, (_, back) = told(portal)

    assert phase == "unaware"
    assert back[:2] == ("unaware", "correction")


def test_yes_moves_nothing_and_names_who_it_was(portal, clock):
    takes_prices(portal)
    clock.shift(timedelta(hours=1))
    portal.browser().post(portal.link(), {"choice": "confirm"})
    portal.work()

    assert told(portal) == ("comparison", [("comparison", "event", WHY.format(ANN))])
    assert alerts(portal) == []  # the move was an hour ago
    assert len(portal.news("interaction.recorded")) == 1


def test_a_claim_that_nobody_answers_counts_until_it_runs_out(portal, clock):
    takes_prices(portal)
    clock.shift(timedelta(days=7, seconds=-1))
    portal.work()
    before = told(portal)
    clock.shift(timedelta(hours=1))
    portal.work()
    phase, moves = told(portal)

    assert before == ("comparison", [AS_ANN])
    assert phase == "unaware"
    assert [move[:2] for move in moves] == [("comparison", "event"), ("unaware", "correction")]


def test_who_is_told_of_later_by_the_crm_has_done_what_was_done_as_him(portal):
    portal.publish(
        SITE.replace("delivery: mail", "delivery: instant") + CLAIMED,
    )
    browser = portal.browser()
    browser.claim("bob@widgetworks.example", "prices")
    portal.work()
    before = told(portal)
    portal.hook("contact_role.added", {"opportunity": "D-1", "email": "bob@widgetworks.example"})
    portal.work()

    assert before == ("unaware", [])
    assert told(portal)[0] == "comparison"


PRICES_SEEN = """
buying:
  min_attribution: claimed
  phases:
    - {id: unaware}
    - {id: comparison, enter: {any: [{event: price_lookup, within: 45d}]}}
"""


@pytest.mark.parametrize(("email", "phase"), [(ANN, "comparison"), ("eve@x.example", "unaware")])
def test_what_pages_tell_of_who_claims_to_be_somebody_we_know_counts_too(portal, email, phase):
    portal.publish(SITE + PRICES_SEEN)
    browser = portal.browser()
    choose(browser)
    browser.claim(email)
    tell(browser, event("price_lookup", "widget-9"))
    portal.work()
    with portal.store.read() as session:
        found = session.scalars(sa.select(Opportunity.phase)).one()

    assert found == phase


@pytest.mark.parametrize(
    ("least", "phase"),
    [("verified", "unaware"), ("imported", "comparison"), ("claimed", "comparison")],
)
def test_what_a_system_of_our_own_told_counts_where_the_rules_say_so(scene, least, phase):
    scene.publish(DEFAULT.model_copy(update={"min_attribution": least}))
    ann, deal = scene.contact(ANN), scene.opportunity()
    scene.role(deal, ann)
    scene.did(ann, attribution=Attributed.IMPORTED, now=NOON + timedelta(minutes=1))
    scene.weigh(now=NOON + timedelta(minutes=1))

    assert scene.phase(deal) == phase
    assert scene.messages("interaction.recorded") == []
