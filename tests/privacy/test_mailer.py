"""What the company's mailer may ask, and what it tells: who may be written to, what came back."""

import json
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
import sqlalchemy as sa
import time_machine

from regportal.consent.permission import may_mail
from regportal.consent.suppression import reasons
from regportal.identity.actions import find_contact
from regportal.identity.keys import SCOPES, add_key, revoke_key
from regportal.identity.models import ApiKey
from regportal.privacy.models import MailEvent
from tests.portal import ORIGIN
from tests.privacy.people import Person

ANN, BOB = "ann@acme.example", "bob@acme.example"
SHAPE = {
    *("may_mail", "newsletter", "state", "since", "frequency"),
    *("evidence_id", "unsubscribe", "because"),
}
DSN = """\
From: MAILER-DAEMON@mx.example\r
To: bounces@acme.example\r
Message-ID: <{id}@mx.example>\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r
\r
--b\r
Content-Type: text/plain\r
\r
It could not be delivered.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.example\r
\r
Final-Recipient: rfc822; {email}\r
Action: {action}\r
Status: {status}\r
\r
--b\r
Content-Type: text/rfc822-headers\r
\r
To: {email}\r
Subject: Prices\r
{more}\r
--b--\r
"""
ARF = """\
From: abuse@mailbox.example\r
Message-ID: <arf-1@mailbox.example>\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r
\r
--b\r
Content-Type: text/plain\r
\r
This is a report.\r
--b\r
Content-Type: message/feedback-report\r
\r
Feedback-Type: {type}\r
User-Agent: Somebody/1.0\r
Version: 1\r
\r
--b\r
Content-Type: message/rfc822\r
\r
From: news@acme.example\r
To: {email}\r
Subject: Prices\r
\r
Hello\r
--b--\r
"""


class Mailer:
    """The company's mailer, with a key of its own."""

    def __init__(self, portal):
        self.portal = portal
        self.key, self.secret = portal.store.write(
            lambda session: add_key(session, "mailer", [*SCOPES], now=datetime.now(UTC))
        )
        self.client = portal.app.test_client(use_cookies=False)

    def ask(self, email=ANN, newsletter="prices", **headers):
        return self.client.get(
            "/api/v1/may-mail",
            query_string={"email": email, "newsletter": newsletter},
            headers=self.headers | headers,
            base_url=ORIGIN,
        )

    def post(self, path, body, kind="application/json", **headers):
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.client.post(
            f"/api/v1/{path}",
            data=data,
            content_type=kind,
            headers=self.headers | headers,
            base_url=ORIGIN,
        )

    def tell(self, **event):
        event = {"id": "1", "type": "bounce", "email": ANN} | event
        return self.post("bounces", {"events": [event]})

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.secret}"}

    def allows(self, email=ANN, newsletter="prices"):
        return self.ask(email, newsletter).get_json()["may_mail"]


def reads_prices(portal, email):
    """Somebody asks for the price alerts and confirms them."""
    browser = portal.browser()
    browser.claim(email, "prices", n_prices="yes")
    portal.work()
    browser.prove(portal)
    portal.work()
    return browser


@pytest.fixture
def mailer(portal):
    reads_prices(portal, ANN)
    portal.told.clear()
    return Mailer(portal)


def suppressed(mailer, email=ANN):
    pepper = mailer.portal.settings.pepper_text
    with mailer.portal.store.read() as session:
        return reasons(session, email, pepper)


# --- who may be written to ---


def test_who_confirmed_may_be_written_to_and_here_is_why(mailer):
    answer = mailer.ask().get_json()

    assert set(answer) == SHAPE
    assert (answer["may_mail"], answer["state"], answer["newsletter"]) == (
        True,
        "confirmed",
        "prices",
    )
    assert answer["unsubscribe"].startswith(f"{ORIGIN}/u/")
    assert answer["since"].endswith("Z")


