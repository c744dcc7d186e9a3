"""
Guessing a code.

Six digits are a million guesses. Where tries are counted after the comparison, or in each worker
for itself, a hundred requests at once are a hundred guesses; where a new mail brings new tries,
patience is enough. Here a letter has five tries, counted behind a lock, and letters are capped.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
import time_machine

from regportal.identity.models import Proof, Visitor
from regportal.privacy.models import OwnLink
from tests.identity.test_codes import code_in, type_code
from tests.portal import ORIGIN
from tests.privacy.people import PRESS, Person, ask, link

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


def own_page(portal):
    """Let Ann be known, and somebody ask for the link to her own page; return both and the code."""
    ann = Person(portal, ANN).arrives()
    eve = portal.browser()
    ask(eve, ANN)
    portal.work()
    return ann, eve, code_in(portal)


def types(browser, code):
    """Type a code on the page that waits for the mail."""
    fields = browser.get("/me/asked").fields
    return browser.post("/me/code", {**fields, "code": code})


def test_the_code_of_a_letter_to_the_own_page_proves_the_browser_that_asked_and_no_other(portal):
    ann, asked, code = own_page(portal)
    eve = portal.browser()
    eve.get("/me")  # brings a cookie
    other = types(eve, code)
    here = types(asked, f"{code[:3]} {code[3:]}")

    assert (other.status, here.status) == (422, 303)
    assert 'data-rp="me"' not in eve.get("/me").text
    assert 'data-fresh="yes"' in asked.get("/me").text
    assert ann.email in asked.get("/me").text


def test_that_code_is_good_once_and_its_link_no_more_after_it(portal):
    _, asked, code = own_page(portal)
    types(asked, code)
    path = link(portal, "/me/")

    assert portal.browser().post(path, PRESS).status == 410
    assert types(asked, code).status == 422
    assert 'data-fresh="yes"' in asked.get("/me").text


def test_that_code_has_five_tries_however_many_come_at_once(portal):
    _, asked, code = own_page(portal)
    fields = asked.get("/me/asked").fields
    token = (asked.client.get_cookie("rp_v") or asked.client.get_cookie("rp_s")).value

    def guess(number):
        client = portal.app.test_client()
        client.set_cookie("rp_s", token)
        typed = {**fields, "code": f"{(int(code) + 1 + number) % 1_000_000:06}"}
        headers = {**asked.headers, **asked.origin}
        return client.post("/me/code", data=typed, headers=headers, base_url=ORIGIN).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(guess, range(24))) == {422}

    with portal.store.read() as session:
        assert [one.tries for one in session.scalars(sa.select(OwnLink))] == [5]
    assert types(asked, code).status == 422


def test_whoever_asks_for_many_has_no_more_guesses(portal):
    ann, bob, eve = (Person(portal, f"{name}@widgets.example").arrives() for name in "abc")
    browser = portal.browser()
    codes = []
    for person in (ann, bob, eve):
        ask(browser, person.email)
        portal.work()
        codes.append(code_in(portal))
    wrong = next(f"{n:06}" for n in range(9) if f"{n:06}" not in codes)
    answers = [types(browser, code).status for code in (wrong, codes[0], codes[1])]

    assert answers == [422] * 3
    with portal.store.read() as session:
        links = session.scalars(sa.select(OwnLink).order_by(OwnLink.made_at, OwnLink.id)).all()
        assert [one.tries for one in links][-3:] == [0, 0, 3]
    assert types(browser, codes[2]).status == 303


def test_that_code_is_good_for_ten_minutes_its_link_for_fifteen(portal):
    _, asked, code = own_page(portal)
    path = link(portal, "/me/")
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=11)):
        assert types(asked, code).status == 422
        assert portal.browser().post(path, PRESS).status == 303


def test_a_code_for_an_address_nobody_knows_is_refused_in_the_same_words(portal):
    _, asked, code = own_page(portal)
    stranger = portal.browser()
    ask(stranger, "nobody@example.com")
    portal.work()
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    pages = [types(browser, wrong) for browser in (asked, stranger)]

    assert [page.status for page in pages] == [422, 422]
    token = re.compile(r'(name="csrf_token"[^>]*value|value)="[^"]*"')
    assert token.sub("", pages[0].text) == token.sub("", pages[1].text)


def test_no_letter_brings_a_code_for_a_browser_that_keeps_no_cookie(portal):
    Person(portal, ANN).arrives()
    bare = portal.browser()
    fields = bare.get("/me").fields
    bare.client.delete_cookie("rp_s")
    bare.client.delete_cookie("rp_v")
    asked = bare.post("/me", {**fields, "email": ANN})

    assert asked.status == 403
