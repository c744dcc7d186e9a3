"""
Seeing, taking or deleting what a company keeps of somebody else.

A page where people see their own data is the best prize there is: everything of a person in one
place. Elsewhere such pages are opened with a link that was in a newsletter once and is forwarded
with it; with a token that a mail scanner opens before its reader does; from a browser in which
somebody merely typed the address; or they say "we have sent you a link" to known addresses and "no
such customer" to others, and so tell everybody who is one. Some delete on a GET.

What we do: one answer for every address. A link by mail, good for one press within a quarter of an
hour, which proves the browser it is pressed in and nothing else. What is in a letter for longer
leads to newsletters only, and shows of the person a masked address. Everything beyond needs that
fresh proof, and no GET changes anything.
"""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.identity.actions import find_contact
from regportal.identity.contact_tokens import PREFERENCES, contact_token
from regportal.identity.models import Claim, ClaimState
from regportal.store.tokens import fresh_token
from tests.privacy.people import PRESS, Person, ask, link

OF_PEOPLE = ("contact", "claim", "consent_event", "suppression", "answer", "letter", "own_link")


@pytest.fixture
def victim(portal):
    return Person(portal, "victim@example.com").arrives()


@pytest.fixture
def eve(portal):
    return portal.browser()


def preferences(portal, person):
    """Return the path that every newsletter to this person carries."""
    keys, now = portal.settings.keys, datetime.now(UTC)

    def work(session):
        contact = find_contact(session, person.email)
        return contact_token(session, keys, contact.id, PREFERENCES, now=now)

    return f"/p/{portal.store.write(work)}"


def test_the_answer_is_the_same_for_known_and_unknown_addresses(portal, victim):
    answers = []
    for email in (victim.email, "strngr@example.com"):
        browser = portal.browser()
        answer = ask(browser, email)
        after = browser.get(answer.headers["Location"])
        names = [name for name, _ in answer.headers]
        text = re.sub(r'value="[^"]*"', "", after.text)  # its token is each browser's own
        answers.append((answer.status, answer.text, names, after.status, text))

    assert answers[0] == answers[1]


def test_the_request_asks_nothing_about_the_address(portal, victim, eve):
    fields = eve.get("/me").fields
    said = []
    engine = portal.store.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *call: said.append(call[2]))
    eve.post("/me", {**fields, "email": victim.email})

    assert said
    read = [text.lower() for text in said if text.lstrip().upper().startswith("SELECT")]
    for table in OF_PEOPLE:
        assert not [text for text in read if f" {table}" in text or f'"{table}"' in text], table


def test_typing_an_address_opens_nothing(portal, victim, eve):
    eve.claim(victim.email)
    portal.work()
    seen = eve.get("/me")

    assert 'data-rp="me"' not in seen.text
    for path in ("export.json", "export.csv", "erase", "answers/country"):
        assert eve.get(f"/me/{path}").status == 303
    assert eve.post("/me/erase", {**seen.fields, "choice": "erase"}).status == 303
    assert victim.key is not None


def test_a_forwarded_link_that_was_pressed_opens_nothing(portal, victim, eve):
    path = victim.asks_for_her_page()
    victim.browser.post(path, PRESS)

    assert eve.get(path).status == 410
    assert eve.post(path, PRESS).status == 410


def test_a_scanner_that_opens_every_link_opens_nothing(portal, victim, eve):
    path, other = victim.asks_for_her_page(), preferences(portal, victim)
    before = json.dumps(portal.told, default=str)
    for _ in range(20):
        eve.get(path)
        eve.get(other)
        eve.client.head(path)
        eve.client.options(other)
    portal.work()

    assert 'data-rp="me"' not in eve.get("/me").text
    assert json.dumps(portal.told, default=str) == before
    assert victim.browser.post(path, PRESS).status == 303


def test_the_link_of_a_newsletter_shows_newsletters_and_nothing_else(portal, victim, eve):
    path = preferences(portal, victim)
    page = eve.get(path)

    assert "v***@e***.com" in page.text
    assert victim.email not in page.text
    for secret in ("Germany", "country", "A guide to widgets", "crm"):
        assert secret not in page.text
    assert eve.get(path.replace("/p/", "/me/")).status == 404
    assert eve.get("/me/export.json").status == 303


def test_the_link_of_a_newsletter_never_asks_for_more(portal, victim, eve):
    path = preferences(portal, victim)
    for newsletter, choice in (("prices", "want"), ("prices", "resume"), ("news", "want")):
        answer = eve.post(path, {"newsletter": newsletter, "choice": choice})
        assert answer.status == 400
    portal.work()

    assert [news["newsletter"] for news in portal.news("consent.changed")] == ["news"]


