"""The person's own page: who may see what, correct it, take it, be forgotten."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.forms.models import Answer
from regportal.identity.models import Contact
from regportal.privacy.models import OwnLink
from tests.privacy.people import PRESS, Person, ask, link


@pytest.fixture
def own(ann):
    """Her page, freshly proven."""
    return ann.opens_her_page()


def test_whoever_is_not_proven_is_asked_for_an_address(portal):
    page = portal.browser().get("/me")

    assert page.status == 200
    assert page.asks_email is False
    assert 'type="email"' in page.text


def test_a_fresh_proof_shows_everything(own, ann):
    for expected in (ann.email, "Which country are you in?", "Germany", "A guide to widgets"):
        assert expected in own.text
    assert 'data-fresh="yes"' in own.text


def test_a_proven_browser_sees_newsletters_only_until_it_is_proven_anew(portal, ann):
    with time_machine.travel(_later(minutes=20)):
        page = ann.browser.get("/me")

    assert 'data-fresh="no"' in page.text
    assert "Price alerts" in page.text
    assert ann.email not in page.text
    assert "Germany" not in page.text


def test_without_a_fresh_proof_nothing_else_opens(portal, ann):
    for path in ("export.json", "export.csv", "erase", "answers/country", "address"):
        with time_machine.travel(_later(minutes=20)):
            stale = ann.browser.get(f"/me/{path}")
        stranger = portal.browser().get(f"/me/{path}")

        assert (stale.status, stranger.status) == (303, 303), path
        assert stale.headers["Location"] == "/me", path


def test_the_link_proves_the_browser_that_presses_it_and_no_other(portal, ann):
    asking, opening = portal.browser(), portal.browser()
    path = ann.asks_for_her_page(asking)
    shown = opening.get(path)
    opening.post(path, PRESS)

    assert "Yes, this is me" in shown.text
    assert ann.email not in shown.text
    assert 'data-fresh="yes"' in opening.get("/me").text
    assert 'data-rp="me"' not in asking.get("/me").text


def test_the_link_is_good_once(portal, ann):
    path = ann.asks_for_her_page()
    first, second = portal.browser(), portal.browser()
    first.post(path, PRESS)
    again = second.post(path, PRESS)

    assert again.status == 410
    assert 'data-rp="me"' not in second.get("/me").text


def test_the_link_is_good_for_a_quarter_of_an_hour(portal, ann):
    path = ann.asks_for_her_page()
    with time_machine.travel(_later(minutes=16)):
        late = portal.browser().post(path, PRESS)

    assert late.status == 410


def test_opening_the_link_changes_nothing(portal, ann):
    path = ann.asks_for_her_page()
    scanner = portal.browser()
    for _ in range(5):
        scanner.get(path)
    scanner.client.head(path)

    assert 'data-rp="me"' not in scanner.get("/me").text
    assert portal.browser().post(path, PRESS).status == 303


def test_an_address_we_do_not_know_leaves_no_trace_and_gets_no_mail(portal):
    ask(portal.browser(), "nobody@example.com")
    portal.work()

    with portal.store.read() as session:
        kept = session.scalars(sa.select(OwnLink)).one()
        assert (kept.email, kept.match_key, kept.hash) == ("", "", None)
    assert portal.mails() == []


def test_bad_addresses_are_told_at_once(portal):
    answer = ask(portal.browser(), "not an address")

    assert answer.status == 422
    assert "This does not look like an e-mail address." in answer.text


def test_a_corrected_answer_holds_and_the_old_one_stays_as_history(portal, ann, own):
    ann.browser.post("/me/answers/country", {**own.fields, "q-country": "FR"})
    portal.work()
    seen = ann.browser.get("/me").text

    assert "France" in seen
    assert "Germany" in seen
    assert portal.news("contact.updated")[-1]["fields"]["country"]["value"] == "FR"
    with portal.store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Answer)) == 2


def test_a_correction_is_judged_as_at_the_gate(ann, own):
    answer = ann.browser.post("/me/answers/country", {**own.fields, "q-country": "Atlantis"})

    assert answer.status == 422
    assert "Please choose one of the answers in the list." in answer.text


def test_a_question_is_never_asked_again_and_then_again(ann, own):
    ann.browser.post("/me/never/company", {**own.fields, "choice": "never"})
    never = ann.browser.gate("work").question
    ann.browser.post("/me/never/company", {**own.fields, "choice": "ask"})
    with time_machine.travel(_later(hours=1)):
        again = ann.browser.gate("work").question

    assert (never, again) == (None, "company")


def test_a_newsletter_can_be_paused_resumed_and_stopped(portal, ann, own):
    states = []
    for choice in ("pause", "resume", "stop"):
        ann.browser.post("/me/newsletters", {**own.fields, "newsletter": "news", "choice": choice})
        portal.work()
        states.append(portal.news("consent.changed")[-1]["state"])

    assert states == ["paused", "confirmed", "withdrawn"]


def test_what_somebody_else_did_can_be_denied(portal, ann, own):
    deed = re.search(r'action="(/me/deeds/[^"]+)"', own.text)[1]
    count = own.text.count("/me/deeds/")
    ann.browser.post(deed, own.fields)

    assert ann.browser.get("/me").text.count("/me/deeds/") == count - 1
    assert ann.browser.post(deed, own.fields).status == 404


def test_another_address_is_proven_by_its_own_mailbox_and_becomes_the_main_one(portal, ann, own):
    ann.browser.post("/me/address", {**own.fields, "email": "ann@new.example"})
    portal.work()
    assert portal.mails()[-1]["To"] == "ann@new.example"
    ann.browser.post(link(portal, "/me/"), PRESS)
    portal.work()

    with portal.store.read() as session:
        found = {one.email: one for one in session.scalars(sa.select(Contact))}
    main = found["ann@new.example"]
    assert found[ann.email].person_id == main.id == main.person_id
    assert portal.mails()[-1]["To"] == ann.email
    assert "was changed" in portal.mails()[-1]["Subject"]
    assert "ann@new.example" not in portal.mails()[-1].as_string()
    assert portal.news("contact.merged")


def test_signing_out_everywhere_ends_every_browser(portal, ann, own):
    other = portal.browser()
    ann.opens_her_page(other)
    other.post("/me/sign-out", {**other.get("/me").fields, "choice": "everywhere"})

    assert 'data-rp="me"' not in ann.browser.get("/me").text
    assert 'data-rp="me"' not in other.get("/me").text


def test_erasing_oneself_takes_one_page_and_one_press(portal, ann, own):
    asked = ann.browser.get("/me/erase")
    done = ann.browser.post("/me/erase", {**asked.fields, "choice": "erase"})

    assert "it is told to delete it" in asked.text
    assert "1 answer is deleted, with its history." in asked.text
    assert done.status == 200
    assert "Everything is deleted" in done.text
    assert ann.key is None
    assert 'data-rp="me"' not in ann.browser.get("/me").text


def test_erasing_without_the_button_does_nothing(ann, own):
    assert ann.browser.post("/me/erase", own.fields).status == 400
    assert ann.key is not None


def test_choices_of_a_browser_are_kept(ann, own):
    ann.browser.post("/me/choices", {**own.fields, "recognise": "yes", "track": "yes"})
    both = ann.browser.get("/me").text
    ann.browser.post("/me/choices", own.fields)
    none = ann.browser.get("/me").text

    assert len(re.findall(r'value="yes"\s+checked', both)) == 2
    assert len(re.findall(r'value="yes"\s+checked', none)) == 0


@pytest.mark.parametrize("path", ["/me/x.css", "/me/export.json/x.css", "/p/x.css/y", "/me/me.jpg"])
def test_no_page_answers_under_the_name_of_a_file(ann, own, path):
    answer = ann.browser.get(path)

    assert answer.status == 404
    assert ann.email not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_no_page_has_a_script_or_may_be_stored(ann, own):
    for path in ("/me", "/me/erase", "/me/address", "/me/asked", "/me/answers/country"):
        answer = ann.browser.get(path)

        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert "<script" not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"


def test_a_contact_the_crm_named_can_see_and_erase_it(portal):
    portal.hook("opportunity.upserted", {"external_id": "o-1", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "o-1", "email": "kim@example.com"})
    portal.work()
    kim = Person(portal, "kim@example.com")
    own = kim.opens_her_page()

    assert "kim@example.com" in own.text
    assert kim.browser.post("/me/erase", {**own.fields, "choice": "erase"}).status == 200


def _later(**more):
    return datetime.now(UTC) + timedelta(**more)


@pytest.mark.parametrize("path", ["/me", "/me/erase", "/me/address", "/me/answers/country"])
def test_not_you_stands_on_every_page_that_knows_somebody(ann, own, path):
    page = ann.browser.get(path)
    assert re.search(r'<button type="submit"[^>]*data-rp="not-you"', page.text)
    left = ann.browser.post("/me/sign-out", {**page.fields, "choice": "here"})

    assert left.status == 303
    assert 'data-rp="me"' not in ann.browser.get("/me").text


def test_whoever_is_erased_while_a_form_is_on_its_way_is_led_to_the_beginning(portal, ann, own):
    copy = portal.browser()
    for cookie in ("rp_v", "rp_s"):
        if kept := ann.browser.client.get_cookie(cookie):
            copy.client.set_cookie(cookie, kept.value)
    ann.browser.post("/me/erase", {**own.fields, "choice": "erase"})
    answers = [
        copy.post(path, {**own.fields, **fields}).status
        for path, fields in (
            ("/me/erase", {"choice": "erase"}),
            ("/me/newsletters", {"newsletter": "news", "choice": "stop"}),
            ("/me/answers/country", {"q-country": "FR"}),
            ("/me/sign-out", {"choice": "everywhere"}),
        )
    ]

    assert answers == [303, 303, 303, 303]
