"""Who proves an address, by what, and what that means."""

from datetime import timedelta

import sqlalchemy as sa
import time_machine

from regportal.forms.models import Answer
from regportal.identity.models import Claim, Contact, Visitor
from regportal.library.models import Grant
from regportal.tracking.actions import seen_of_claim

ANN = "ann@widgetworks.example"


def rows(portal, kind):
    """Return every row of a kind."""
    with portal.store.read() as session:
        return session.scalars(sa.select(kind).order_by(kind.id)).all()


def test_a_claim_makes_no_contact(portal):
    portal.browser().claim(ANN)
    portal.work()

    assert rows(portal, Contact) == []
    [told] = portal.news("contact.claimed")
    assert told["claim"]["email"] == ANN
    assert portal.news("contact.identified") == []


def test_get_of_a_mailed_link_changes_nothing(portal):
    portal.browser().claim(ANN)
    portal.work()
    for _ in range(3):
        page = portal.browser().get(portal.link())
        assert page.status == 200
    portal.browser().client.head(portal.link())

    [claim] = rows(portal, Claim)
    assert claim.state == "open"


def test_yes_makes_a_contact_with_what_the_claim_gathered(portal):
    ann = portal.browser()
    ann.claim(ANN)
    ann.send("study", q_country="DE", n_news="yes")
    portal.work()
    assert "Germany" in ann.get(portal.link(0)).text
    ann.prove(portal, 0)
    portal.work()

    [contact] = rows(portal, Contact)
    assert (contact.email, contact.assurance) == (ANN, "verified")
    [told] = portal.news("contact.identified")
    [claim] = rows(portal, Claim)
    assert told["claims"] == [str(claim.id)]
    assert told["fields"]["country"]["value"] == "DE"
    assert told["fields"]["country"]["source"] == "verified"
    assert [one["ended"] for one in portal.news("contact.claim_ended")] == ["confirmed"]
    recorded = portal.news("interaction.recorded")
    assert [one["interaction"]["object"] for one in recorded] == ["guide", "study"]
    assert {one["interaction"]["attribution"] for one in recorded} == {"verified"}
    [consent] = portal.news("consent.changed")
    assert (consent["newsletter"], consent["state"]) == ("news", "confirmed")


def test_yes_proves_the_browser_it_is_pressed_in_and_no_other(portal):
    ann, phone = portal.browser(), portal.browser()
    ann.claim(ANN)
    portal.work()
    phone.prove(portal)
    portal.work()

    states = sorted(one.state for one in rows(portal, Visitor))
    assert states == ["claimed", "verified"]
    assert phone.get("/g/guide/done").download
    assert ann.gate("study").question == "country"


def test_proving_in_another_browser_counts_one_download(portal):
    ann, phone = portal.browser(), portal.browser()
    ann.claim(ANN)
    portal.work()
    phone.prove(portal)
    portal.work()

    assert len(portal.news("interaction.recorded")) == 1


def test_a_link_proves_one_browser_and_then_only_shows_the_way(portal):
    ann, eve = portal.browser(), portal.browser()
    ann.claim(ANN, "prices")
    portal.work()
    first = ann.prove(portal)
    again = ann.prove(portal)
    forwarded = eve.prove(portal)

    assert (first.status, again.status) == (303, 303)
    assert forwarded.status == 410
    assert eve.get("/g/prices/done").status == 303
    assert 'href="/g/prices"' in eve.get(portal.link()).text


def test_no_deletes_what_was_claimed(portal):
    eve, ann = portal.browser(), portal.browser()
    eve.claim(ANN)
    eve.send("study", q_country="DE", n_news="yes")
    file = eve.get("/g/guide/done").download
    portal.work()
    denied = ann.post(portal.link(0), {"choice": "deny"})
    assert denied.status == 303
    portal.work()

    assert "Deleted" in ann.get(portal.link(0)).text
    assert rows(portal, Answer) == []
    assert rows(portal, Contact) == []
    [claim] = rows(portal, Claim)
    assert claim.state == "rejected"
    assert all(one.ended_at for one in rows(portal, Grant))
    assert eve.get(file).status == 303
    assert eve.gate("guide").asks_email
    assert [one["ended"] for one in portal.news("contact.claim_ended")] == ["rejected"]
    with portal.store.read() as session:
        assert {one.attribution for one in seen_of_claim(session, claim.id)} == {"anonymous"}
    assert ann.post(portal.link(0), {"choice": "confirm"}).status == 410


def test_a_link_is_good_for_three_days(portal):
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        ann = portal.browser()
        ann.claim(ANN)
        portal.work()
        clock.shift(timedelta(hours=73))

        assert ann.get(portal.link()).status == 410
        assert ann.prove(portal).status == 410


def test_a_proven_answer_stays_when_a_claim_says_otherwise(portal):
    ann, other = portal.browser(), portal.browser()
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        ann.claim(ANN)
        portal.work()
        ann.prove(portal)
        portal.work()
        clock.shift(timedelta(days=1))
        ann.send("study", q_country="DE")
        portal.work()

        other.claim(ANN)
        other.send("study", q_country="FR")
        portal.work()
        other.prove(portal)
        portal.work()

    assert portal.news("contact.updated")[-1]["fields"]["country"]["value"] == "DE"


