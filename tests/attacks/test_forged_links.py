"""
Forging the link of a mail.

Links that name a person, sign it with a key that leaked, or take a token of one purpose for
another let whoever writes such a link be anybody. Here a link is 32 bytes that only we can
make; we keep its hash alone, and a token of one purpose opens no other door.
"""

import base64
import random
import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.identity.models import Claim, ClaimState, Proof
from regportal.store.tokens import derived_token

ANN = "ann@widgetworks.example"


@pytest.fixture
def link(portal):
    """The path of a link that was mailed to Ann, and that nobody has opened."""
    portal.browser().claim(ANN)
    portal.work()
    return portal.link()


def state(portal):
    with portal.store.read() as session:
        return session.scalars(sa.select(Claim.state)).one()


def test_with_one_letter_changed_it_opens_nothing(portal, link):
    eve = portal.browser()
    _, _, token = link.split("/")
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        forged = f"/m/{token[:place]}{other}{token[place + 1 :]}"

        assert eve.get(forged).status == 404
        assert eve.post(forged, {"choice": "confirm"}).status == 404
    assert state(portal) == ClaimState.OPEN


@pytest.mark.parametrize(
    "token",
    [
        "1",
        "0",
        "-1",
        "null",
        "A" * 43,
        "A" * 4000,
        "../me",
        "%00",
        "é" * 43,
        "' OR 1=1 --",
        base64.urlsafe_b64encode(ANN.encode()).decode(),
    ],
)
def test_what_is_made_up_opens_nothing(portal, link, token):
    eve = portal.browser()

    assert eve.get(f"/m/{token}").status in {404, 405}
    assert eve.post(f"/m/{token}", {"choice": "confirm"}).status in {404, 405}
    assert state(portal) == ClaimState.OPEN


def test_a_link_of_one_purpose_opens_no_other_door(portal, link):
    ann = portal.browser()
    ann.claim("eve@evil.example")
    portal.work()
    grant = re.search(r"/d/([\w-]{43})", ann.get("/g/guide/done").text)[1]
    cookie = ann.client.get_cookie("rp_v").value
    mailed = link.rpartition("/")[2]
    for token in (grant, cookie):
        assert ann.get(f"/m/{token}").status == 404
    assert ann.get(f"/d/{mailed}").status in {303, 403}
    thief = portal.browser()
    thief.client.set_cookie("rp_s", mailed)
    assert thief.gate("guide").asks_email


def test_a_key_of_somebody_else_makes_no_link_of_ours(portal, link):
    with portal.store.read() as session:
        proof = session.scalars(sa.select(Proof)).one()
    for key in (b"", b"secret", b"x" * 32):
        for purpose in ("mail", "visitor"):
            forged = derived_token([key], purpose, proof.claim_id.bytes)
            assert portal.browser().get(f"/m/{forged}").status == 404


def test_the_database_holds_nothing_that_opens(portal, link):
    """Whoever reads our database, or a copy of it, cannot press anybody's button."""
    with portal.store.read() as session:
        proof = session.scalars(sa.select(Proof)).one()
    for token in (proof.hash.hex(), base64.urlsafe_b64encode(proof.hash).decode().rstrip("=")):
        assert portal.browser().get(f"/m/{token}").status == 404


def test_a_link_ends(portal, link, time_machine):
    time_machine.move_to(datetime.now(UTC) + timedelta(hours=73))
    eve = portal.browser()

    assert eve.get(link).status == 410
    assert eve.post(link, {"choice": "confirm"}).status == 410


def test_guessing_at_random_finds_nothing(portal, link):
    chance, eve = random.Random(7), portal.browser()
    for _ in range(300):
        token = base64.urlsafe_b64encode(chance.randbytes(32)).decode().rstrip("=")
        assert eve.get(f"/m/{token}").status == 404
