"""The list of accounts: each company once, with who is there and what is open."""

from datetime import timedelta

import pytest

from regportal.insight import accounts
from regportal.insight.accounts import AccountRow, Accounts
from tests.buying.scene import NOON

HOUR = timedelta(hours=1)
SAM = {"name": "Sam", "email": "sam@acme.example"}


@pytest.fixture
def listed(scene, person, whole):
    ann, bob = person("ann@initech.example"), person("bob@initech.example")
    for email in ("eve@globex.example", "kim@globex.example", "joe@gmail.com"):
        person(email)
    told = {"external_id": "A-1", "name": "Initech"}
    first = scene.opportunity("1", owner=SAM, account=told)
    second = scene.opportunity("2", account=told)
    third = scene.opportunity("3", account=told, is_closed=True)
    for deal in (first, second, third):
        scene.role(deal, ann)
    scene.role(second, bob)
    scene.did(bob, now=NOON + HOUR)
    scene.weigh(now=NOON + HOUR)

    def read(owners=None, **asked):
        def page(session, filters, at, size):
            return accounts.page(session, filters, at, size, owners=owners)

        return whole(page, Accounts(**asked))

    return read


def test_each_account_is_there_once(listed):
    assert listed() == [
        AccountRow("crm:A-1", "Initech", 2, NOON + HOUR, 2),
        AccountRow("globex.example", None, 2, NOON, 0),
    ]


@pytest.mark.parametrize(("q", "found"), [("crm:", 1), ("glob", 1), ("%", 0), ("x", 0)])
def test_it_is_searched_by_how_its_key_begins(listed, q, found):
    assert len(listed(q=q)) == found


def test_a_seller_sees_and_counts_only_what_is_his(listed):
    assert listed(owners=frozenset({"sam@acme.example"})) == [
        AccountRow("crm:A-1", "Initech", 1, NOON, 1)
    ]
    assert listed(owners=frozenset()) == []
