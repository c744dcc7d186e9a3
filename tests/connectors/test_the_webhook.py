"""The webhook connector against a real receiver."""

import socket
import threading
from datetime import timedelta
from email.utils import format_datetime
from urllib.parse import urlsplit

import pytest
from standardwebhooks.webhooks import Webhook as Library

from regportal.connectors.base import InboundRequest, Outcome, Vocabulary, connector_for
from regportal.connectors.egress import Limits
from regportal.connectors.schema import Connector
from regportal.connectors.signatures import keys_of, signed
from regportal.connectors.webhook import MOST_INBOUND, Webhook
from regportal.errors import ConfigError
from regportal.outbox.actions import News, drain, put
from tests.connectors import receiver as behaviour
from tests.connectors.receiver import SECRET, receiving
from tests.patience import FOR_EVER, until

SHORT = Limits(read=0.4, total=0.8)
LONGER = Limits(total=6)
"""Long enough for an answer to begin on a busy machine."""
ENDLESS = Limits(FOR_EVER, FOR_EVER, FOR_EVER)


def test_a_change_arrives_signed_with_its_id_its_fact_and_its_number(
    webhook_to, receiver, change_of, now
):
    change = change_of(3)
    results = webhook_to(receiver.url).deliver([change], now=now)
    call = receiver.calls[0]

    assert [(result.id, result.outcome) for result in results] == [(change.id, Outcome.DONE)]
    assert receiver.forged == []
    assert call.headers["webhook-id"] == str(change.id)
    assert call.headers["webhook-timestamp"] == str(int(now.timestamp()))
    assert call.headers["Content-Type"] == "application/json"
    assert call.message == {
        "type": "consent.changed",
        "timestamp": now.isoformat().replace("+00:00", "Z"),
        "data": {
            "id": "fact-3",
            "newsletter": "widget-prices",
            "name": "Zoë ✓",
            "occurred_at": now.isoformat().replace("+00:00", "Z"),
            "sequence": 3,
        },
    }


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DONE),
        (202, Outcome.DONE),
        (204, Outcome.DONE),
        (301, Outcome.RETRY),
        (307, Outcome.RETRY),
        (400, Outcome.REJECTED),
        (401, Outcome.AUTH),
        (403, Outcome.AUTH),
        (404, Outcome.REJECTED),
        (408, Outcome.RETRY),
        (409, Outcome.REJECTED),
        (410, Outcome.GONE),
        (422, Outcome.REJECTED),
        (425, Outcome.RETRY),
        (429, Outcome.THROTTLED),
        (500, Outcome.RETRY),
        (502, Outcome.RETRY),
        (503, Outcome.RETRY),
        (599, Outcome.RETRY),
    ],
)
def test_every_status_means_something(webhook_to, receiver, change_of, now, status, outcome):
    receiver.answers = [(status, {"Location": receiver.url}, b"")]
    result = webhook_to(receiver.url).deliver([change_of()], now=now)[0]

    assert result.outcome is outcome
    assert result.says == ("" if outcome is Outcome.DONE else f"the receiver answered {status}")
    assert len(receiver.calls) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("1000000000", 86400),
        ("9" * 200, None),
        ("-3", None),
        ("soon", None),
        ("Wed, 99 Foo 2026", None),
        ("", None),
    ],
)
def test_a_receiver_says_when_to_come_back(webhook_to, receiver, change_of, now, header, seconds):
    receiver.answers = [(429, {"Retry-After": header}, b"")]
    result = webhook_to(receiver.url).deliver([change_of()], now=now)[0]

    assert result.outcome is Outcome.THROTTLED
    assert result.retry_at == (None if seconds is None else now + timedelta(seconds=seconds))


@pytest.mark.parametrize("hours", [1, 100])
def test_a_receiver_may_say_it_as_a_date(webhook_to, receiver, change_of, now, hours):
    asked = (now + timedelta(hours=hours)).replace(microsecond=0)
    receiver.answers = [(503, {"Retry-After": format_datetime(asked, usegmt=True)}, b"")]
    result = webhook_to(receiver.url).deliver([change_of()], now=now)[0]

    assert result.retry_at == min(asked, now + timedelta(hours=24))


