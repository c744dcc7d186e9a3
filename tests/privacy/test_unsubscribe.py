"""The link in every newsletter: one press stops it, and nothing but a press does anything."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.consent.actions import states_of, subject_of_contact
from regportal.consent.models import ConsentEvent
from regportal.consent.permission import may_mail
from regportal.identity.actions import find_contact
from regportal.identity.contact_tokens import PREFERENCES, UNSUBSCRIBE, contact_token
from regportal.identity.keys import add_key
from tests.portal import ORIGIN, SITE

ANN = "ann@acme.example"
RHYTHMS = SITE.replace("frequency: monthly", "frequency: weekly\n    rhythms: [monthly, quarterly]")


class Reader:
    """Ann, who gets the price alerts, and the link in her last letter."""

    def __init__(self, portal):
        self.portal = portal
        browser = portal.browser()
        browser.claim(ANN, "prices", n_prices="yes")
        portal.work()
        browser.prove(portal)
        portal.work()
        portal.told.clear()
        self.browser = portal.browser()
        with portal.store.read() as session:
            contact = find_contact(session, ANN).id
        keys = portal.settings.keys
        self.token = portal.store.write(
            lambda session: contact_token(
                session, keys, contact, UNSUBSCRIBE, "prices", now=datetime.now(UTC)
            )
        )
        self.path = f"/u/{self.token}"

    def press(self, choice, **fields):
        """Press a button of the page; the answer is the page it leads to."""
        answer = self.browser.post(self.path, {"choice": choice, **fields})
        place = answer.headers.get("Location")
        page = self.browser.get(place) if place else answer
        found = re.search(r'name="undo" value="([^"]+)"', page.text)
        page.undo = found[1] if found else None
        return page

    def one_click(self, body="List-Unsubscribe=One-Click", kind=None, **headers):
        """Do what a mail program does: no cookie, no origin, no browser."""
        client = self.portal.app.test_client(use_cookies=False)
        kind = kind or "application/x-www-form-urlencoded"
        return client.post(
            self.path, data=body, content_type=kind, headers=headers, base_url=ORIGIN
        )

    def allows(self, at=None):
        with self.portal.store.read() as session:
            contact = find_contact(session, ANN)
            return may_mail(session, contact, "prices", at=at or datetime.now(UTC))

    def line(self, newsletter="prices"):
        with self.portal.store.read() as session:
            contact = find_contact(session, ANN)
            return states_of(session, subject_of_contact(contact.id)).get(newsletter)

    def lines(self):
        with self.portal.store.read() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(ConsentEvent))


@pytest.fixture
def ann(portal):
    return Reader(portal)


def test_one_press_in_the_mail_program_stops_the_newsletter(ann):
    answer = ann.one_click()

    assert (answer.status_code, answer.headers.get("Location")) == (200, None)
    assert "Set-Cookie" not in answer.headers
    assert (ann.allows().allowed, ann.line().state, ann.line().method) == (
        False,
        "withdrawn",
        "one-click",
    )


def test_one_press_sent_as_multipart_stops_it_as_well(ann):
    body = (
        b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
        b"One-Click\r\n--x--\r\n"
    )
    answer = ann.one_click(body, "multipart/form-data; boundary=x")

    assert answer.status_code == 200
    assert not ann.allows().allowed


def test_one_press_needs_no_origin_and_none_stops_it(ann):
    answer = ann.one_click(Origin="https://mail.example", **{"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 200
    assert not ann.allows().allowed


def test_pressing_it_twice_is_pressing_it_once(ann):
    ann.one_click()
    lines = ann.lines()

    assert ann.one_click().status_code == 200
    assert ann.lines() == lines


def test_it_stops_one_newsletter_and_no_other(ann):
    ann.one_click()

    assert ann.line("news") is None


NO_PRESSES = [
    ("", None),
    ("List-Unsubscribe=one-click", None),
    ("List-Unsubscribe=One-Click&x=1", None),
    ("List-Unsubscribe=One-Click&List-Unsubscribe=One-Click", None),
    ("list-unsubscribe=One-Click", None),
    ("List-Unsubscribe=One-Click", "text/plain"),
    ('{"List-Unsubscribe": "One-Click"}', "application/json"),
    ("--x\r\nbroken", "multipart/form-data; boundary=x"),
    (b"\xff\xfe", None),
]


def test_anything_else_without_an_origin_is_refused(ann):
    for body, kind in NO_PRESSES:
        answer = ann.one_click(body, kind)

        assert answer.status_code in {400, 403}, body
        assert ann.allows().allowed, body


def test_opening_the_link_changes_nothing(ann):
    lines = ann.lines()
    for method in ("get", "head", "options"):
        getattr(ann.browser.client, method)(ann.path, base_url=ORIGIN)

    assert ann.lines() == lines
    assert ann.allows().allowed


def test_the_page_says_what_is_sent_where_and_shows_no_address(ann):
    page = ann.browser.get(ann.path)

    assert (page.status, page.headers["Cache-Control"]) == (200, "no-store")
    assert "Price alerts" in page.text
    assert '<bdi dir="ltr">a***@a***.example</bdi>' in page.text
    assert ANN not in page.text
    assert "<script" not in page.text


def test_stop_is_told_ahead_of_all_other_news(ann):
    ann.press("stop")
    ann.portal.work()
    (told,) = ann.portal.news("consent.changed")

    assert (told["state"], told["newsletter"]) == ("withdrawn", "prices")


def test_whoever_pressed_stop_may_take_it_back_for_half_an_hour(ann):
    page = ann.press("stop")
    undo = page.undo
    page = ann.press("undo", undo=undo)

    assert undo
    assert 'data-status="sent"' in page.text
    assert ann.allows().allowed
    assert ann.line().method == "undo"


def test_half_an_hour_later_it_is_too_late(ann):
    undo = ann.press("stop").undo
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=31), tick=False):
        late = ann.press("undo", undo=undo)

    assert late.undo is None
    assert not ann.allows().allowed


@pytest.mark.parametrize("undo", ["", "x", "A" * 43])
def test_nobody_takes_back_what_somebody_else_pressed(ann, undo):
    ann.one_click()
    ann.press("undo", undo=undo)

    assert not ann.allows().allowed
    assert 'name="undo"' not in ann.browser.get(ann.path).text


def own_page(ann):
    """Stop it on one's own page, as somebody who came by the link of a letter does."""
    browser = ann.portal.browser()
    with ann.portal.store.read() as session:
        contact = find_contact(session, ANN).id
    keys = ann.portal.settings.keys
    token = ann.portal.store.write(
        lambda session: contact_token(session, keys, contact, PREFERENCES, now=datetime.now(UTC))
    )
    browser.post(f"/p/{token}", {"newsletter": "prices", "choice": "stop"})


