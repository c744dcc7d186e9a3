"""What a CRM is answered when it calls."""

import json

import pytest
import sqlalchemy as sa
from standardwebhooks.webhooks import Webhook

from regportal.connectors.schema import Connector
from regportal.sandbox.hubspot import CLIENT_SECRET, HubSpot
from tests.buying.scene import CRM
from tests.inbox.crm import KEY, signature

BODY = b'{"type": "opportunity.upserted", "data": {"external_id": "006"}}'


def problem(answer):
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == answer.status_code
    return answer.status_code


def test_a_signed_call_is_taken_kept_as_it_came_and_looked_at_soon(crm):
    body = b'{"type": "x",   "data": {}}\n'
    answer = crm.send(body, message_id="m1")

    (notice,) = crm.notices()
    assert (answer.status_code, answer.data) == (202, b"")
    assert (notice.connector, notice.message_id, notice.body) == ("crm", "m1", body)
    assert crm.woken == ["understand"]


def test_the_same_call_again_is_taken_and_has_no_second_effect(crm):
    first = crm.send(BODY, message_id="m1")
    again = crm.send(BODY, message_id="m1", late=60)

    assert (first.status_code, again.status_code) == (202, 202)
    assert len(crm.notices()) == 1


def test_the_same_id_with_another_body_is_a_conflict(crm):
    crm.send(BODY, message_id="m1")

    assert problem(crm.send(BODY + b" ", message_id="m1")) == 409
    assert [notice.body for notice in crm.notices()] == [BODY]


def test_two_crms_may_use_the_same_id(crm):
    crm.publish(
        Connector(key="two", type="webhook", url="https://two.example", secret="env:CRM_SECRET")
    )
    crm.send(BODY, message_id="m1")

    assert crm.send(BODY + b" ", message_id="m1", to="two").status_code == 202
    assert len(crm.notices()) == 2


def test_a_connector_nobody_published_is_not_here(crm):
    assert problem(crm.send(BODY, to="nobody")) == 404


@pytest.mark.parametrize(("late", "status"), [(-295, 202), (295, 202), (-305, 401), (305, 401)])
def test_a_call_is_good_for_five_minutes_either_way(crm, late, status):
    assert crm.send(BODY, late=late).status_code == status


def test_a_wrong_secret_is_refused(crm):
    assert problem(crm.send(BODY, key=b"another key, just as long")) == 401
    assert crm.notices() == []
    assert crm.woken == []


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_call_without_one_of_the_three_headers_is_refused(crm, missing):
    headers = crm.headers(BODY)
    del headers[missing]

    assert problem(crm.client.post("/hooks/crm", data=BODY, headers=headers)) == 401


def test_a_secret_that_changes_may_overlap_with_the_new_one(crm, monkeypatch):
    new = "whsec_" + "bmV3" * 8
    monkeypatch.setenv("CRM_SECRET", f"{new},{crm.secret}")

    assert crm.send(BODY).status_code == 202
    assert crm.send(BODY, key=b"new" * 8).status_code == 202


def test_calls_may_have_a_secret_of_their_own(crm, monkeypatch):
    monkeypatch.setenv("CRM_IN", "whsec_" + "bmV3" * 8)
    crm.publish(
        Connector(
            key="crm",
            type="webhook",
            url="https://crm.example/in",
            secret="env:CRM_SECRET",
            inbound_secret="env:CRM_IN",
        )
    )

    assert crm.send(BODY, key=b"new" * 8).status_code == 202
    assert problem(crm.send(BODY, key=KEY)) == 401


def test_a_new_secret_that_is_published_holds_from_the_next_call(crm, monkeypatch):
    monkeypatch.setenv("CRM_IN", "whsec_" + "bmV3" * 8)
    before = crm.send(BODY, key=KEY)
    crm.publish(CRM.model_copy(update={"inbound_secret": "env:CRM_IN"}))

    assert before.status_code == 202
    assert problem(crm.send(BODY, key=KEY)) == 401
    assert crm.send(BODY, key=b"new" * 8).status_code == 202


def test_a_secret_the_operator_forgot_is_no_fault_of_the_server(crm, monkeypatch, caplog):
    monkeypatch.delenv("CRM_SECRET")

    assert problem(crm.send(BODY)) == 401
    assert "CRM_SECRET is not set" in caplog.text


@pytest.mark.parametrize(("size", "status"), [(256 * 1024, 202), (256 * 1024 + 1, 413)])
def test_a_call_has_at_most_256_kib(crm, size, status):
    assert crm.send(b" " * size).status_code == status


def test_ten_megabytes_are_refused_without_being_read(crm):
    assert problem(crm.send(b"a" * 10_000_000)) == 413
    assert crm.notices() == []


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 1000, b"\0", b'"\\ud800"', b"null"])
def test_what_cannot_be_understood_is_taken_all_the_same(crm, body):
    assert crm.send(body).status_code == 202
    assert [notice.body for notice in crm.notices()] == [body]


def test_only_what_is_posted_is_taken(crm):
    assert crm.client.get("/hooks/crm").status_code == 405


def test_the_answer_is_503_only_while_nothing_can_be_stored(crm):
    def full(connection, cursor, statement, *_):
        if "notice" in statement:
            raise sa.exc.OperationalError(statement, {}, Exception("database or disk is full"))

    sa.event.listen(crm.store.engine, "before_cursor_execute", full)
    answer = crm.send(BODY, message_id="m1")
    sa.event.remove(crm.store.engine, "before_cursor_execute", full)

    assert problem(answer) == 503
    assert answer.headers["Retry-After"]
    assert crm.woken == []
    assert crm.send(BODY, message_id="m1").status_code == 202


def test_a_call_signed_by_an_independent_library_is_taken(crm):
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    headers = {
        "webhook-id": "m1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(crm.secret).sign("m1", now, BODY.decode()),
    }

    assert crm.client.post("/hooks/crm", data=BODY, headers=headers).status_code == 202


def test_one_good_signature_among_others_is_enough(crm):
    headers = crm.headers(BODY)
    stamp = headers["webhook-timestamp"]
    other = signature(b"another", headers["webhook-id"], stamp, BODY)
    headers["webhook-signature"] = f"v1a,AAAA {other} {headers['webhook-signature']}"

    assert crm.client.post("/hooks/crm", data=BODY, headers=headers).status_code == 202


def test_a_refusal_says_nothing_of_what_was_sent(crm):
    answer = crm.send(json.dumps({"email": "canary@example.com"}).encode(), key=b"x" * 24)

    assert b"canary" not in answer.data


@pytest.mark.parametrize("query", ["", "?to=a%40b&x=%20"])
def test_a_call_that_signs_its_address_signs_the_one_known_outside(crm, monkeypatch, query):
    """HubSpot signs where it called; a proxy calls us somewhere else."""
    monkeypatch.setenv("HS_KEY", "pat-x")
    monkeypatch.setenv("HS_APP", CLIENT_SECRET)
    hubspot = Connector(
        key="hs",
        type="hubspot",
        url="https://api.hubapi.com",
        secret="env:HS_KEY",
        inbound_secret="env:HS_APP",
    )
    crm.publish(CRM, hubspot)
    outside = crm.client.application.extensions["regportal.settings"].base_url
    headers, body = HubSpot().signed(f"{outside}/hooks/hs{query}", [{"eventId": 1}])

    def call(path):
        inside = "http://10.0.0.1:8080"
        return crm.client.post(path, data=body, headers=headers, base_url=inside).status_code

    assert call(f"/hooks/hs{query}") == 202
    assert call("/hooks/hs?other") == 401
    assert crm.woken == ["poll:hs"]
