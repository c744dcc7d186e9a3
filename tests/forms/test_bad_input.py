"""What a gate answers to what no page of ours would send: design.md 3, and never a 5xx."""

import secrets
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.forms.models import Answer, Submission
from regportal.identity.models import Claim
from regportal.outbox.models import Message
from regportal.tracking.models import Interaction

EVERYTHING = (Submission, Answer, Claim, Interaction, Message)


def kept(portal):
    """Return how many rows of everything there are."""
    with portal.store.read() as session:
        return [session.scalar(sa.select(sa.func.count()).select_from(one)) for one in EVERYTHING]


@pytest.mark.parametrize("fields", [{"ask": ""}, {"ask": "x"}, {"ask": "W10.x"}, {}])
def test_no_token_or_a_forged_one_is_400(portal, fields):
    ann = portal.browser()
    page = ann.gate("guide")
    sent = {"email": "ann@widgetworks.example", "csrf_token": page.fields["csrf_token"]}

    assert ann.post("/g/guide", {**sent, **fields}).status == 400
    assert kept(portal) == [0, 0, 0, 0, 0]


def test_every_changed_sign_of_a_token_is_400(portal):
    ann = portal.browser()
    page = ann.gate("guide")
    token = page.fields["ask"]
    for place in range(0, len(token), 7):
        other = "A" if token[place] != "A" else "B"
        forged = token[:place] + other + token[place + 1 :]
        sent = ann.post(
            "/g/guide", {**page.fields, "ask": forged, "email": "ann@widgetworks.example"}
        )
        # the last sign of base64 carries bits that nobody reads
        assert sent.status == 400 or place == len(token) - 1
    assert kept(portal)[0] <= 1


def test_a_token_of_another_gate_is_400(portal):
    ann = portal.browser()
    page = ann.gate("study")

    assert ann.send("guide", page, email="ann@widgetworks.example").status == 400


def test_a_question_that_was_not_asked_is_400(portal):
    ann = portal.browser()
    page = ann.gate("guide")

    assert ann.send("guide", page, email="ann@a.example", q_country="DE").status == 400
    assert ann.send("guide", page, email="ann@a.example", n_prices="yes").status == 400
    assert kept(portal) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("address", ["", "ann", "ann@", "@x.example", "a b@x.example", "x" * 300])
def test_a_bad_address_is_422_with_what_was_typed(portal, address):
    refused = portal.browser().send("guide", email=address)

    assert (refused.status, refused.errors) == (422, ["email"])
    assert f'value="{address}"' in refused.text
    assert kept(portal) == [0, 0, 0, 0, 0]


def test_after_a_bad_value_the_same_page_can_be_sent_again(portal):
    ann = portal.browser()
    page = ann.gate("guide")
    refused = ann.send("guide", page, email="ann")

    assert ann.send("guide", refused, email="ann@widgetworks.example").status == 303


def test_a_token_is_too_old_after_a_day(portal):
    ann = portal.browser()
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        page = ann.gate("guide")
        clock.shift(timedelta(hours=24, minutes=3))
        typed = {"email": "ann@widgetworks.example", "n-news": "yes"}
        stale = ann.send("guide", page, **typed)

        assert stale.status == 409
        assert 'value="ann@widgetworks.example"' in stale.text
        assert 'name="n-news"' in stale.text
        assert "checked" not in stale.text
        assert ann.send("guide", stale, email="ann@widgetworks.example").status == 303


def test_a_clock_that_is_set_back_refuses_nobody(portal):
    ann = portal.browser()
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        page = ann.gate("guide")
        clock.shift(timedelta(hours=-1))

        assert ann.send("guide", page, email="ann@widgetworks.example").status == 303


def test_sent_twice_a_form_has_one_effect_and_one_answer(portal):
    ann = portal.browser()
    page = ann.gate("guide")
    first = ann.send("guide", page, email="ann@widgetworks.example", remember="yes")
    once = kept(portal)
    again = ann.send("guide", page, email="ann@widgetworks.example", remember="yes")

    assert (first.status, first.headers["Location"]) == (again.status, again.headers["Location"])
    assert kept(portal) == once
    other = ann.send("guide", page, email="bob@widgetworks.example", remember="yes")
    assert other.status == 409
    assert kept(portal) == once


