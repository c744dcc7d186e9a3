"""
What goes out, in hostile hands (security.md T-08, T-21, T-26, T-29; P8).

Whoever may not lets messages be told again, reads what they tell, or pauses a connector; ids are
forged; a CRM answers with markup, and never ends; what people typed is markup.
"""

import contextlib
import csv
import io
import re
import uuid
from ipaddress import ip_network
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from regportal.connectors.egress import Egress
from regportal.errors import UnreachableError
from regportal.insight import deeds
from regportal.insight.deeds import Deeds
from regportal.outbox import budget as budgets
from regportal.outbox.models import Message, MessageState
from tests.connectors.receiver import receiving, silent, slow_body, slow_head
from tests.studio.staff import Company
from tests.sync.conftest import Town

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"{{7*7}}"
FORMULA = "=cmd|'/c calc'!A1"
ANN = "ann@initech.example"
DEEDS = ("pause", "resume", "go", "check", "compare", "rehearse")


@pytest.fixture
def town(portal, monkeypatch):
    town = Town(portal)
    monkeypatch.setattr(budgets, "connector_for", lambda *_, **__: town.crm.connector())
    town.company = Company(portal)
    town.visitor(ANN)
    town.park = lambda: town.store.write(
        lambda session: session.execute(
            sa.update(Message)
            .where(Message.connector == "crm")
            .values(state=MessageState.PARKED, trouble=MARKUP, attempts=1)
        )
    )
    return town


def messages(town, connector="crm"):
    with town.store.read() as session:
        return session.scalars(sa.select(Message).where(Message.connector == connector)).all()


def lines(town):
    with town.store.read() as session:
        return deeds.page(session, Deeds(), size=200).rows


@pytest.mark.parametrize("role", ["seller", "analyst", "auditor", "privacy"])
def test_whoever_may_not_changes_nothing(town, role):
    town.park()
    desk, before = town.company.at_desk("eve@acme.example", role), len(messages(town))
    one, known = messages(town)[0].id, len(lines(town))
    desk.get("/account")
    paths = [f"/connectors/crm/{deed}" for deed in DEEDS]
    paths += ["/outbox/replay", f"/outbox/{one}/replay", f"/outbox/{one}/settle"]
    for path in paths:
        fields = {"because": "x", "take": "ours", "connector": "crm", "email": ANN}
        assert desk.post(path, fields).status == 403, path
    assert desk.get("/outbox/replay").status == 403
    may_read = role == "privacy"
    assert desk.post(f"/outbox/{one}/payload").status == (200 if may_read else 403)

    assert {one.state for one in messages(town)} == {MessageState.PARKED}
    assert (len(messages(town)), len(lines(town))) == (before, known + may_read)


def test_a_seller_sees_no_page_of_it(town):
    desk = town.company.at_desk("eve@acme.example", "seller")
    for path in ("/connectors", "/connectors/crm", "/outbox", f"/outbox/{messages(town)[0].id}"):
        answer = desk.get(path)
        assert (answer.status, ANN in answer.text) == (403, False), path
    for form in ("csv", "xlsx", "jsonl"):
        assert desk.get(f"/outbox.{form}").status == 403
    assert "Outbox" not in desk.get("/").text


@pytest.mark.parametrize("deed", ["replay", "payload", "settle"])
def test_forged_ids_find_nothing_and_leave_no_trace(town, deed):
    town.park()
    desk = town.company.at_desk("op@acme.example", "owner")
    desk.get("/outbox")
    known = len(lines(town))
    for id in (uuid.uuid4(), uuid.UUID(int=0), "1", "x" * 36, "%00", "..%2f..%2fconnectors"):
        answer = desk.post(f"/outbox/{id}/{deed}", {"take": "ours", "because": "x"})
        assert answer.status in {404, 405}, id

    assert len(lines(town)) == known
    assert {one.state for one in messages(town)} == {MessageState.PARKED}


def test_a_replay_of_one_connector_lets_nothing_of_another_go(town):
    town.park()
    desk = town.company.at_desk("op@acme.example", "owner")
    desk.get("/outbox/replay?connector=mail")
    for connector in ("mail", "other", "crm' OR '1'='1", "CRM", "crm%"):
        assert desk.post("/outbox/replay", {"connector": connector}).status == 303

    for connector in ("crm\0", "a" * 9000, "crm\n"):
        assert desk.post("/outbox/replay", {"connector": connector}).status == 400
        assert desk.get(f"/outbox/replay?connector={quote(connector)}").status == 400

    assert {one.state for one in messages(town)} == {MessageState.PARKED}


