"""
Opening a gate from a script that should not: of another site, of another visitor, of a thief.

The gate can be asked as JSON, so that a site draws it in its own page. Then scripts stand where
only our page stood: other sites' scripts, which make a visitor's browser claim what he never
typed, and those of the site itself (a tag manager, an advertisement), which may read whatever the
page reads. So an answer says nothing of a person, a token in a script's hands is never worth a
proof, and what was asked of one browser is not taken from another.
"""

import pytest
import sqlalchemy as sa

from regportal.identity.models import Claim, Contact
from tests.attacks.test_is_the_address_known import NEVER, Trace
from tests.forms.test_headless import ANN, SCRIPT, Page, far, near, rows
from tests.portal import ORIGIN, SITE

__all__ = ["far", "near"]


@pytest.mark.parametrize(
    "from_elsewhere",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.acme.example", "Sec-Fetch-Site": "same-site"},
        {"Origin": "https://www.acme.example.evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://www.acme.example", "Sec-Fetch-Site": "cross-site"},
    ],
    ids=lambda headers: headers["Origin"],
)
def test_a_page_of_others_claims_nothing_and_reads_nothing(portal, near, from_elsewhere):
    ask = near.ask().json["ask"]
    stolen = near.ask(**from_elsewhere)
    answers = [
        near.send(ask=ask, email=ANN, headers=from_elsewhere),
        near.send(path="/not-you", ask=ask, headers=from_elsewhere),
    ]

    assert [one.status_code for one in answers] == [403, 403]
    assert all("Access-Control-Allow-Origin" not in one.headers for one in [stolen, *answers])
    assert rows(portal, Claim) == []


def test_a_page_whose_origin_nobody_says_claims_nothing(portal, near):
    ask = near.ask().json["ask"]
    near.headers.pop("Origin")

    assert near.send(ask=ask, email=ANN).status_code == 403
    assert rows(portal, Claim) == []


def test_from_another_site_no_cookie_counts(near):
    near.send(email=ANN, remember=True)

    assert near.ask("study").json["recognised"] is True
    assert near.ask("study", **{"Sec-Fetch-Site": "cross-site"}).json["recognised"] is False


def test_a_link_elsewhere_signs_nobody_out(near):
    near.send(email=ANN, remember=True)
    answer = near.ask("study", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})

    assert "Set-Cookie" not in answer.headers
    assert near.ask("study").json["recognised"] is True


def test_what_was_asked_of_one_browser_is_not_taken_from_another(portal, near):
    near.send(email=ANN, remember=True)
    asked_of_ann = near.ask("study").json["ask"]
    eve = Page(portal)
    eve.send(email="eve@gearbox.example")

    assert eve.send("study", ask=asked_of_ann, answers={"country": "FR"}).status_code == 409
    assert eve.send("study", "/not-you", ask=asked_of_ann).status_code == 409
    assert near.ask("study").json["recognised"] is True


def test_the_token_of_another_visitor_does_not_go_with_ones_own_ask(portal, far):
    eve = Page(portal, **{"Sec-Fetch-Site": "cross-site", SCRIPT: ""})
    eve.send(email="eve@gearbox.example")
    far.send(email=ANN)
    asked_of_eve = eve.ask("study").json["ask"]
    eve.headers[SCRIPT] = far.headers[SCRIPT]

    assert eve.send("study", ask=asked_of_eve, answers={"country": "FR"}).status_code == 409


def test_a_scripts_token_gets_no_file_that_goes_by_mail(portal, far):
    far.send(email=ANN)
    portal.publish(SITE.replace("headline: A case study,", "headline: A, delivery: mail,"))

    assert [far.ask("prices").status_code, far.ask("study").status_code] == [403, 403]
    assert far.send("prices", ask="x", email=ANN).status_code == 403


def test_a_stolen_token_of_somebody_proven_is_nobodys_in_a_script(portal, far):
    ann = portal.browser()
    ann.claim(ANN)
    portal.work()
    ann.prove(portal)
    far.headers[SCRIPT] = ann.client.get_cookie("rp_v").value
    asked = far.ask("study")

    assert asked.json["recognised"] is False
    assert far.headers[SCRIPT] != ann.client.get_cookie("rp_v").value
    assert far.ask("prices").status_code == 403


def test_a_mail_pressed_elsewhere_proves_nothing_in_a_script(portal, far):
    far.send(email=ANN, remember=True)
    portal.work()
    portal.browser().prove(portal)
    portal.work()

    with portal.store.read() as session:
        assert session.scalar(sa.select(Contact.email)) == ANN
    assert far.ask("prices").status_code == 403


def test_no_answer_says_anything_of_the_person(portal, near):
    near.send(email=ANN, remember=True)
    near.send("study", answers={"country": "FR"})
    portal.work()
    told = "".join(
        answer.get_data(as_text=True)
        for answer in [near.ask(), near.ask("study"), near.send(email="x"), near.send("guide")]
    )

    for personal in (ANN, "ann", "a***", "widgetworks"):
        assert personal not in told


def test_a_claimed_visitors_json_is_made_without_looking_at_contacts(portal):
    ann = portal.browser()
    ann.claim(ANN, n_news="yes")
    portal.work()
    ann.prove(portal)
    portal.work()
    eve = Page(portal)
    with Trace(portal.store) as trace:
        eve.send("prices", email=ANN, remember=True)
        eve.send("study", answers={"country": "FR"})
        eve.send("study", "/not-you", ask=eve.ask("study").json["ask"])

    assert trace.tables & NEVER == set()
    assert "claim" in trace.tables


def test_a_cache_may_keep_nothing_of_anybody(near):
    answers = [near.ask(), near.send(email=ANN), near.ask("study"), near.send(email="x")]

    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert {"Cookie", "Origin"} <= set(answer.headers["Vary"].split(", "))


def test_a_link_in_a_script_is_no_bodys_but_the_askers(portal, near):
    url = near.send(email=ANN).json["download"]["url"]

    assert Page(portal).fetch(url)[0] == 403
    assert url.startswith(ORIGIN)