def test_sent_by_64_at_once_a_form_has_one_effect(portal):
    ann = portal.browser()
    page = ann.gate("guide")
    cookie = ann.client.get_cookie("rp_s").value
    answers = []

    def send():
        one = portal.browser()
        one.client.set_cookie("rp_s", cookie)
        answers.append(one.send("guide", page, email="ann@widgetworks.example", remember="yes"))

    threads = [threading.Thread(target=send) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {(one.status, one.headers["Location"]) for one in answers} == {(303, "/g/guide/done")}
    assert len({one.headers["Set-Cookie"].split(";")[0] for one in answers}) == 1
    assert kept(portal) == [1, 0, 1, 1, 2]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8000.evil.example"},
        {"Origin": "http://localhost:80001"},
        {"Origin": "", "Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize(
    "path", ["/g/guide", "/g/guide/not-you", "/g/guide/resend", "/g/guide/change"]
)
def test_another_origin_is_403(portal, path, headers):
    ann = portal.browser()
    page = ann.gate("guide")
    ann.origin = {}

    assert ann.post(path, {**page.fields, "email": "ann@a.example"}, **headers).status == 403
    assert kept(portal) == [0, 0, 0, 0, 0]


def test_neither_origin_nor_fetch_metadata_is_403(portal):
    ann = portal.browser()
    page = ann.gate("guide")
    ann.origin = {}

    assert ann.send("guide", page, email="ann@widgetworks.example").status == 403


@pytest.mark.parametrize("forged", ["", "x", "x.y", "."])
def test_a_browser_with_a_cookie_needs_its_own_csrf_token(portal, forged):
    ann, eve = portal.browser(), portal.browser()
    page, other = ann.gate("guide"), eve.gate("guide")
    sent = {**page.fields, "email": "ann@widgetworks.example"}

    assert ann.post("/g/guide", {**sent, "csrf_token": forged}).status == 403
    assert ann.post("/g/guide", {**sent, "csrf_token": other.fields["csrf_token"]}).status == 403
    assert kept(portal) == [0, 0, 0, 0, 0]


def test_a_form_of_another_browser_is_409(portal):
    ann, eve = portal.browser(), portal.browser()
    ann.gate("guide")
    theirs = eve.gate("guide")

    assert ann.send("guide", theirs, email="eve@evil.example").status == 409
    assert kept(portal) == [0, 0, 0, 0, 0]


def test_a_browser_without_cookies_gets_the_page_itself_and_a_link_for_once(portal):
    page = portal.browser().gate("guide")
    bare = portal.browser()
    answer = bare.send("guide", page, email="ann@widgetworks.example")

    assert answer.status == 200
    assert portal.browser().get(answer.download).text == "This is guide.txt.\n"
    assert portal.browser().get(answer.download).status in {303, 403}
    assert kept(portal)[:4] == [1, 0, 1, 1]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"email=%ff%fe&ask=x", "application/x-www-form-urlencoded", 400),
        (b"email=\xff&ask=x", "application/x-www-form-urlencoded", 400),
        (b"email=%00&ask=x", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=1" % n for n in range(2000)), "application/x-www-form-urlencoded", 400),
        (b"x" * 17_000, "application/x-www-form-urlencoded", 413),
        (b"x" * 10_000_000, "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 400),
        (b"--b\r\n", "multipart/form-data; boundary=b", 400),
        (b"", "", 400),
    ],
)
def test_bytes_that_are_no_form_are_refused(portal, body, kind, status):
    ann = portal.browser()
    response = ann.client.post(
        "/g/guide",
        data=body,
        content_type=kind,
        headers=ann.origin,
        base_url="http://localhost:8000",
    )

    assert response.status_code == status
    assert kept(portal) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "path",
    [
        "/g/none",
        "/g/..%2f..%2fetc%2fpasswd",
        "/g/%00",
        "/g/guide%0d%0aX: y",
        "/m/none",
        "/m/..%2f",
        "/d/none",
        "/static/..%2fpyproject.toml",
        "/g/" + "x" * 3000,
        "/wp-login.php",
        "/.env",
    ],
)
def test_an_address_of_nothing_is_a_plain_404(portal, path):
    page = portal.browser().get(path)

    assert page.status == 404
    assert "Traceback" not in page.text


def test_an_answer_that_was_not_offered_is_422(portal):
    ann = portal.browser()
    ann.claim("ann@widgetworks.example")
    page = ann.gate("study")
    for wrong in ("XX", "de", "Germany", "D\x01E", secrets.token_hex(500)):
        refused = ann.send("study", page, q_country=wrong)
        assert (refused.status, refused.errors) == (422, ["q-country"]), wrong

    twice = ann.send("study", page, q_country=["DE", "FR"])
    assert twice.status == 422


def test_a_honeypot_that_is_filled_is_a_machine_and_gets_the_same_answer(portal):
    ann, bot = portal.browser(), portal.browser()
    page = ann.claim("ann@widgetworks.example")
    trapped = bot.claim("bot@widgetworks.example", website="https://spam.example")

    assert (trapped.status, trapped.headers["Location"]) == (page.status, page.headers["Location"])
    portal.work()
    assert len(portal.mails()) == 1
    with portal.store.read() as session:
        judged = session.execute(sa.select(Interaction.judged, Interaction.judged_because)).all()
    assert ("machine", "honeypot") in [(one.value, why) for one, why in judged]
