"""Numbers: each is what it counts, opens its rows, and tells an analyst nobody's."""

import re

import pytest

from tests.studio.customers import Customers

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PAGE = re.compile(r'<th scope="row" data-value="([^"]*)">.*?data-value="([\d.]+)"', re.DOTALL)


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