def another_browser(ann):
    """Press the button of a page that was open since before, in another browser."""
    ann.portal.browser().post(ann.path, {"choice": "stop"}, **{"User-Agent": "Another/1.0"})


def crm(ann):
    ann.portal.hook("consent.withdrawn", {"email": ANN, "newsletter": "prices"})
    ann.portal.work()


def mailer(ann, kind="unsubscribe"):
    """Tell it as the company's mailer does."""
    _, secret = ann.portal.store.write(
        lambda session: add_key(session, "mailer", ["bounces"], now=datetime.now(UTC))
    )
    event = {"id": "1", "type": kind, "email": ANN, "permanent": kind == "bounce"}
    ann.portal.app.test_client(use_cookies=False).post(
        "/api/v1/bounces",
        json={"events": [event]},
        headers={"Authorization": f"Bearer {secret}"},
        base_url=ORIGIN,
    )


def complaint(ann):
    mailer(ann, "complaint")


def bounce(ann):
    mailer(ann, "bounce")


@pytest.mark.parametrize("first", ["stop", "pause"])
@pytest.mark.parametrize(
    ("stops", "state"),
    [
        (Reader.one_click, "withdrawn"),
        (own_page, "withdrawn"),
        (another_browser, "withdrawn"),
        (crm, "withdrawn"),
        (mailer, "withdrawn"),
        (complaint, "suppressed"),
        (bounce, "suppressed"),
    ],
)
def test_whoever_takes_back_his_own_press_takes_back_nobody_elses(ann, first, stops, state):
    """Somebody has the letter forwarded; he presses first, and undoes it after its owner's no."""
    undo = ann.press(first).undo
    stops(ann)
    ann.press("undo", undo=undo)

    assert undo
    assert (ann.allows().allowed, ann.allows().state) == (False, state)


def test_a_second_stop_is_a_withdrawal_of_its_own_and_ends_there(ann):
    """Two CRMs that each repeat what they are told write one line more, and not for ever."""
    ann.press("stop")
    before = ann.lines()
    for _ in range(3):
        crm(ann)
        ann.one_click()

    assert ann.lines() == before + 1
    assert (ann.line().event_type, ann.line().method) == ("withdrawal", "crm")


def test_half_an_hour_later_a_second_stop_says_nothing_new(ann):
    ann.press("stop")
    before = ann.lines()
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=31), tick=False):
        ann.one_click()

    assert ann.lines() == before


@pytest.mark.parametrize("choice", ["stop", "pause"])
def test_a_double_click_is_taken_back_as_one_press(ann, choice):
    undo = ann.press(choice).undo
    before = ann.lines()
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=1), tick=False):
        ann.press(choice)
    assert ann.lines() == before
    ann.press("undo", undo=undo)

    assert ann.allows().allowed


@pytest.mark.parametrize("choice", ["stop", "pause"])
def test_the_second_answer_of_a_double_click_takes_back_the_first(ann, choice):
    first, second = ann.press(choice), ann.press(choice)
    assert (second.status, second.undo) == (200, first.undo)
    ann.press("undo", undo=second.undo)

    assert ann.allows().allowed


def test_a_double_click_on_less_often_is_no_mistake(ann):
    ann.portal.publish(RHYTHMS)
    first, second = ann.press("quarterly"), ann.press("quarterly")

    assert (first.status, second.status) == (200, 200)
    assert "From now on it comes quarterly" in second.text
    assert ann.line().rhythm == "quarterly"


