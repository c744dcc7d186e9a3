"""Numbers: each is what it counts, opens its rows, and tells an analyst nobody's."""

import re

import pytest

from tests.kiosk.tablet import Tablet, path_of
from tests.studio.customers import Customers

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PAGE = re.compile(r'<th scope="row" data-value="([^"]*)">.*?data-value="([\d.]+)"', re.DOTALL)
STEPS = ("shown", "begun", "given", "carried")
LOOKED, BEGAN = "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b", "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3c"


@pytest.fixture
def used(portal):
    """A portal that two people used: one comes back, one gives up."""
    browser = portal.browser()
    browser.claim("ann@initech.example", gate="guide")
    portal.work()
    browser.prove(portal)
    portal.browser().gate("guide")
    portal.work()
    return portal


def values(page):
    return dict(PAGE.findall(page.text))


def test_each_number_is_that_of_its_rows(used, company):
    desk = company.at_desk("ann@acme.example", "marketer")
    told = values(desk.get("/numbers"))
    found = {}
    for key, title in (("shown", "Shown"), ("sent", "Sent"), ("passed", "Let through")):
        lines = desk.get(f"/numbers/{key}.jsonl").text.splitlines()
        found[title] = str(len(lines))

    assert {title: told[title] for title in found} == found
    assert int(told["Shown"]) > int(told["Sent"]) >= int(told["Let through"]) > 0
    assert int(told["Fetched"]) >= int(told["Came back"])


def test_a_gate_nobody_asked_for_has_none(used, company):
    desk = company.at_desk("ann@acme.example", "marketer")

    assert values(desk.get("/numbers?gate=study"))["Shown"] == "0"
    assert desk.get("/numbers?days=31").status == 400


def test_an_analyst_is_told_of_no_fewer_than_five_and_opens_no_rows(used, company):
    desk = company.at_desk("ann@acme.example", "analyst")
    page = desk.get("/numbers")

    assert "fewer than 5" in page.text
    assert "/numbers/shown" not in page.text
    assert desk.get("/numbers/shown").status == 403
    assert desk.get("/numbers/shown.csv").status == 403


def test_each_number_has_its_meaning_beside_it(used, company):
    page = company.at_desk("ann@acme.example", "owner").get("/numbers").text
    tips = dict(re.findall(r'role="tooltip" id="(means-[^"]+)">([^<]+)<', page))

    assert len(tips) == 10
    assert set(re.findall(r'aria-describedby="(means-[^"]+)"', page)) == set(tips)


def test_moves_are_counted_and_lead_to_their_opportunities(company, portal):
    customers = Customers(portal)
    desk = company.at_desk("ann@acme.example", "marketer")
    page = desk.get("/numbers/moves").text

    assert f"/opportunities/{customers.mine}" in page
    assert "Comparison" in page


def stood_at(portal, **fields):
    """A stand at which two looked, one began, and one gave an address and took the file along."""
    tablet = Tablet(portal, **fields)
    tablet.leave((LOOKED, 40, "shown"), (BEGAN, 20, "begun"))
    url = tablet.ask("ann@initech.example").told["phone"]["url"]
    portal.browser().post(path_of(url), {})
    return tablet


def test_each_stand_tells_how_far_visitors_came_and_opens_the_rows(portal, company):
    portal.publish()
    tablet, other = stood_at(portal), Tablet(portal, name="Lyon")
    desk = company.at_desk("ann@acme.example", "marketer")
    page = desk.get("/numbers")
    lines = {}
    for step in STEPS:
        assert f"/numbers/stand_{step}?stand={tablet.id}" in page.text
        lines[step] = desk.get(f"/numbers/stand_{step}.jsonl?stand={tablet.id}").text.splitlines()

    assert [len(lines[step]) for step in STEPS] == [3, 2, 1, 1]
    assert [values(page)[title] for title in ("Shown to somebody", "Given")] == ["3", "1"]
    assert desk.get(f"/numbers/stand_shown.jsonl?stand={other.id}").text == ""
    rows = desk.get("/numbers/stand_shown").text
    assert "began to fill it in" in rows
    assert "sent, and taken to a telephone" in rows
    assert "initech" not in rows


def test_a_portal_without_stands_says_nothing_of_them(used, company):
    assert "Stands at events" not in company.at_desk("a@acme.example", "owner").get("/numbers").text


def test_stands_are_those_of_the_gate_that_is_looked_at(portal, company):
    portal.publish()
    stood_at(portal)
    desk = company.at_desk("ann@acme.example", "marketer")

    assert "Hannover" in desk.get("/numbers?gate=guide").text
    assert "Hannover" not in desk.get("/numbers?gate=study").text


def test_an_analyst_is_told_of_no_fewer_than_five_at_a_stand(portal, company):
    portal.publish()
    stood_at(portal)
    page = company.at_desk("ann@acme.example", "analyst").get("/numbers").text
    each = page.partition('data-rp="each-stand"')[2].partition("</section>")[0]

    assert each.count("fewer than 5") == 4
    assert "stand_shown" not in each
