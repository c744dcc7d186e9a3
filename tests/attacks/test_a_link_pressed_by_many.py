"""
Pressing the link of a mail from several browsers, at once or one after the other.

Where a link is looked up first and used up afterwards, everybody who presses in between is let
in: forwarded to a list, one link makes ten people the same person. And where yes and no come at
once, both seem to have happened. Here the claim is locked before the link is read.
"""

import threading

import pytest

from regportal.consent.models import ConsentState
from tests.portal import Portal

ANN = "ann@widgetworks.example"


def at_once(*actions):
    """Do several things at the same moment; return what came of each."""
    gate, came = threading.Barrier(len(actions)), {}

    def run(number, action):
        gate.wait()
        came[number] = action()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [came[number] for number in range(len(actions))]


def is_in(browser):
    """Return whether a browser is handed the file."""
    return browser.get("/g/guide/done").status == 200


@pytest.mark.parametrize("time", range(5))
def test_of_six_who_press_at_once_one_is_proven(portal, time):
    portal.browser().claim(f"ann{time}@widgetworks.example")
    portal.work()
    link = portal.link()
    browsers = [portal.browser() for _ in range(6)]
    pages = at_once(*(lambda b=b: b.post(link, {"choice": "confirm"}) for b in browsers))

    assert sorted(page.status for page in pages) == [303, 410, 410, 410, 410, 410]
    assert sum(map(is_in, browsers)) == 1


@pytest.mark.parametrize("time", range(5))
def test_of_yes_and_no_at_once_one_holds(portal, time):
    eve, ann, bob = portal.browser(), portal.browser(), portal.browser()
    eve.claim(f"ann{time}@widgetworks.example")
    portal.work()
    link = portal.link()
    yes, no = at_once(
        lambda: ann.post(link, {"choice": "confirm"}), lambda: bob.post(link, {"choice": "deny"})
    )
    portal.work()

    assert (yes.status, no.status) in {(303, 410), (410, 303)}
    ended = [one["ended"] for one in portal.news("contact.claim_ended")]
    assert ended == ["confirmed" if yes.status == 303 else "rejected"]
    assert is_in(ann) == (yes.status == 303)
    assert not is_in(bob)


def test_after_no_there_is_no_yes_and_after_yes_no_no(portal):
    for first, second, ended in (
        ("deny", "confirm", "rejected"),
        ("confirm", "deny", "confirmed"),
    ):
        portal.browser().claim(ANN)
        portal.work()
        one, other = portal.browser(), portal.browser()
        assert one.post(portal.link(), {"choice": first}).status == 303
        assert other.post(portal.link(), {"choice": second}).status == 410
        portal.work()
        assert portal.news("contact.claim_ended")[-1]["ended"] == ended


def test_pressed_twice_in_one_browser_it_is_one_yes(portal):
    portal.browser().claim(ANN)
    portal.work()
    ann, again = portal.browser(), portal.browser()
    ann.get(portal.link())
    again.client.set_cookie("rp_s", ann.client.get_cookie("rp_s").value)
    pages = at_once(lambda: ann.prove(portal), lambda: again.prove(portal))

    assert [page.status for page in pages] == [303, 303]
    assert is_in(ann)
    assert is_in(again)


def test_forwarded_the_link_is_worth_nothing_once_used(portal):
    portal.browser().claim(ANN)
    portal.work()
    portal.browser().prove(portal)
    eve = portal.browser()

    assert eve.get(portal.link()).status == 410
    assert eve.prove(portal).status == 410
    assert not is_in(eve)


def proven_and_asked_for_news(portal: Portal):
    """Ann, proven, who has ticked a newsletter that asks again by mail."""
    ann = portal.browser()
    ann.claim(ANN)
    portal.work()
    ann.prove(portal)
    portal.work()
    ann.send("study", q_country="DE", n_news="yes")
    portal.work()
    return ann


def test_no_to_a_newsletter_refuses_that_newsletter_and_nothing_else(portal):
    ann = proven_and_asked_for_news(portal)
    assert ann.post(portal.link(), {"choice": "deny"}).status == 303
    portal.work()

    assert portal.news("consent.changed")[-1]["state"] == ConsentState.REFUSED
    assert portal.browser().prove(portal).status == 410
    assert portal.news("consent.changed")[-1]["state"] == ConsentState.REFUSED
    assert is_in(ann) or ann.gate("guide").question, "she stays who she is"


def test_yes_to_a_newsletter_is_no_download(portal):
    ann = proven_and_asked_for_news(portal)
    before = len(portal.news("interaction.recorded"))
    other = portal.browser()
    assert other.prove(portal).status == 303
    portal.work()

    assert portal.news("consent.changed")[-1]["state"] == ConsentState.CONFIRMED
    assert len(portal.news("interaction.recorded")) == before
    assert ann.gate("study").newsletter != "news"


@pytest.mark.parametrize("origin", [{}, {"Origin": "null"}, {"Origin": "https://evil.example"}])
def test_nobody_presses_from_elsewhere(portal, origin):
    portal.browser().claim(ANN)
    portal.work()
    ann = portal.browser()
    ann.origin = origin

    assert ann.prove(portal).status == 403
    portal.work()
    assert portal.news("contact.claim_ended") == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_machine_that_opens_the_link_decides_nothing(portal, method):
    portal.browser().claim(ANN)
    portal.work()
    scanner = portal.app.test_client()
    for query in ("", "?choice=confirm", "?choice=deny", "?_method=POST"):
        scanner.open(
            portal.link() + query,
            method=method,
            headers={"X-HTTP-Method-Override": "POST"},
            base_url="http://localhost:8000",
        )
    portal.work()

    assert portal.news("contact.claim_ended") == []