@pytest.mark.parametrize(("agent", "seconds"), [("Another", 1), (None, 61)])
def test_whoever_stops_it_after_somebody_else_takes_back_nothing_of_his(ann, agent, seconds):
    ann.press("stop")
    ann.browser.headers |= {"User-Agent": agent} if agent else {}
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=False):
        ann.press("undo", undo=ann.press("stop").undo or "")

    assert not ann.allows().allowed


def test_a_stop_after_a_pause_is_taken_back_to_the_pause(ann):
    ann.press("pause")
    ann.press("undo", undo=ann.press("stop").undo)

    assert ann.allows().state == "paused"


def test_less_often_while_it_is_paused_is_taken_back_to_the_pause(ann):
    ann.portal.publish(RHYTHMS)
    paused = ann.press("pause").undo
    slower = ann.press("quarterly").undo
    ann.press("undo", undo=paused)
    assert ann.line().rhythm == "quarterly"
    ann.press("undo", undo=slower)

    assert (ann.allows().state, ann.line().rhythm) == ("paused", None)


def test_a_pause_ends_by_itself(ann):
    page = ann.press("pause")
    now = datetime.now(UTC)

    assert 'data-status="paused"' in page.text
    assert (ann.allows().state, ann.allows().allowed) == ("paused", False)
    assert not ann.allows(now + timedelta(days=89)).allowed
    assert (ann.allows(now + timedelta(days=91)).state) == "confirmed"
    assert ann.allows(now + timedelta(days=91)).allowed


def test_less_often_is_offered_where_the_newsletter_can_be(ann):
    before = ann.browser.get(ann.path)
    ann.portal.publish(RHYTHMS)
    page = ann.press("quarterly")
    ann.portal.work()
    (told,) = ann.portal.news("consent.changed")

    assert 'data-rp="less"' not in before.text
    assert (ann.line().state, ann.line().rhythm) == ("confirmed", "quarterly")
    assert (told["state"], told["frequency"]) == ("confirmed", "quarterly")
    assert ann.allows().rhythm == "quarterly"
    assert 'value="monthly"' not in page.text


def test_more_often_is_not_what_this_link_can_do(ann):
    ann.portal.publish(RHYTHMS)
    ann.press("quarterly")
    more = ann.press("monthly")

    assert more.status == 400
    assert ann.line().rhythm == "quarterly"


def test_a_button_that_is_not_there_is_refused(ann):
    lines = ann.lines()
    for choice in ("", "confirm", "weekly", "resume", "daily"):
        assert ann.press(choice).status == 400, choice
        assert ann.lines() == lines, choice


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_the_buttons_are_pressed_on_our_page_or_not_at_all(ann, headers):
    answer = ann.browser.post(ann.path, {"choice": "stop"}, **headers)

    assert answer.status == 403
    assert ann.allows().allowed


@pytest.mark.parametrize("token", ["x", "A" * 43, "%00", "ü"])
def test_a_link_nobody_made_leads_nowhere(ann, token):
    assert ann.browser.get(f"/u/{token}").status == 404
    assert ann.browser.post(f"/u/{token}", {"choice": "stop"}).status == 404


def test_the_link_of_another_purpose_does_not_open_it(ann):
    keys = ann.portal.settings.keys
    with ann.portal.store.read() as session:
        contact = find_contact(session, ANN).id
    other = ann.portal.store.write(
        lambda session: contact_token(
            session, keys, contact, "preferences", "prices", now=datetime.now(UTC)
        )
    )

    assert ann.browser.get(f"/u/{other}").status == 404


def test_the_link_is_good_for_years(ann):
    with time_machine.travel(datetime.now(UTC) + timedelta(days=800), tick=False):
        assert ann.one_click().status_code == 200


def test_the_link_outlives_the_newsletter(ann):
    ann.portal.publish(SITE)
    with ann.portal.store.engine.begin() as connection:
        connection.execute(
            sa.text("DELETE FROM current_document WHERE kind = 'newsletter' AND key = 'prices'")
        )
    ann.portal.shelf._held = None

    assert ann.browser.get(ann.path).status == 200
    assert ann.one_click().status_code == 200
    assert not ann.allows().allowed


def test_a_letter_about_a_newsletter_can_be_stopped_from_the_mail_program(portal):
    browser = portal.browser()
    browser.claim(ANN)
    portal.work()
    browser.prove(portal)
    portal.work()
    page = browser.gate("study")
    browser.send("study", page, n_news="yes")
    portal.work()
    letter = portal.mails()[-1]
    link = letter["List-Unsubscribe"].strip(" <>").removeprefix(ORIGIN)
    answer = portal.app.test_client().post(
        link, data={"List-Unsubscribe": "One-Click"}, base_url=ORIGIN
    )

    assert letter["X-Regportal-Kind"] == "consent"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert answer.status_code == 200
    with portal.store.read() as session:
        contact = find_contact(session, ANN)
        assert not may_mail(session, contact, "news", at=datetime.now(UTC)).allowed
