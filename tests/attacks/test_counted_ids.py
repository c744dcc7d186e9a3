"""
Counting upwards.

Where a cookie, a link or an address holds the number of a row, adding one shows the next
person's. Here nothing a browser holds or is shown is a row's number, and what names a row at
all is only taken from whoever it belongs to.
"""

import re

import pytest
import sqlalchemy as sa

from regportal.identity.models import Claim

ANN, EVE = "ann@widgetworks.example", "eve@evil.example"
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@pytest.fixture
def claims(portal):
    """The ids of open claims: Ann's, and one in her name that is not hers."""
    for _ in range(2):
        portal.browser().claim(ANN)
    with portal.store.read() as session:
        return session.scalars(sa.select(Claim.id)).all()


def test_a_cookie_is_a_random_token_and_nothing_else(portal):
    seen = set()
    for number in range(20):
        browser = portal.browser()
        browser.claim(f"one{number}@widgetworks.example")
        value = browser.client.get_cookie("rp_v").value
        assert TOKEN.fullmatch(value)
        seen.add(value)

    assert len(seen) == 20
    assert len({value[:4] for value in seen}) > 10


@pytest.mark.parametrize("number", ["1", "2", "00000000000", "1001"])
def test_a_number_is_nobodys_cookie(portal, number):
    portal.browser().claim(ANN)
    eve = portal.browser()
    for name in ("rp_s", "rp_v", "rp_p"):
        eve.client.set_cookie(name, number)

    assert eve.gate("guide").asks_email
    assert eve.get("/g/guide/done").status == 303


@pytest.mark.parametrize("door", ["m", "d", "p", "u"])
def test_no_door_has_numbers(portal, claims, door):
    eve = portal.browser()
    for name in (*range(1, 30), *claims):
        page = eve.get(f"/{door}/{name}")
        assert page.status in {303, 403, 404}
        assert ANN not in page.text


def test_the_id_of_a_claim_is_of_use_only_to_its_owner(portal, claims):
    eve = portal.browser()
    eve.claim(EVE)
    portal.work()
    eve.prove(portal)
    portal.work()
    token = eve.get("/g/guide/done").fields["csrf_token"]
    for claim in claims:
        fields = {"csrf_token": token, "choice": "confirm"}
        assert eve.post(f"/g/guide/others/{claim}", fields).status == 404
    with portal.store.read() as session:
        states = session.scalars(sa.select(Claim.state).where(Claim.id.in_(claims))).all()
    assert set(states) == {"open"}