def test_seeing_everything_from_there_goes_through_the_mailbox(portal, victim, eve):
    path = preferences(portal, victim)
    asked = eve.post(f"{path}/everything", PRESS)
    portal.work()

    assert asked.headers["Location"] == "/me/asked"
    assert 'data-rp="me"' not in eve.get("/me").text
    assert portal.mails()[-1]["To"] == victim.email


def test_a_proof_of_long_ago_erases_nothing(portal, victim):
    own = victim.opens_her_page()
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=16)):
        answer = victim.browser.post("/me/erase", {**own.fields, "choice": "erase"})

    assert answer.status == 303
    assert victim.key is not None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8000.evil.example"},
    ],
)
def test_no_other_page_presses_a_button_here(portal, victim, headers):
    own = victim.opens_her_page()
    forms = {
        "/me": {"email": "x@example.com"},
        "/me/erase": {"choice": "erase"},
        "/me/newsletters": {"newsletter": "news", "choice": "stop"},
        "/me/answers/country": {"q-country": "FR"},
        "/me/never/country": {},
        "/me/address": {"email": "x@example.com"},
        "/me/sign-out": {},
        "/me/choices": {"track": "yes"},
        preferences(portal, victim): {"newsletter": "news", "choice": "stop"},
    }

    for path, fields in forms.items():
        assert victim.browser.post(path, {**own.fields, **fields}, **headers).status == 403, path


def test_a_form_of_another_browser_is_refused(victim, eve):
    own = victim.opens_her_page()
    theirs = eve.get("/me").fields

    assert victim.browser.post("/me/erase", {**theirs, "choice": "erase"}).status == 403
    assert eve.post("/me/erase", {**own.fields, "choice": "erase"}).status == 403
    assert victim.key is not None


def test_deleting_by_a_get_is_not_possible(victim):
    victim.opens_her_page()
    victim.browser.get("/me/erase?choice=erase")
    victim.browser.client.delete("/me/erase")

    assert victim.key is not None


def test_guessed_links_lead_nowhere(eve):
    for path in (f"/me/{fresh_token()}", f"/p/{fresh_token()}", "/me/" + "A" * 43):
        assert eve.get(path).status == 404
    assert eve.post(f"/me/{fresh_token()}", PRESS).status == 410


def test_nobody_moves_a_person_to_an_address_that_does_not_answer(portal, victim):
    own = victim.opens_her_page()
    victim.browser.post("/me/address", {**own.fields, "email": "eve@example.com"})
    portal.work()

    assert portal.news("contact.merged") == []
    assert victim.key is not None


def test_somebody_elses_deed_cannot_be_denied(portal, victim):
    other = Person(portal, "other@example.com").arrives()
    page = other.opens_her_page()
    deed = page.text.partition('action="/me/deeds/')[2].partition('"')[0]
    own = victim.opens_her_page()

    assert victim.browser.post(f"/me/deeds/{deed}", own.fields).status == 404
    assert "/me/deeds/" + deed in other.browser.get("/me").text


def test_what_is_shown_of_a_purchase_names_nobody_else(portal, victim):
    portal.hook("opportunity.upserted", {"external_id": "o-1", "name": "Secret deal"})
    for email in (victim.email, "colleague@example.com"):
        portal.hook("contact_role.added", {"opportunity": "o-1", "email": email})
    victim.browser.send("prices")
    portal.work()
    page = victim.opens_her_page()

    assert "a purchase of your company" in page.text
    for secret in ("Secret deal", "colleague@example.com", "o-1"):
        assert secret not in page.text


def test_the_letter_holds_nothing_a_stranger_typed_and_one_link(portal, victim, eve):
    ask(eve, "VICTIM+tag@example.com")
    ask(eve, victim.email.upper())
    portal.work()
    letters = [one for one in portal.mails() if one["X-Regportal-Kind"] == "me"]

    assert len(letters) == 1
    text = letters[0].get_body(("plain",)).get_content()
    assert text.count("/me/") == 1
    assert link(portal, "/me/").startswith("/me/")


def test_a_press_on_a_letter_eve_caused_gives_her_nothing(portal, victim):
    """Eve says that the victim's address is her new one, and waits for his press."""
    eve = Person(portal, "eve@evil.example").arrives()
    page = eve.opens_her_page()
    eve.browser.post("/me/address", {**page.fields, "email": victim.email})
    portal.work()
    pressed = victim.browser.post(link(portal, "/me/"), PRESS)
    portal.work()

    assert pressed.status == 403
    assert victim.email not in eve.browser.get("/me").text
    with portal.store.read() as session:
        persons = {find_contact(session, one.email).person_id for one in (eve, victim)}
    assert len(persons) == 2


