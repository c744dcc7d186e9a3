"""A visit that goes on at another of the company's domains: what passes, once, and to whom."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.identity.models import Visitor, VisitorState
from regportal.tracking.models import Visit
from tests.portal import ORIGIN
from tests.two_sites import CAMPAIGN, SHOP, WWW, visits
from tests.visiting import NO, YES, page_with


def test_a_visit_goes_on_with_where_it_came_from(portal, two):
    www, shop = two
    went_on = shop.arrive(www.leave())
    shop.tell(touch={"referrer": f"{WWW}/", "parameters": {}})
    portal.work()
    (first, came), (second, went) = visits(portal)

    assert went_on
    assert (came.referrer, came.parameters) == (CAMPAIGN["referrer"], CAMPAIGN["parameters"])
    assert went.referrer == CAMPAIGN["referrer"]
    assert went.parameters == {**CAMPAIGN["parameters"], "continues": str(first.id)}
    assert first.visitor_id != second.visitor_id


def test_a_token_is_good_once_and_for_a_minute(two):
    www, shop = two
    now = datetime.now(UTC)
    with time_machine.travel(now, tick=False):
        once, late = www.leave(), www.leave()
    with time_machine.travel(now + timedelta(seconds=61), tick=False):
        too_late = shop.arrive(late)
    with time_machine.travel(now + timedelta(seconds=59), tick=False):
        first = shop.arrive(once)
        second = shop.choose().arrive(once)  # as somebody new

    assert (too_late, first, second) == (False, True, False)


@pytest.mark.parametrize("who", ["www", "shop"])
def test_nothing_passes_without_consent_on_both_sides(portal, two, who):
    www, shop = two
    handover = www.leave()
    refuses = {"www": www, "shop": shop}[who]
    answer = refuses.client.post(
        "/api/v1/choice",
        json={"recognise": True, "track": False},
        headers={**refuses.headers, "X-RP-Visitor": refuses.token},
        base_url=ORIGIN,
    )

    assert answer.get_json()["track"] is False
    assert not shop.arrive(handover)
    assert www.leave() is None or who == "shop"


def test_nothing_passes_where_the_browser_objects(two):
    www, shop = two
    signal = {"Sec-GPC": "1"}

    assert www.leave(**signal) is None
    assert not shop.arrive(www.leave(), **signal)


def test_a_visit_that_goes_on_here_keeps_its_own_beginning(portal, two):
    www, shop = two
    shop.tell(touch={"referrer": "https://search.example/", "parameters": {}})
    portal.work()

    assert not shop.arrive(www.leave())
    assert visits(portal)[-1][1].referrer == "https://search.example/"


def test_of_somebody_with_an_address_only_the_campaign_passes(portal, two):
    www, shop = two
    with portal.store.read() as session:
        first = session.scalars(sa.select(Visit.visitor_id)).one()
    claimed = sa.update(Visitor).where(Visitor.id == first).values(state=VisitorState.CLAIMED)
    portal.store.write(lambda session: session.execute(claimed) and None)

    assert shop.arrive(www.leave())
    assert visits(portal)[-1][1].parameters == CAMPAIGN["parameters"]


@pytest.mark.parametrize("to", [WWW, "https://evil.example", "", f"{SHOP}/path"])
def test_there_is_a_token_only_for_another_of_the_sites(two, to):
    status, said = two[0].ask("handover", {"to": to})

    assert (status, said["field"]) == (400, "to")


# --- in a browser ---


@pytest.fixture
def shopper(visit, place):
    """Somebody followed on one site, on a page that links to another where he never was."""
    more = f'<script type="module" src="{place.url}/static/js/handover.js"></script>'
    sites = f'<meta name="regportal-sites" content="{place.far}">'
    links = f"""<a id="shop" href="{place.far}/shop?x=1">To the shop</a>
      <a id="part" href="{place.far}/shop#part">To a part of it</a>"""
    place.pages["/"] = page_with(place, links, head=sites + more)
    place.pages["/shop"] = page_with(place, head=more)
    person = visit().open("/?utm_source=ad")
    person.choose(**YES)
    place.collector.of("page_view")
    person.wait_until_all_is_sent()
    place.portal.work()
    return person


def follow(person, link="#shop"):
    """Point at a link, and follow it once its token is there; return where the person is."""
    with person.page.expect_response("**/api/v1/handover") as told:
        person.page.hover(link)
    told.value.finished()
    person.page.evaluate("new Promise(done => setTimeout(() => requestIdleCallback(done), 100))")
    person.page.click(link)
    person.page.wait_for_url("**/shop?x=1")
    return person


def test_a_visit_goes_on_once_it_is_allowed_there_and_the_address_shows_nothing_of_it(
    shopper, place
):
    follow(shopper)
    assert shopper.page.url == f"{place.far}/shop?x=1"
    with shopper.page.expect_response("**/api/v1/handover/redeem") as told:
        shopper.choose(**YES)
    place.collector.of("page_view", 2)
    shopper.wait_until_all_is_sent()
    place.portal.work()
    *_, (first, _), (second, touch) = visits(place.portal)

    assert told.value.json() == {"continued": True}
    assert touch.parameters == {"utm_source": "ad", "continues": str(first.id)}
    assert first.visitor_id != second.visitor_id
    assert "rp_h" not in str(place.collector.letters)
    assert shopper.wrong == []


@pytest.mark.parametrize("choice", [NO, None])
def test_where_he_does_not_allow_it_nothing_is_asked(shopper, choice):
    asked = []
    shopper.page.on("request", lambda one: asked.append(one.url))
    follow(shopper)
    if choice:
        shopper.choose(**choice)
    shopper.page.wait_for_timeout(1200)

    assert shopper.page.evaluate("location.hash") == ""
    assert not [one for one in asked if one.endswith("/redeem")]


def test_a_link_is_as_it_was_after_the_click_and_nothing_waits_for_a_token(shopper):
    page = shopper.page
    page.context.route("**/api/v1/handover", lambda route: None)
    page.hover("#shop")
    page.click("#shop", no_wait_after=True)
    page.wait_for_url("**/shop?x=1")

    assert page.evaluate("performance.getEntriesByType('navigation')[0].name").endswith("x=1")


def test_a_link_that_has_a_part_of_its_own_goes_as_it_is(shopper):
    shopper.page.click("#part")
    shopper.page.wait_for_url("**/shop#part")

    assert shopper.page.evaluate("location.hash") == "#part"


def test_a_link_from_elsewhere_is_only_cleaned(visit, place):
    place.pages["/shop"] = page_with(
        place, head=f'<script type="module" src="{place.url}/static/js/handover.js"></script>'
    )
    asked = []
    person = visit()
    person.page.on("request", lambda one: asked.append(one.url))
    person.open(f"/shop#rp_h={'A' * 70}", far=True)
    person.choose(**YES)
    person.page.wait_for_timeout(1200)

    assert person.page.evaluate("location.href") == f"{place.far}/shop"
    assert not [one for one in asked if "handover/redeem" in one]