def test_other_open_claims_of_the_address_are_each_decided_on_their_own(portal):
    ann, tablet, eve = portal.browser(), portal.browser(), portal.browser()
    ann.claim(ANN)
    tablet.claim(ANN)
    eve.claim(ANN)
    portal.work()
    ann.prove(portal, 0)
    portal.work()
    page = ann.get("/g/guide/done")
    claims = [one for one in rows(portal, Claim) if one.state == "open"]
    assert page.text.count('data-rp="deny"') == len(claims) == 2

    for claim, choice in zip(claims, ["confirm", "deny"], strict=True):
        decided = ann.post(f"/g/guide/others/{claim.id}", {**page.fields, "choice": choice})
        assert decided.status == 303
        stranger = eve.gate("guide")
        assert (
            eve.post(f"/g/guide/others/{claim.id}", {**stranger.fields, "choice": "confirm"}).status
            == 404
        )
    portal.work()

    assert sorted(one.state for one in rows(portal, Claim)) == [
        "confirmed",
        "confirmed",
        "rejected",
    ]


def test_not_you_begins_anew(portal):
    ann = portal.browser()
    ann.claim(ANN)
    page = ann.gate("study")
    assert 'data-rp="not-you"' in page.text
    file = ann.get("/g/guide/done").download
    left = ann.post("/g/study/not-you", page.fields)

    assert (left.status, left.headers["Location"]) == (303, "/g/study")
    assert ann.gate("study").asks_email
    assert ann.get(file).status == 303


def test_somebody_who_asks_not_to_be_remembered_is_forgotten_with_the_session(portal):
    ann = portal.browser()
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        sent = ann.claim(ANN, remember="no")
        assert "Max-Age" not in sent.headers["Set-Cookie"]
        assert not ann.gate("study").asks_email
        clock.shift(timedelta(hours=2, minutes=1))

        assert ann.gate("study").asks_email


def test_a_browser_that_says_gpc_is_offered_no_memory(portal):
    ann = portal.browser(**{"Sec-GPC": "1"})
    page = ann.gate("guide")
    assert 'value="yes"' not in page.text.partition("remember")[2][:60]
    sent = ann.send("guide", page, email=ANN, remember="yes")

    assert "Max-Age" not in sent.headers["Set-Cookie"]


def test_an_old_token_is_good_until_the_new_one_was_seen_and_a_minute_more(portal):
    ann, late = portal.browser(), portal.browser()
    with time_machine.travel("2026-03-02 09:00Z") as clock:
        page = ann.gate("guide")
        late.client.set_cookie("rp_s", ann.client.get_cookie("rp_s").value)
        ann.send("guide", page, email=ANN, remember="yes")
        clock.shift(timedelta(minutes=10))
        assert not late.gate("study").asks_email

        ann.gate("study")
        portal.store.catch_up()
        clock.shift(timedelta(seconds=59))
        assert not late.gate("study").asks_email
        clock.shift(timedelta(seconds=2))
        assert late.gate("study").asks_email
        portal.store.catch_up()

        assert ann.gate("study").asks_email, "both were in use: the family has ended"


def test_a_mail_gate_hands_over_nothing_before_the_proof(portal):
    ann = portal.browser()
    ann.claim(ANN, "prices")
    page = ann.get("/g/prices/done")

    assert 'data-rp="mailed"' in page.text
    assert page.download is None
    assert "a***@w***.example" in page.text
    assert ANN not in page.text


def test_the_address_can_be_changed_and_a_typo_is_hinted_at(portal):
    ann = portal.browser()
    ann.claim("ann@gmial.com", "prices")
    page = ann.get("/g/prices/done")
    assert "ann@gmail.com" in page.text
    refused = ann.post("/g/prices/change", {**page.fields, "email": "nonsense"})
    assert (refused.status, refused.errors) == (422, ["email"])
    changed = ann.post("/g/prices/change", {**page.fields, "email": "ann@gmail.com"})
    assert changed.headers["Location"] == "/g/prices/done"
    portal.work()

    assert {mail["To"] for mail in portal.mails()} == {"ann@gmail.com", "ann@gmial.com"}
    assert "a***@g***.com" in ann.get("/g/prices/done").text


def test_two_mail_gates_of_one_claim_send_two_links(portal):
    ann = portal.browser()
    ann.claim(ANN, "prices")
    portal.work()
    ann.prove(portal)

    assert ann.get(ann.get("/g/prices/done").download).text == "This is list.txt.\n"


def test_a_newsletter_that_always_asks_twice_waits_for_its_own_mail(portal):
    ann = portal.browser()
    ann.claim(ANN)
    portal.work()
    ann.prove(portal)
    portal.work()
    ann.send("study", n_news="yes")
    portal.work()
    assert portal.news("consent.changed")[-1]["state"] == "pending"
    assert portal.mails()[-1]["X-Regportal-Kind"] == "consent"
    assert "Send me the news." in ann.get(portal.link()).text
    ann.prove(portal)
    portal.work()

    assert portal.news("consent.changed")[-1]["state"] == "confirmed"


def test_a_proven_person_subscribes_at_once_where_the_newsletter_says_so(portal):
    ann = portal.browser()
    ann.claim(ANN)
    portal.work()
    ann.prove(portal)
    portal.work()
    page = ann.gate("prices")
    assert page.newsletter == "prices"
    ann.send("prices", page, n_prices="yes")
    portal.work()

    [told] = portal.news("consent.changed")
    assert (told["newsletter"], told["state"]) == ("prices", "confirmed")
    assert told["wording"] == "Send me price alerts."
    assert ann.gate("prices").newsletter is None