def test_the_evidence_is_a_line_of_the_ledger(mailer):
    evidence = mailer.ask().get_json()["evidence_id"]
    with mailer.portal.store.read() as session:
        allows = may_mail(session, find_contact(session, ANN), "prices", at=datetime.now(UTC))

    assert evidence == allows.evidence_id


def test_the_link_it_gives_stops_the_newsletter(mailer):
    link = mailer.ask().get_json()["unsubscribe"]
    again = mailer.ask().get_json()["unsubscribe"]
    mailer.client.post(
        link.removeprefix(ORIGIN), data={"List-Unsubscribe": "One-Click"}, base_url=ORIGIN
    )
    after = mailer.ask().get_json()

    assert link == again
    assert (after["may_mail"], after["state"]) == (False, "withdrawn")


def test_an_unknown_address_is_answered_in_the_same_shape(mailer):
    for email, newsletter in product(
        ("nobody@acme.example", "no address", "ann@", "=cmd@x"), ("prices", "news", "never-was")
    ):
        answer = mailer.ask(email, newsletter)

        assert answer.status_code == 200
        assert set(answer.get_json()) == SHAPE
        assert (answer.get_json()["may_mail"], answer.get_json()["unsubscribe"]) == (False, None)


def test_an_address_is_found_however_it_is_spelled(mailer):
    assert mailer.allows("Ann@ACME.example")


def test_what_was_only_claimed_may_not_be_mailed(portal):
    portal.browser().claim(BOB, "prices", n_prices="yes")
    portal.work()

    assert not Mailer(portal).allows(BOB)


def test_a_thousand_are_answered_at_once_in_their_order(mailer):
    emails = [f"p{number}@acme.example" for number in range(999)] + [ANN]
    answer = mailer.post("may-mail", {"newsletter": "prices", "emails": emails})
    results = answer.get_json()["results"]

    assert [one["email"] for one in results] == emails
    assert [one["may_mail"] for one in results] == [False] * 999 + [True]


NOT_UNDERSTOOD = [
    {"newsletter": "prices", "emails": []},
    {"newsletter": "prices", "emails": ["a@b.example"] * 1001},
    {"newsletter": "prices"},
    {"newsletter": "prices", "emails": "ann@acme.example"},
    {"newsletter": "prices", "emails": [1]},
    {"newsletter": "Prices!", "emails": [ANN]},
    {"newsletter": "prices", "emails": [ANN], "state": "confirmed"},
    [],
    "x",
    b"{",
    b'{"newsletter": "a", "newsletter": "prices", "emails": ["ann@acme.example"]}',
    b"\xff",
]


def test_a_question_we_do_not_understand_is_refused_whole(mailer):
    for body in NOT_UNDERSTOOD:
        answer = mailer.post("may-mail", body)

        assert answer.status_code == 400, body
        assert answer.content_type == "application/problem+json"


def test_a_question_without_an_address_is_refused(mailer):
    for query in ("", "email=ann@acme.example", "newsletter=prices", "a=b"):
        asked = f"/api/v1/may-mail?{query}"
        answer = mailer.client.get(asked, headers=mailer.headers, base_url=ORIGIN)

        assert answer.status_code == 400, query


def test_another_content_type_is_refused(mailer):
    assert mailer.post("may-mail", "{}", "text/plain").status_code == 400


# --- keys ---


KEYS = (None, "", "Bearer", "Bearer x", "Bearer rpk_" + "A" * 43, "Basic {}", "{}")


def test_without_a_good_key_nobody_is_answered(mailer):
    for key, path in product(KEYS, ("may-mail", "bounces")):
        headers = {} if key is None else {"Authorization": key.format(mailer.secret)}
        answer = mailer.client.post(f"/api/v1/{path}", json={}, headers=headers, base_url=ORIGIN)

        assert answer.status_code == 401, (key, path)
        assert mailer.secret not in answer.get_data(as_text=True)