def test_a_batch_gets_one_result_a_change_in_its_order(webhook_to, receiver, change_of, now):
    changes = [change_of(number) for number in range(1, 21)]
    receiver.answers = [500 if number % 3 == 0 else 204 for number in range(20)]
    results = webhook_to(receiver.url).deliver(changes, now=now)

    assert [result.id for result in results] == [change.id for change in changes]
    assert sum(result.outcome is Outcome.RETRY for result in results) == 7
    assert receiver.forged == []


def test_connections_are_kept(webhook_to, receiver, change_of, now):
    webhook = webhook_to(receiver.url)
    for number in range(10):
        webhook.deliver([change_of(number)], now=now)

    assert len(receiver.calls) == 10
    assert receiver.opened == 1


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (behaviour.silent, Outcome.RETRY),
        (behaviour.slow_status, Outcome.RETRY),
        (behaviour.hang_up, Outcome.RETRY),
        (behaviour.slow_head, Outcome.RETRY),
        (behaviour.slow_body, Outcome.DONE),
        (behaviour.spoiled("garbage"), Outcome.RETRY),
        (behaviour.spoiled("tls"), Outcome.RETRY),
        (behaviour.spoiled("reset-after"), Outcome.RETRY),
        (behaviour.spoiled("redirect"), Outcome.RETRY),
        (behaviour.spoiled("endless"), Outcome.DONE),
        (behaviour.spoiled("truncated"), Outcome.DONE),
        (behaviour.spoiled("bomb"), Outcome.DONE),
        (behaviour.spoiled("doubled"), Outcome.RETRY),
    ],
)
def test_no_receiver_keeps_us_longer_than_the_limit(
    webhook_to, receiver, change_of, now, answer, outcome
):
    receiver.answers = [answer]
    webhook = webhook_to(receiver.url, limits=SHORT if outcome is Outcome.RETRY else LONGER)
    result = webhook.deliver([change_of()], now=now)[0]

    assert receiver.outlasted == 0
    assert result.outcome is outcome
    assert until(lambda: webhook.deliver([change_of()], now=now)[0].outcome is Outcome.DONE)


def test_where_nobody_listens_it_is_tried_again(webhook_to, change_of, now):
    with receiving() as gone:
        pass
    result = webhook_to(gone.url).deliver([change_of()], now=now)[0]

    assert result.outcome is Outcome.RETRY
    assert result.says == f"127.0.0.1 refused the connection at port {urlsplit(gone.url).port}"


def test_one_that_accepts_and_says_nothing_ever_is_left(webhook_to, change_of, now):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/"
        webhook = webhook_to(url, limits=Limits(read=0.4))
        result = webhook.deliver([change_of()], now=now)[0]

    assert result.outcome is Outcome.RETRY
    assert result.says == "127.0.0.1 did not answer in time"


def test_who_closes_the_connector_does_not_wait_for_the_receiver(
    webhook_to, receiver, change_of, now
):
    receiver.answers = [behaviour.silent]
    webhook = webhook_to(receiver.url, limits=ENDLESS)
    results = []
    post = threading.Thread(target=lambda: results.extend(webhook.deliver([change_of()], now=now)))
    post.start()
    assert until(lambda: receiver.calls)
    webhook.close()
    post.join()

    assert receiver.outlasted == 0
    assert [result.outcome for result in results] == [Outcome.RETRY]


def test_what_a_receiver_cannot_do_it_says(webhook_to, receiver):
    webhook = webhook_to(receiver.url)
    assert webhook.provision(Vocabulary()) is Outcome.UNSUPPORTED
    assert webhook.open_opportunities(["1"]) is Outcome.UNSUPPORTED
    assert webhook.read("contact", ["1"], []) is Outcome.UNSUPPORTED
    assert webhook.changes(None, 10) is Outcome.UNSUPPORTED
    assert receiver.calls == []


def test_the_check_dials_and_says_nothing(webhook_to, receiver):
    found = webhook_to(receiver.url).check(Vocabulary())

    assert [(one.fine, one.says) for one in found] == [(True, "reached at 127.0.0.1")]
    assert receiver.calls == []


def test_the_check_says_what_is_wrong(webhook_to):
    with receiving() as gone:
        pass

    assert [(one.fine, one.says) for one in webhook_to(gone.url).check(Vocabulary())] == [
        (False, f"127.0.0.1 refused the connection at port {urlsplit(gone.url).port}")
    ]
    assert webhook_to("http://127.0.0.1:99999/").check(Vocabulary())[0].fine is False