def test_a_message_that_is_no_conflict_is_not_settled(town):
    town.park()
    desk, one = town.company.at_desk("op@acme.example", "owner"), messages(town)[0]
    desk.get(f"/outbox/{one.id}")
    known = len(lines(town))
    answer = desk.post(f"/outbox/{one.id}/settle", {"take": "theirs", "because": "x"})

    assert answer.status == 409
    assert len(lines(town)) == known
    assert {one.state for one in messages(town)} == {MessageState.PARKED}


def test_what_a_crm_answers_is_text(town, monkeypatch):
    town.park()
    desk, one = town.company.at_desk("op@acme.example", "owner"), messages(town)[0]
    desk.get("/connectors/crm")

    def says(*_, **__):
        raise UnreachableError(MARKUP)

    pages = [desk.get("/outbox"), desk.get(f"/outbox/{one.id}")]
    monkeypatch.setattr(town.crm, "fields", says)
    monkeypatch.setattr(town.crm, "find", says)
    pages += [desk.post(f"/connectors/crm/{deed}", {"email": ANN}) for deed in DEEDS[3:]]
    desk.post("/connectors/crm/pause", {"because": MARKUP})
    pages += [desk.get("/connectors"), desk.get("/connectors/crm"), desk.get("/audit")]

    for page in pages:
        assert page.status == 200
        assert "&lt;script&gt;alert(1)" in page.text
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
        assert "{{7*7}}" in page.text


def test_what_people_typed_is_text_in_a_payload(town):
    town.knows("k1", f'"{MARKUP}"@x.example', "contact.identified", country=MARKUP, size=FORMULA)
    desk = town.company.at_desk("op@acme.example", "owner")
    one = next(one for one in messages(town) if one.subject == "contact:k1")
    hidden, shown = desk.get(f"/outbox/{one.id}"), desk.post(f"/outbox/{one.id}/payload")

    assert "alert(1)" not in hidden.text
    assert "&lt;script&gt;alert(1)" in shown.text
    assert "<script>alert" not in shown.text


def test_a_copy_of_the_list_computes_nothing(town):
    town.store.write(lambda session: session.execute(sa.update(Message).values(trouble=FORMULA)))
    desk = town.company.at_desk("op@acme.example", "owner")
    rows = list(csv.DictReader(io.StringIO(desk.get("/outbox.csv").text)))

    assert {row["reason"] for row in rows} == {f"'{FORMULA}"}


def test_an_answer_to_a_sensitive_question_is_shown_to_nobody(town):
    town.knows("k1", "bo@initech.example", "contact.identified", illness="asthma", country="DE")
    desk = town.company.at_desk("op@acme.example", "owner")
    one = next(one for one in messages(town) if one.subject == "contact:k1")
    shown = desk.post(f"/outbox/{one.id}/payload")

    assert "bo@initech.example" in shown.text
    assert "asthma" not in shown.text


def test_no_page_of_a_message_is_kept_by_a_browser_or_opened_in_a_frame(town):
    desk, one = town.company.at_desk("op@acme.example", "owner"), messages(town)[0]
    desk.get("/outbox")
    answer = desk.post(f"/outbox/{one.id}/payload")

    assert answer.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert re.search(r"script-src 'nonce-", answer.headers["Content-Security-Policy"])


def test_a_read_is_written_down_before_anything_is_shown(town, monkeypatch):
    desk, one = town.company.at_desk("op@acme.example", "owner"), messages(town)[0]
    desk.get("/outbox")

    def fails(*_, **__):
        raise RuntimeError("the log cannot be written")

    monkeypatch.setattr("regportal.accounts.audit.write", fails)
    town.portal.app.extensions["regportal.studio"].studio.config["PROPAGATE_EXCEPTIONS"] = False
    answer = desk.post(f"/outbox/{one.id}/payload")

    assert (answer.status, ANN in answer.text) == (500, False)


def test_the_token_of_somebody_else_lets_nothing_go(town):
    town.park()
    ann = town.company.at_desk("ann@acme.example", "owner")
    bo = town.company.at_desk("bo@acme.example", "owner")
    ann.get("/outbox")
    for token in ("", "x", ann.token):
        answer = bo.post("/outbox/replay", {}, token=token)
        assert answer.status == 400

    assert {one.state for one in messages(town)} == {MessageState.PARKED}


def test_a_crm_whose_answer_never_ends_keeps_nobody_waiting():
    with (
        receiving(answers=[slow_body, slow_head, silent]) as crm,
        Egress([ip_network("127.0.0.0/8")], patience=1) as egress,
    ):
        for _ in range(3):
            with contextlib.suppress(UnreachableError):
                egress.ask("POST", crm.url)
        with pytest.raises(UnreachableError, match="did not answer in time"):
            egress.ask("POST", crm.url)

    assert crm.outlasted == 0
    assert len(crm.calls) <= 2
