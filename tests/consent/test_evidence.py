"""What shows how a consent came about: which mail, which button, when, what the browser said."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.consent.ledger import broken_lines
from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentNetwork
from regportal.identity.actions import find_contact
from regportal.identity.models import Claim
from regportal.privacy.receipts import receipt
from regportal.store.documents import Wording

ANN = "ann@widgetworks.example"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def lines(portal, state=None):
    """Return each line with what lies beside it, oldest first."""
    asked = (
        sa.select(ConsentEvent, ConsentEvidence, ConsentNetwork)
        .join(ConsentEvidence, ConsentEvidence.id == ConsentEvent.id)
        .outerjoin(ConsentNetwork, ConsentNetwork.id == ConsentEvent.id)
        .order_by(ConsentEvent.number)
    )
    with portal.store.read() as session:
        found = session.execute(asked).all()
    return [one for one in found if state is None or one[0].state == state]


def claim_id(portal):
    with portal.store.read() as session:
        return session.scalars(sa.select(Claim.id).order_by(Claim.opened_at)).first()


def code_of(mail):
    text = mail.get_body(("plain",)).get_content()
    return re.search(r"^(\d{6})\r?$", text, re.MULTILINE)[1]


@pytest.fixture
def clock():
    """It is noon, and stays so until a test lets time pass."""
    with time_machine.travel(NOON, tick=False) as standing:
        yield standing


@pytest.fixture
def asked(portal, clock):
    """A browser that asked for a newsletter at noon; its mail has gone out."""
    ann = portal.browser(DNT="1", **{"Sec-GPC": "1"})
    ann.claim(ANN, n_news="yes")
    portal.work()
    return ann


def test_a_request_names_its_claim_and_what_the_browser_said(portal, asked):
    ((line, evidence, network),) = lines(portal)

    assert (line.schema_version, line.event_type) == (3, "request")
    assert (evidence.claim_id, evidence.address) == (claim_id(portal), ANN)
    assert evidence.signals == {"Sec-GPC": "1", "DNT": "1"}
    assert (evidence.message_id, evidence.confirmed_at) == (None, None)
    assert network.network == "127.0.0.0/24"


@pytest.mark.parametrize("how", ["confirm page", "code"])
def test_a_yes_names_the_mail_it_answers_and_when_it_was_pressed(portal, asked, clock, how):
    mail = portal.mails()[-1]
    clock.shift(timedelta(minutes=5))
    if how == "code":
        page = asked.get("/g/guide/done")
        asked.post("/g/guide/code", {**page.fields, "code": code_of(mail)})
    else:
        asked.prove(portal)
    clock.shift(timedelta(minutes=55))
    portal.work()
    claimed, owned = lines(portal, "confirmed")

    assert [one[0].event_type for one in (claimed, owned)] == ["confirmation", "consent"]
    for line, evidence, network in (claimed, owned):
        assert line.method == how
        assert evidence.claim_id == claim_id(portal)
        assert evidence.message_id == mail["Message-ID"]
        assert evidence.confirmed_at == NOON + timedelta(minutes=5)
        assert network.at == NOON + timedelta(minutes=5)
    assert owned[0].at == NOON + timedelta(hours=1)


def test_a_no_names_the_mail_and_who_pressed_and_not_who_asked(portal):
    portal.browser(**{"User-Agent": "Stranger"}).claim(ANN, n_news="yes")
    portal.work()
    ann = portal.browser(**{"User-Agent": "Ann"})
    ann.post(portal.link(), {"choice": "deny"})
    (asking,), (line, evidence, network) = lines(portal, "pending"), lines(portal, "refused")[0]

    assert line.event_type == "refusal"
    assert evidence.message_id == portal.mails()[-1]["Message-ID"]
    assert evidence.confirmed_at == line.at
    assert network.agent_hash != asking[2].agent_hash


def test_a_request_that_ran_out_is_nobodys_deed(portal, asked, clock):
    clock.shift(timedelta(days=8))
    portal.work()
    ((line, evidence, network),) = lines(portal, "expired")

    assert (line.entity, line.event_type, line.method) == ("time", "expiry", "time")
    assert (evidence.address, evidence.claim_id) == (ANN, claim_id(portal))
    assert (evidence.confirmed_at, network) == (None, None)


def test_a_yes_on_a_proven_browser_names_the_mail_that_proved_it(portal, asked):
    asked.prove(portal)
    portal.work()
    asked.send("study", q_country="DE", n_prices="yes")
    (line, evidence, _) = lines(portal, "confirmed")[-1]

    assert (line.newsletter, line.method, line.event_type) == ("prices", "gate", "consent")
    assert evidence.message_id == portal.mails()[0]["Message-ID"]
    assert evidence.confirmed_at == line.at


def test_another_claim_is_confirmed_with_the_evidence_of_its_own_press(portal):
    portal.browser(**{"User-Agent": "Firefox at work"}).claim(ANN, "study", n_news="yes")
    ann = portal.browser(**{"User-Agent": "Firefox at home"})
    ann.claim(ANN)
    portal.work()
    ann.prove(portal, 0 if "guide" in portal.mails()[0]["Subject"].lower() else -1)
    portal.work()
    page = ann.get("/g/guide/done")
    [path] = re.findall(r'action="([^"]*/others/[^"]+)"', page.text)
    ann.post(path, {**page.fields, "choice": "confirm"})
    (asking,), yes = lines(portal, "pending"), lines(portal, "confirmed")[0]

    assert yes[1].confirmed_at == yes[0].at
    assert yes[1].message_id in {mail["Message-ID"] for mail in portal.mails()}
    assert yes[2].agent_hash != asking[2].agent_hash


def test_a_copy_of_a_line_keeps_the_clock_of_its_network(portal, asked, clock):
    asked.prove(portal)
    clock.shift(timedelta(days=20))
    portal.work()
    claimed, owned = lines(portal, "confirmed")

    assert claimed[2].at == owned[2].at


def test_all_of_it_is_in_the_receipt(portal, asked):
    asked.prove(portal)
    portal.work()
    with portal.store.read() as session:
        contact, published = find_contact(session, ANN), portal.shelf.published(session)
        told = json.dumps(receipt(session, contact, None, published, now=NOON))

    assert portal.mails()[-1]["Message-ID"] in told
    assert '"rp:event_type": "confirmation"' in told
    assert f'"claim": "{claim_id(portal)}"' in told
    assert '"confirmed_at": "2026-03-04T12:00:00Z"' in told


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE wording SET text = 'Sell my address.'",
        "UPDATE wording SET first_used = first_used",
        "DELETE FROM wording",
    ],
)
def test_the_database_itself_refuses_to_change_what_was_read(portal, asked, statement):
    asked.send("study", q_country="DE")
    refused = pytest.raises(sa.exc.DBAPIError, match="append-only")
    with refused, portal.store.engine.begin() as connection:
        connection.execute(sa.text(statement))

    with portal.store.read() as session:
        assert "Send me the news." in session.scalars(sa.select(Wording.text)).all()
        assert list(broken_lines(session)) == []


def test_the_same_words_are_kept_once_and_used_again(portal, asked):
    portal.browser().claim("bob@gearbox.example", n_news="yes")

    with portal.store.read() as session:
        texts = session.scalars(sa.select(Wording.text)).all()
    assert texts.count("Send me the news.") == 1


def test_a_newsletter_asked_for_on_the_own_page_needs_no_gate(portal):
    ann = portal.browser()
    ann.claim(ANN)
    portal.work()
    ann.prove(portal)
    portal.work()
    own = ann.get("/me")
    ann.post("/me/newsletters", {**own.fields, "newsletter": "news", "choice": "want"})
    portal.work()
    link = portal.link()
    with portal.store.engine.begin() as connection:  # the marketer archived every gate
        connection.execute(sa.text("DELETE FROM current_document WHERE kind = 'gate'"))
        connection.execute(sa.text("INSERT INTO publication (at) SELECT at FROM publication"))
    answer = ann.post(link, {"choice": "confirm"})

    assert (answer.status, answer.headers["Location"]) == (303, "/me")
    assert [one[0].newsletter for one in lines(portal, "confirmed")] == ["news"]