def test_a_key_opens_what_it_is_for_and_nothing_else(mailer):
    _, mailer.secret = mailer.portal.store.write(
        lambda session: add_key(session, "bounces only", ["bounces"], now=datetime.now(UTC))
    )

    assert mailer.ask().status_code == 403
    assert mailer.tell(permanent=False).status_code == 202


def test_a_revoked_key_opens_nothing(mailer):
    mailer.portal.store.write(
        lambda session: revoke_key(session, mailer.key.id, now=datetime.now(UTC))
    )

    assert mailer.ask().status_code == 401


def test_a_key_opens_nothing_when_its_time_is_over(mailer):
    ends = datetime.now(UTC) + timedelta(days=1)
    _, mailer.secret = mailer.portal.store.write(
        lambda session: add_key(
            session, "for a day", ["may-mail"], expires_at=ends, now=datetime.now(UTC)
        )
    )

    assert mailer.ask().status_code == 200
    with time_machine.travel(ends, tick=False):
        assert mailer.ask().status_code == 401


def test_of_a_key_it_is_known_when_it_was_used_last(mailer):
    def used_at():
        mailer.portal.store.catch_up()
        with mailer.portal.store.read() as session:
            return session.get(ApiKey, mailer.key.id).used_at

    before = used_at()
    mailer.ask()
    first = used_at()
    mailer.ask()
    again = used_at()
    with time_machine.travel(first + timedelta(hours=2), tick=False):
        mailer.ask()

    assert before is None
    assert again == first
    assert used_at() == first + timedelta(hours=2)


def test_a_key_is_kept_as_a_hash_only(mailer):
    with mailer.portal.store.engine.connect() as connection:
        kept = str(connection.execute(sa.text("SELECT * FROM api_key")).all())

    assert mailer.secret not in kept


# --- what came back ---


def test_a_mail_that_came_back_for_good_suppresses_the_address(mailer):
    answer = mailer.tell(permanent=True)
    mailer.portal.work()
    (told,) = mailer.portal.news("consent.changed")

    assert answer.get_json() == {"accepted": 1, "duplicate": 0, "refused": []}
    assert mailer.ask().get_json()["state"] == "suppressed"
    assert suppressed(mailer) == {"bounce"}
    assert told["state"] == "suppressed"


def test_one_that_came_back_for_now_is_only_counted(mailer):
    mailer.tell(permanent=False)

    assert mailer.allows()
    assert suppressed(mailer) == frozenset()
    with mailer.portal.store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(MailEvent)) == 1


def test_a_complaint_suppresses_every_newsletter(mailer):
    mailer.tell(type="complaint")

    assert mailer.ask().get_json()["state"] == "suppressed"
    assert suppressed(mailer) == {"complaint"}


def test_to_an_address_whose_mail_came_back_no_letter_goes(mailer):
    mailer.tell(email=BOB, permanent=True)
    mails = len(mailer.portal.mails())
    page = mailer.portal.browser().claim(BOB, "prices")
    mailer.portal.work()

    assert page.status == 303
    assert len(mailer.portal.mails()) == mails


@pytest.mark.parametrize("kind", ["bounce", "complaint"])
def test_no_letter_goes_that_a_stranger_could_cause(mailer, kind):
    """To the gate nothing of it can be seen; the owner may still ask for his own page."""
    mailer.tell(type=kind, email=BOB, permanent=True)
    mails = len(mailer.portal.mails())
    page = mailer.portal.browser().claim(BOB, "prices", n_prices="yes")
    mailer.portal.work()

    assert page.status == 303
    assert len(mailer.portal.mails()) == mails


def test_who_complained_is_not_asked_to_confirm_a_newsletter(portal):
    browser = portal.browser()
    browser.claim(ANN)
    portal.work()
    browser.prove(portal)
    portal.work()
    Mailer(portal).tell(type="complaint")
    mails = len(portal.mails())
    browser.send("study", browser.gate("study"), n_news="yes")
    portal.work()

    assert len(portal.mails()) == mails