def test_the_link_of_a_newsletter_never_says_yes(portal, victim):
    path = preferences(portal, victim)
    for choice in ("pause", "resume"):
        portal.browser().post(path, {"newsletter": "news", "choice": choice})

    with portal.store.read() as session:
        said = session.execute(
            sa.text("SELECT state, method FROM consent_event ORDER BY number DESC LIMIT 2")
        ).all()
    assert {tuple(one) for one in said} == {("paused", "preference link")}


def test_what_else_was_given_with_an_address_is_shown_to_its_owner_only_a_while(portal, victim):
    """Whoever finds her browser open an hour later reads and decides nothing of it."""
    eve = portal.browser()
    eve.claim(victim.email)
    eve.send("study", q_country="NO")
    portal.work()
    victim.browser.send("guide")
    claim = _open_claim(portal)
    fresh = victim.opens_her_page() and victim.browser.get("/g/guide/done")
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=16)):
        victim.browser.send("guide")
        later = victim.browser.get("/g/guide/done")
        path = f"/g/guide/others/{claim}"
        decided = victim.browser.post(path, {**later.fields, "choice": "confirm"})

    assert "Norway" in fresh.text
    assert "Norway" not in later.text
    assert 'data-rp="deny"' not in later.text
    assert 'data-rp="own-page"' in later.text
    assert (decided.status, decided.headers["Location"]) == (303, "/me")
    assert _open_claim(portal) == claim


def test_a_framed_page_neither_shows_nor_decides_what_else_was_given(portal, victim):
    """A framed gate cannot confirm: whoever draws the page around it draws over its buttons."""
    portal.browser().claim(victim.email, "guide")
    eve = portal.browser()
    eve.claim(victim.email)
    eve.send("study", q_country="NO")
    portal.work()
    inside = "?in=frame&host=https://www.acme.example"
    victim.opens_her_page()
    victim.browser.send("guide")
    with portal.store.read() as session:
        open_ones = list(session.scalars(sa.select(Claim.id).where(Claim.state == ClaimState.OPEN)))
    framed = victim.browser.get(f"/g/guide/done{inside}")
    for claim in open_ones:
        for choice in ("confirm", "deny"):
            path = f"/g/guide/others/{claim}{inside}"
            answer = victim.browser.post(path, {**framed.fields, "choice": choice})
            assert answer.status == 303
    alone = victim.browser.get("/g/guide/done")

    assert "Norway" in alone.text
    assert "Norway" not in framed.text
    assert 'data-rp="deny"' not in framed.text
    assert 'data-rp="own-page"' in framed.text
    with portal.store.read() as session:
        assert (
            list(session.scalars(sa.select(Claim.id).where(Claim.state == ClaimState.OPEN)))
            == open_ones
        )


def test_a_page_that_signs_somebody_out_says_so_before(portal, victim):
    """Both mails lead to a page that names whoever is proven in this browser, masked."""
    other = Person(portal, "bea@widgets.example").arrives()
    link_of_bea = other.asks_for_her_page()
    portal.browser().claim("cid@widgets.example")
    portal.work()
    says = "This browser is signed in as"
    pages = [victim.browser.get(path) for path in (link_of_bea, portal.link())]
    own = [
        other.browser.get(link_of_bea),
        portal.browser().get(link_of_bea),
        portal.browser().get(portal.link()),
    ]

    for page in pages:
        assert says in page.text
        assert "v***@e***.com" in page.text
        assert victim.email not in page.text
    assert [says in page.text for page in own] == [False, False, False]


def test_a_token_from_before_a_proof_does_not_sign_its_owner_out(portal, victim):
    """Eve copied the victim's cookie before the proof; she presses her own link with it."""
    ann, thief = portal.browser(), portal.browser()
    eve = Person(portal, "eve@evil.example").arrives()
    ann.claim("ann@widgets.example")
    portal.work()
    old = (ann.client.get_cookie("rp_v") or ann.client.get_cookie("rp_s")).value
    ann.prove(portal)
    portal.work()
    path = eve.asks_for_her_page()
    thief.client.set_cookie("rp_v", old)
    pressed = thief.post(path, PRESS)

    assert pressed.status == 303
    assert 'data-rp="me"' in ann.get("/me").text
    assert 'data-fresh="yes"' in thief.get("/me").text
    assert eve.email in thief.get("/me").text


def _open_claim(portal):
    """Return the one claim that waits for an answer."""
    with portal.store.read() as session:
        waiting = sa.select(Claim.id).where(Claim.state == ClaimState.OPEN)
        return session.scalars(waiting).one()
