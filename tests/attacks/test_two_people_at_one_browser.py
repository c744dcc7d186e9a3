"""
Two people who both prove themselves in one browser.

A family, a shared desk, a tablet in a shop: Bob is known in this browser, and Ann opens her mail in
it. Products that keep one person a browser take her for him: they write what she told into his
profile, or sign her in over him and show each what the other told. Others fuse the two for ever.

What we do: the page of the mail asks whose the browser is to be. With "Yes, this was me" it
becomes hers, and he is signed out. With "Yes, but this browser stays that of b***" her request is
confirmed all the same, he stays signed in, and she can fetch what she asked for once. The code that
would prove the browser she began in stays in her mail: he may read this screen. Neither choice
gives one of them anything of the other.
"""

import random
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
import time_machine

from regportal.forms.models import Answer
from regportal.identity.actions import claim_of, find_contact
from regportal.identity.models import Claim, Visitor
from regportal.identity.recognising import recognise
from regportal.tracking.actions import seen_of_contacts
from tests.identity.test_codes import code_in
from tests.identity.test_state_machine import token_of
from tests.privacy.people import ask, link

ANN, BOB = "ann@widgetworks.example", "bob@gearbox.example"
MASKED = "b***@g***.example"
TOLD = {ANN: "Widget Works of Leeds", BOB: "Gearbox of Hull"}
GATE = {ANN: "guide", BOB: "prices"}
ASSET = {ANN: "guide", BOB: "list"}
YES, STAYS, NO = (
    {"choice": "confirm"},
    {"choice": "confirm", "browser": "stays"},
    {"choice": "deny"},
)


def asks(portal, email, gate=None):
    """Let somebody ask for something on a phone; return the phone, and the link of the mail."""
    phone = portal.browser()
    gate = gate or GATE[email]
    phone.claim(email, gate)
    phone.send("must", q_company=TOLD[email])
    portal.work()
    return phone, links(portal, email)[-1]


def links(portal, email):
    """Return the links in somebody's mails, oldest first."""
    return [portal.link(at) for at, one in enumerate(portal.mails()) if one["To"] == email]


def owner_of(portal, browser):
    """Return whose browser this is: the address that is proven in it, or None."""
    with portal.store.read() as session:
        visitor = recognise(session, token_of(browser), now=datetime.now(UTC)).visitor
        proven = visitor is not None and visitor.state == "verified"
        claim = claim_of(session, visitor) if proven else None
        return claim and claim.match_key


def kept_of(portal, email):
    """Return what we keep under an address: the answers, and the assets that were taken."""
    with portal.store.read() as session:
        contact = find_contact(session, email)
        if contact is None:
            return set(), set()
        given = session.scalars(sa.select(Answer.value).where(Answer.contact_id == contact.id))
        done = seen_of_contacts(session, [contact.id])
        return set(given), {one.object for one in done}


@pytest.fixture
def bobs(portal):
    """A browser in which Bob is proven."""
    browser = portal.browser()
    _, path = asks(portal, BOB)
    browser.post(path, YES)
    portal.work()
    return browser


def test_the_page_asks_whose_the_browser_is_to_be_and_names_nobody(portal, bobs):
    _, path = asks(portal, ANN)
    page = bobs.get(path)

    assert 'data-rp="confirm"' in page.text
    assert 'data-rp="deny"' in page.text
    assert 'data-rp="stays"' in page.text
    assert MASKED in page.text
    assert BOB not in page.text
    assert TOLD[BOB] not in page.text


def test_nobody_is_asked_where_nobody_else_is_proven(portal, bobs):
    _, path = asks(portal, BOB)
    here, elsewhere = bobs.get(path), portal.browser().get(path)

    for page in (here, elsewhere):
        assert 'data-rp="stays"' not in page.text
        assert MASKED not in page.text


def test_with_yes_the_browser_becomes_hers_and_he_is_signed_out(portal, bobs):
    _, path = asks(portal, ANN)
    before = token_of(bobs)
    bobs.post(path, YES)
    portal.work()

    assert owner_of(portal, bobs) == ANN
    with portal.store.read() as session:
        assert recognise(session, before, now=datetime.now(UTC)).visitor is None
    assert BOB not in bobs.get("/me").text


@pytest.mark.parametrize("gate", ["guide", "prices"])
def test_where_it_stays_his_she_is_confirmed_and_fetches_her_file_once(portal, bobs, gate):
    _, path = asks(portal, ANN, gate)
    before = token_of(bobs)
    answer = bobs.post(path, STAYS)
    portal.work()

    assert (answer.status, answer.headers.get("Set-Cookie")) == (200, None)
    assert (token_of(bobs), owner_of(portal, bobs)) == (before, BOB)
    assert kept_of(portal, ANN) == ({TOLD[ANN]}, {ASSET[ANN if gate == "guide" else BOB], "study"})
    assert ANN not in answer.text + bobs.get("/me").text
    assert TOLD[ANN] not in answer.text + bobs.get("/me").text
    assert "This is" in bobs.get(answer.download).text
    assert bobs.get(answer.download, **{"Sec-Fetch-Mode": "navigate"}).status == 303