@pytest.mark.parametrize(("kind", "letters"), [("complaint", ["me"]), ("bounce", [])])
def test_the_link_to_ones_own_page_goes_to_who_complained(mailer, kind, letters):
    mailer.tell(type=kind, permanent=True)
    mails = len(mailer.portal.mails())
    browser = mailer.portal.browser()
    browser.post("/me", {**browser.get("/me").fields, "email": ANN})
    mailer.portal.work()

    assert [one["X-Regportal-Kind"] for one in mailer.portal.mails()[mails:]] == letters


@pytest.mark.parametrize("kind", ["bounce", "complaint"])
def test_nobody_moves_to_an_address_that_is_left_alone(portal, kind):
    """The letter asks whoever owns the other mailbox, and anybody could have named it."""
    ann = Person(portal, ANN).arrives()
    own = ann.opens_her_page()
    Mailer(portal).tell(type=kind, email=BOB, permanent=True)
    mails = len(portal.mails())
    page = ann.browser.post("/me/address", {**own.fields, "email": BOB})
    portal.work()

    other = ann.browser.post("/me/address", {**own.fields, "email": "ann@new.example"})
    assert (page.status, len(page.text)) == (other.status, len(other.text))
    assert len(portal.mails()) == mails
    portal.work()
    assert portal.mails()[-1]["To"] == "ann@new.example"


@pytest.mark.parametrize("kind", ["bounce", "complaint"])
def test_what_waits_for_a_yes_does_not_begin_after_it(portal, kind):
    browser = portal.browser()
    browser.claim(ANN)
    portal.work()
    browser.prove(portal)
    portal.work()
    browser.send("study", browser.gate("study"), n_news="yes")
    portal.work()
    mailer = Mailer(portal)
    before = mailer.ask(newsletter="news").get_json()["state"]
    mailer.tell(type=kind, permanent=True)
    after = mailer.ask(newsletter="news").get_json()

    assert (before, after["state"], after["may_mail"]) == ("pending", "suppressed", False)


@pytest.mark.parametrize("newsletter", ["prices", None])
def test_an_unsubscribe_over_there_is_one_here(mailer, newsletter):
    mailer.tell(type="unsubscribe", newsletter=newsletter)
    after = mailer.ask().get_json()

    assert (after["may_mail"], after["state"]) == (False, "withdrawn")


def test_an_unsubscribe_from_one_newsletter_is_from_that_one(mailer):
    mailer.tell(type="unsubscribe", newsletter="news")

    assert mailer.allows()


def test_the_same_event_again_has_no_second_effect(mailer):
    mailer.tell(permanent=True)
    again = mailer.tell(permanent=True).get_json()

    assert again == {"accepted": 0, "duplicate": 1, "refused": []}


def test_what_cannot_be_read_is_named_and_the_rest_is_taken(mailer):
    events = [
        {"id": "1", "type": "bounce", "email": ANN, "permanent": True},
        {"id": "2", "type": "bounce", "email": "no address"},
        {"id": "3", "type": "opt-in", "email": ANN},
        {"id": "4", "type": "bounce", "email": ANN, "state": "confirmed"},
        {"id": "5", "type": "bounce", "email": ANN, "at": "yesterday"},
        "x",
    ]
    answer = mailer.post("bounces", {"events": events}).get_json()

    assert answer["accepted"] == 1
    assert [one["index"] for one in answer["refused"]] == [1, 2, 3, 4, 5]


def test_a_body_without_events_is_refused(mailer):
    for body in ({}, {"events": []}, {"events": {}}, {"events": [{}], "x": 1}):
        assert mailer.post("bounces", body).status_code == 400, body


