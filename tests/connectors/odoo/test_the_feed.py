"""How an Odoo is polled: its stamps are whole seconds, and of when a transaction began."""

import operator
from datetime import UTC, datetime, timedelta

import pytest

from regportal.connectors.odoo.feed import Feed
from regportal.connectors.schema import Connector

COMPARED = {">=": operator.ge, "<": operator.lt, ">": operator.gt}
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Table:
    """An Odoo with opportunities: it answers the searches of a feed, and nothing else."""

    base, version, uid = "https://odoo.example", 19, 5

    def __init__(self):
        self.clock, self.leads, self.asked = NOON, [], 0

    def add(self, at, name="500 widgets", partner=None):
        stamp = at.strftime("%Y-%m-%d %H:%M:%S")
        new = {"id": len(self.leads) + 1, "write_date": stamp, "name": name, "active": True}
        new |= {"stage_id": [1, "New"], "probability": 10.0, "expected_revenue": 12000.5}
        new |= {"company_currency": [1, "EUR"], "date_deadline": False, "user_id": False}
        new |= {"partner_id": False, "email_normalized": partner or False, "write_uid": [2, "Bo"]}
        self.leads.append(new)

    def call(self, model, method, *, domain, limit=None, **more):
        assert method == "search_read"
        if model != "crm.lead":
            return []
        self.asked += 1
        asked = [one for one in domain if one[0] in {"write_date", "id"}]
        found = [
            one
            for one in self.leads
            if all(COMPARED[how](self._kept(one, name), value) for name, how, value in asked)
        ]
        names = more["order"].split(", ")
        return sorted(found, key=lambda one: [self._kept(one, name) for name in names])[:limit]

    def _kept(self, one, name):
        """A value as Odoo keeps it: of a moment also the parts of the second, told to nobody."""
        return f"{one[name]}.{-one['id'] % 1000:03}" if name == "write_date" else one[name]


@pytest.fixture
def odoo():
    return Table()


@pytest.fixture
def feed(odoo):
    told = {"key": "crm", "type": "odoo", "url": odoo.base, "secret": "env:X", "database": "acme"}
    return Feed(Connector(**told), odoo)


def names(news):
    return [one.body["data"]["name"] for one in news if "name" in one.body["data"]]


def test_two_writes_within_a_second_are_two_pieces_of_news(odoo, feed):
    odoo.add(NOON, "one")
    (first,), cursor = feed.after(None, 50)
    odoo.leads[0]["name"] = "two"
    (second,), _ = feed.after(cursor, 50)
    assert (first.body["data"]["name"], second.body["data"]["name"]) == ("one", "two")
    assert first.id != second.id
    assert first.body["timestamp"] == second.body["timestamp"] == "2026-03-04T12:00:00Z"


def test_what_is_shown_late_is_not_missed(odoo, feed):
    odoo.add(NOON, "quick")
    _, cursor = feed.after(None, 50)
    odoo.add(NOON - timedelta(seconds=90), "slow")
    odoo.clock += timedelta(minutes=1)
    news, _ = feed.after(cursor, 50)
    assert "slow" in names(news)


def test_what_is_settled_is_not_read_again(odoo, feed):
    odoo.add(NOON)
    _, cursor = feed.after(None, 50)
    odoo.clock += timedelta(minutes=5)
    (_,), cursor = feed.after(cursor, 50)
    assert feed.after(cursor, 50) == ([], cursor)
    odoo.clock += timedelta(minutes=5)
    assert feed.after(cursor, 50) == ([], cursor)


def test_many_of_one_second_are_all_told_and_the_end_is_seen(odoo, feed):
    for number in range(95):
        odoo.add(NOON, f"deal {number}", partner="ann@acme.example")
    seen, cursor, before, pages = set(), None, "", 0
    while cursor != before:
        before = cursor
        news, cursor = feed.after(cursor, 20)
        seen |= {*names(news)}
        pages += 1
    assert (len(seen), pages) == (95, 13)


def test_an_opportunity_is_told_in_our_words(odoo, feed):
    odoo.add(NOON, partner="ann@acme.example")
    (told, role), _ = feed.after(None, 50)
    assert told.body["data"] == {
        "external_id": "1",
        "name": "500 widgets",
        "stage": "New",
        "probability": 10.0,
        "amount": "12000.50",
        "currency": "EUR",
        "close_date": None,
        "is_closed": False,
        "is_won": False,
        "url": "https://odoo.example/odoo/crm/1",
        "owner": None,
        "account": None,
        "contacts": [{"email": "ann@acme.example", "is_primary": True}],
    }
    assert role.body == {
        "type": "contact_role.added",
        "timestamp": "2026-03-04T12:00:00Z",
        "data": {"opportunity": "1", "email": "ann@acme.example", "is_primary": True},
    }
