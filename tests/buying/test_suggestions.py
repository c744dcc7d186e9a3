"""What a typed address would move is suggested to a person, and moves nothing (R6, T-46)."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.buying.models import Opportunity
from regportal.buying.suggesting import suggestions
from regportal.identity.models import Claim
from tests.portal import SITE

ANN, HOME = "ann@widgetworks.example", "ann@home.example"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as standing:
        yield standing


def deal(portal, name="D-1", email=ANN, **more):
    """Let the CRM tell of an open opportunity in which somebody has a part."""
    owner = {"name": "Bo Lind", "email": "bo@acme.example"}
    portal.hook("opportunity.upserted", {"external_id": name, "name": "Widgets", "owner": owner})
    portal.hook("contact_role.added", {"opportunity": name, "email": email, "role": "buyer"})
    portal.work()


@pytest.fixture
def portal(portal, clock):
    deal(portal)
    return portal


def somebody(portal, email=ANN, gate="study", **headers):
    """Let a browser type an address and take what the gate gives, at once."""
    browser = portal.browser(**headers)
    browser.claim(email, gate)
    portal.work()
    return browser


def takes_prices(portal, email=ANN):
    """Let a browser type an address at a gate that gives prices at once."""
    portal.publish(SITE.replace("delivery: mail", "delivery: instant"))
    return somebody(portal, email, "prices")


def listed(portal, now=None):
    with portal.store.read() as session:
        published = portal.shelf.published(session)
        return list(suggestions(session, published, now=now or datetime.now(UTC)))


def phases(portal):
    with portal.store.read() as session:
        found = session.execute(sa.select(Opportunity.external_id, Opportunity.phase))
        return dict(found.all())


def test_an_unconfirmed_price_list_is_a_suggestion_for_the_owner(portal):
    takes_prices(portal)
    (one,) = listed(portal)
    with portal.store.read() as session:
        claim = session.scalars(sa.select(Claim)).one()
        opportunity = session.scalars(sa.select(Opportunity)).one()

    assert one == {
        "claim": str(claim.id),
        "email": ANN,
        "claimed_at": "2026-03-04T12:00:00Z",
        "opportunity": opportunity.key,
        "connector": "crm",
        "external_id": "D-1",
        "name": "Widgets",
        "owner": "Bo Lind <bo@acme.example>",
        "from": "unaware",
        "to": "comparison",
        "reason": (
            f"Comparison once {ANN} confirms: somebody as {ANN} downloaded Price list 2026"
            " (1 needed in 45 days)"
        ),
    }


def test_no_phase_moves_by_it_and_nobody_is_told(portal):
    takes_prices(portal)
    listed(portal)
    portal.work()

    assert phases(portal) == {"D-1": "unaware"}
    assert portal.news("phase.changed") == portal.news("interaction.recorded") == []


def test_the_visitor_sees_the_same_as_for_an_address_on_no_opportunity(portal):
    known, unknown = takes_prices(portal), takes_prices(portal, "eve@nobody.example")
    pages = [browser.get("/g/prices/done") for browser in (known, unknown)]

    assert [page.status for page in pages] == [200, 200]
    assert len({len(page.text) for page in pages}) == 1
    assert "omparison" not in pages[0].text


@pytest.mark.parametrize(("choice", "phase"), [("confirm", "comparison"), ("deny", "unaware")])
def test_it_is_gone_once_the_claim_is_decided(portal, choice, phase):
    takes_prices(portal)
    portal.browser().post(portal.link(), {"choice": choice})
    before = listed(portal)
    portal.work()

    assert before == listed(portal) == []
    assert phases(portal) == {"D-1": phase}


def test_it_is_gone_once_the_claim_has_run_out_before_anybody_wrote_it_down(portal):
    portal.publish(SITE.replace("origins:", "keep: {claims: 7d}\n  origins:"))
    somebody(portal)

    assert len(listed(portal, NOON + timedelta(days=7, seconds=-1))) == 1
    assert listed(portal, NOON + timedelta(days=7)) == []


def test_what_is_older_than_the_window_is_none(portal):
    takes_prices(portal)
    (one,) = listed(portal, NOON + timedelta(days=46))

    assert one["to"] == "interest"  # any download counts for half a year


@pytest.mark.parametrize(
    "happens",
    [
        lambda portal: portal.hook(
            "opportunity.upserted", {"external_id": "D-1", "is_closed": True}
        ),
        lambda portal: portal.hook("contact_role.removed", {"opportunity": "D-1", "email": ANN}),
    ],
    ids=["closed", "no part any more"],
)
def test_it_needs_a_part_in_an_open_opportunity(portal, clock, happens):
    takes_prices(portal)
    clock.shift(timedelta(minutes=1))
    happens(portal)
    portal.work()

    assert listed(portal) == []


def test_an_address_nobody_has_a_part_by_is_none(portal):
    takes_prices(portal, "eve@widgetworks.example")

    assert listed(portal) == []


def test_a_part_under_another_address_of_the_person_counts(portal):
    portal.hook("contact.merged", {"email": HOME, "into": ANN})
    portal.work()
    takes_prices(portal, HOME)

    assert [(one["email"], one["external_id"]) for one in listed(portal)] == [(HOME, "D-1")]


def test_where_it_is_in_that_phase_already_nothing_is_suggested(portal):
    browser = takes_prices(portal)
    browser.prove(portal)
    portal.work()
    somebody(portal, gate="prices")

    assert phases(portal) == {"D-1": "comparison"}
    assert listed(portal) == []


def test_what_is_proven_counts_together_with_what_is_not(portal):
    first = somebody(portal, gate="study")
    first.prove(portal)
    portal.work()
    somebody(portal, gate="guide")
    (one,) = listed(portal)

    assert phases(portal) == {"D-1": "interest"}
    assert (one["from"], one["to"]) == ("interest", "exploration")
    assert one["reason"] == (
        f"Exploration once {ANN} confirms: {ANN} downloaded A case study,"
        f" somebody as {ANN} downloaded A guide to widgets (2 needed in 90 days)"
    )


def test_two_strangers_are_two_suggestions_and_do_not_add_up(portal):
    somebody(portal, gate="study")
    somebody(portal, gate="guide")

    assert [one["to"] for one in listed(portal)] == ["interest", "interest"]


def test_two_opportunities_of_one_person_are_two_suggestions(portal):
    deal(portal, "D-2")
    takes_prices(portal)

    assert [one["external_id"] for one in listed(portal)] == ["D-1", "D-2"]


def test_machines_and_own_staff_suggest_nothing(portal):
    portal.publish(SITE.replace("origins:", f"ignore: {{addresses: ['{ANN}']}}\n  origins:"))
    somebody(portal)

    assert listed(portal) == []


def test_before_anything_is_published_there_are_none(store):
    from tests.papers import papers

    with store.read() as session:
        assert list(suggestions(session, papers(), now=NOON)) == []