def test_an_event_from_the_future_is_of_now(mailer):
    later = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    mailer.tell(permanent=True, at=later)
    with mailer.portal.store.read() as session:
        assert session.scalars(sa.select(MailEvent.at)).one() <= datetime.now(UTC)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_moment_outside_the_calendar_is_refused_and_the_rest_is_taken(mailer, at):
    events = [
        {"id": "1", "type": "bounce", "email": ANN, "permanent": True, "at": at},
        {"id": "2", "type": "complaint", "email": BOB},
    ]
    answer = mailer.post("bounces", {"events": events})

    assert answer.status_code == 202
    assert answer.get_json()["accepted"] == 1
    assert answer.get_json()["refused"] == [{"index": 0, "reason": "at: is not in the calendar"}]


@pytest.mark.parametrize(
    "date", ["Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", "x"]
)
def test_a_report_whose_date_is_no_moment_is_of_now(mailer, date):
    raw = b"Date: " + date.encode() + b"\r\n" + report()
    answer = mailer.post("bounces", raw, "message/rfc822")

    assert (answer.status_code, answer.get_json()["accepted"]) == (202, 1)


def test_a_report_about_an_address_longer_than_any_is_refused(mailer):
    raw = report(email="a" * 500 + "@acme.example")

    assert mailer.post("bounces", raw, "message/rfc822").status_code == 400


def report(**said):
    said = {"id": "1", "email": ANN, "action": "failed", "status": "5.1.1", "more": ""} | said
    return DSN.format(**said).encode()


def test_a_delivery_report_is_understood_as_it_comes(mailer):
    answer = mailer.post("bounces", report(), "message/rfc822")

    assert (answer.status_code, answer.get_json()["accepted"]) == (202, 1)
    assert suppressed(mailer) == {"bounce"}


@pytest.mark.parametrize(
    ("action", "status"), [("delayed", "4.4.1"), ("failed", "4.2.2"), ("delayed", "5.0.0")]
)
def test_a_report_that_is_not_final_is_only_counted(mailer, action, status):
    mailer.post("bounces", report(action=action, status=status), "message/rfc822")

    assert suppressed(mailer) == frozenset()


def test_the_same_report_again_has_no_second_effect(mailer):
    mailer.post("bounces", report(), "message/rfc822")
    again = mailer.post("bounces", report(), "message/rfc822")

    assert again.get_json()["duplicate"] == 1


def test_a_forwarded_mail_that_came_back_is_known_by_our_own_link(mailer):
    link = mailer.ask().get_json()["unsubscribe"]
    told = report(email="ann@elsewhere.example", more=f"List-Unsubscribe: <{link}>\r\n")
    mailer.post("bounces", told, "message/rfc822")

    assert suppressed(mailer) == {"bounce"}


@pytest.mark.parametrize(
    ("kind", "became"), [("abuse", "suppressed"), ("opt-out", "withdrawn"), ("not-spam", None)]
)
def test_a_complaint_is_understood_as_it_comes(mailer, kind, became):
    answer = mailer.post("bounces", ARF.format(type=kind, email=ANN).encode(), "message/rfc822")

    assert answer.status_code == (202 if became else 400)
    assert mailer.ask().get_json()["state"] == (became or "confirmed")


NO_REPORTS = [
    b"",
    b"Subject: Out of office\r\n\r\nBack on Monday.\r\n",
    b"\xff\x00\xfe",
    report()[:300],
    report(email="not an address"),
    report(email="=?utf-8?q?x?=@evil.example"),
    b"Content-Type: multipart/report; boundary=b\r\n\r\n" + b"--b\r\n" * 500,
    b"Content-Type: message/delivery-status\r\n\r\n" + b"Action: failed\r\n" * 100,
]


def test_any_other_mail_is_refused_with_a_sentence(mailer):
    for raw in NO_REPORTS:
        answer = mailer.post("bounces", raw, "message/rfc822")

        assert answer.status_code == 400, raw
        assert answer.get_json()["detail"].endswith(".")
        assert mailer.allows()
