"""
Guessing a code.

Six digits are a million guesses. Where tries are counted after the comparison, or in each worker
for itself, a hundred requests at once are a hundred guesses; where a new mail brings new tries,
patience is enough. Here a letter has five tries, counted behind a lock, and letters are capped.
"""

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from regportal.identity.models import Proof, Visitor
from tests.identity.test_codes import code_in, type_code
from tests.portal import ORIGIN

ANN = "ann@widgetworks.example"


def test_many_guesses_at_once_are_still_only_five(portal):
    eve = portal.browser()
    eve.claim(ANN)
    portal.work()
    code = code_in(portal)
    fields = eve.get("/g/guide/done").fields
    token = (eve.client.get_cookie("rp_v") or eve.client.get_cookie("rp_s")).value

    def guess(number):
        client = portal.app.test_client()
        client.set_cookie("rp_v", token)
        typed = {**fields, "code": f"{(int(code) + 1 + number) % 1_000_000:06}"}
        headers = {**eve.headers, **eve.origin}
        return client.post(
            "/g/guide/code", data=typed, headers=headers, base_url=ORIGIN
        ).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(guess, range(24))) == {422}

    with portal.store.read() as session:
        assert [one.tries for one in session.scalars(sa.select(Proof))] == [5]
    assert type_code(eve, code).status == 422


def test_the_code_of_one_claim_proves_no_later_one(portal):
    eve = portal.browser()
    eve.claim(ANN)
    portal.work()
    code = code_in(portal)
    eve.post("/g/guide/not-you", eve.get("/g/guide/done").fields)
    eve.claim(ANN)

    assert type_code(eve, code).status == 422
    with portal.store.read() as session:
        assert {one.state.value for one in session.scalars(sa.select(Visitor))} == {"claimed"}


def test_a_rejected_claim_cannot_be_proven_by_its_code(portal):
    eve = portal.browser()
    eve.claim(ANN, "prices")
    portal.work()
    code = code_in(portal)
    portal.browser().post(portal.link(), {"choice": "deny"})
    page = eve.gate("prices")
    answer = eve.post("/g/prices/code", {**page.fields, "code": code})

    assert answer.status == 303
    assert answer.headers["Location"].endswith("/g/prices")
    with portal.store.read() as session:
        assert {one.state.value for one in session.scalars(sa.select(Visitor))} == {"anonymous"}