def test_nothing_of_hers_can_be_read_in_his_browser_afterwards(portal, bobs):
    phone, path = asks(portal, ANN)
    code = code_in(portal)
    answer = bobs.post(path, STAYS)
    later = bobs.get(path)

    for page in (answer, later):
        assert code not in page.text
        assert ANN not in page.text
        assert TOLD[ANN] not in page.text
    assert later.status == 410
    assert owner_of(portal, phone) is None


def test_the_browser_she_began_in_is_proven_by_her_code_and_nothing_else(portal, bobs):
    phone, path = asks(portal, ANN)
    code = code_in(portal)
    bobs.post(path, STAYS)
    portal.work()
    assert owner_of(portal, phone) is None
    phone.post("/g/guide/code", {**phone.get("/g/guide/done").fields, "code": code})

    assert owner_of(portal, phone) == ANN


def test_pressed_twice_it_is_one_file_and_after_that_the_link_is_used(portal, bobs):
    _, path = asks(portal, ANN)
    first, second = bobs.post(path, STAYS), bobs.post(path, STAYS)
    bobs.get(first.download)
    third = bobs.post(path, STAYS)
    portal.work()

    assert first.download == second.download
    assert (third.status, third.download) == (200, None)
    assert bobs.post(path, YES).status == 410
    assert portal.browser().post(path, STAYS).status == 410
    assert owner_of(portal, bobs) == BOB
    with portal.store.read() as session:
        whose = (
            sa.select(sa.func.count())
            .select_from(Visitor)
            .join(Claim, Claim.id == Visitor.claim_id)
        )
        hers = Claim.match_key == ANN
        proven = session.scalar(whose.where(hers, Visitor.state == "verified"))
        live = session.scalar(
            whose.where(hers, Visitor.state == "verified", Visitor.ended_at.is_(None))
        )
    assert (proven, live) == (1, 0)


def test_the_file_goes_to_nobody_once_five_minutes_are_over(portal):
    with time_machine.travel("2026-03-02 09:00Z", tick=False) as clock:
        bobs = portal.browser()
        bobs.post(asks(portal, BOB)[1], YES)
        answer = bobs.post(asks(portal, ANN)[1], STAYS)
        clock.shift(301)

        assert bobs.get(answer.download, Accept="*/*").status == 403


def test_no_from_his_browser_leaves_him_there(portal, bobs):
    _, path = asks(portal, ANN)
    before = token_of(bobs)
    bobs.post(path, NO)
    portal.work()

    assert (token_of(bobs), owner_of(portal, bobs)) == (before, BOB)
    assert kept_of(portal, ANN) == (set(), set())


def test_his_gate_takes_no_code_of_hers(portal, bobs):
    asks(portal, ANN)
    code = code_in(portal)
    answer = bobs.post("/g/guide/code", {**bobs.gate("guide").fields, "code": code})

    assert answer.status in {303, 422}
    assert owner_of(portal, bobs) == BOB


def test_where_a_code_would_sign_him_out_the_page_says_so_before(portal, bobs):
    _, path = asks(portal, ANN)
    portal.browser().post(path, YES)
    portal.work()
    ask(bobs, ANN)
    portal.work()
    page = bobs.get("/me/asked")
    assert 'data-rp="signs-out"' in page.text
    assert MASKED in page.text
    bobs.post("/me/code", {**page.fields, "code": code_in(portal)})

    assert owner_of(portal, bobs) == ANN
    assert TOLD[BOB] not in bobs.get("/me").text


def test_his_own_code_signs_nobody_out_and_says_nothing(portal, bobs):
    ask(bobs, BOB)

    assert 'data-rp="signs-out"' not in bobs.get("/me/asked").text


def test_a_link_to_her_own_page_says_whom_it_signs_out(portal, bobs):
    _, path = asks(portal, ANN)
    portal.browser().post(path, YES)
    portal.work()
    ask(portal.browser(), ANN)
    portal.work()

    assert MASKED in bobs.get(link(portal, "/me/")).text


@pytest.mark.parametrize("seed", range(3))
def test_whatever_they_press_each_keeps_his_own(portal, seed):
    """Both ask on phones of their own, and press what they like in the browser they share."""
    chance = random.Random(seed)
    shared, holder = portal.browser(), None
    taken = {ANN: set(), BOB: set()}
    for _ in range(14):
        who = chance.choice((ANN, BOB))
        _, path = asks(portal, who)
        other = BOB if who == ANN else ANN
        asked = shared.get(path)
        press = chance.choice((YES, STAYS, STAYS, NO))
        answer = shared.post(path, press)
        portal.work()
        if press is YES:
            holder = who
        if press is not NO:
            taken[who] |= {ASSET[who], "study"}
        if holder is not None and chance.random() < 0.5:
            shared.send("work")
            taken[holder].add("guide")
        portal.work()

        assert owner_of(portal, shared) == holder
        for page in (asked, answer):
            assert other not in page.text
            assert TOLD[other] not in page.text
        own = shared.get("/me").text
        for one in {ANN, BOB} - {holder}:
            assert one not in own
            assert TOLD[one] not in own
        for one in (ANN, BOB):
            answers, assets = kept_of(portal, one)
            assert answers <= {TOLD[one]}
            assert assets <= taken[one]