def test_the_type_in_the_document_finds_the_connector(settings):
    document = Connector.model_validate(
        {"key": "crm", "type": "webhook", "url": "https://crm.example", "secret": "env:CRM_SECRET"}
    )
    connector = connector_for(document, settings)
    connector.close()

    assert isinstance(connector, Webhook)


@pytest.mark.parametrize("secret", [None, "not-a-secret"])
def test_a_secret_that_is_missing_or_none_is_said_at_once(settings, monkeypatch, secret):
    monkeypatch.delenv("CRM_SECRET") if secret is None else monkeypatch.setenv("CRM_SECRET", secret)
    document = Connector.model_validate(
        {"key": "crm", "type": "webhook", "url": "https://crm.example", "secret": "env:CRM_SECRET"}
    )

    with pytest.raises(ConfigError):
        connector_for(document, settings)


# --- what comes in ---


def inbound(now, body=b'{"type":"contact.deleted"}', secret=SECRET, message_id="msg_1"):
    return InboundRequest(signed(keys_of(secret), message_id, now, body), body)


def test_a_genuine_call_is_taken_by_its_id(webhook_to, receiver, now):
    reply = webhook_to(receiver.url).accept(inbound(now), now=now)

    assert (reply.status, reply.message_id) == (202, "msg_1")


def test_a_call_signed_by_the_library_is_taken(webhook_to, receiver, now):
    signature = Library(SECRET).sign(msg_id="msg_1", timestamp=now, data="{}")
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": signature,
    }

    assert webhook_to(receiver.url).accept(InboundRequest(headers, b"{}"), now=now).status == 202


def test_a_forged_or_old_call_is_refused_without_a_reason(webhook_to, receiver, now):
    webhook = webhook_to(receiver.url)
    genuine = inbound(now)
    replies = [
        webhook.accept(InboundRequest(genuine.headers, b"other"), now=now),
        webhook.accept(genuine, now=now + timedelta(seconds=302)),
        webhook.accept(genuine, now=now - timedelta(seconds=302)),
        webhook.accept(InboundRequest({}, b"{}"), now=now),
    ]

    assert {(reply.status, reply.says, reply.message_id) for reply in replies} == {
        (401, "the call is not signed", "")
    }


def test_a_call_that_is_too_long_is_refused_by_its_length(webhook_to, receiver, now):
    webhook = webhook_to(receiver.url)

    assert webhook.accept(inbound(now, bytes(MOST_INBOUND)), now=now).status == 202
    assert webhook.accept(inbound(now, bytes(MOST_INBOUND + 1)), now=now).status == 413


def test_bytes_that_are_not_text_are_taken_where_they_are_signed(webhook_to, receiver, now):
    assert webhook_to(receiver.url).accept(inbound(now, b"\xff\xfe"), now=now).status == 202


def test_the_inbound_secret_may_be_another(webhook_to, receiver, monkeypatch, now):
    other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    monkeypatch.setenv("CRM_IN", other)
    webhook = webhook_to(receiver.url, inbound_secret="env:CRM_IN")

    assert webhook.accept(inbound(now, secret=other), now=now).status == 202
    assert webhook.accept(inbound(now), now=now).status == 401


# --- from the outbox to the receiver ---


def test_what_is_owed_arrives_in_order_and_is_verified(store, webhook_to, receiver, now):
    def owe(session):
        for number in range(30):
            subject = f"contact:{number % 3}"
            news = News("interaction.recorded", subject, {"id": f"i{number}"}, now)
            put(session, "crm", news, now=now)

    def clock():
        return now

    store.write(owe)
    receiver.answers = [503, 204, 204, (429, {"Retry-After": "7"}, b"")]
    webhook = webhook_to(receiver.url)
    again = drain(store, "crm", webhook.deliver, clock=clock)
    assert again == now + timedelta(seconds=7)
    while again is not None:
        now = again
        again = drain(store, "crm", webhook.deliver, clock=clock)

    taken = {}
    for call in receiver.calls:
        taken[call.headers["webhook-id"]] = call.message["data"]["id"]
    assert receiver.forged == []
    assert sorted(taken.values()) == sorted(f"i{number}" for number in range(30))
    for contact in range(3):
        told = [int(fact[1:]) for fact in taken.values() if int(fact[1:]) % 3 == contact]
        assert told == sorted(told)
