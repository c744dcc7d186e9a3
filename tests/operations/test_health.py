"""Who runs us asks whether we answer, whether visitors may come, and how it is going."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from regportal.app.vitals import vitals
from regportal.cli.health import _delivery
from regportal.connectors.base import Outcome, Result
from regportal.errors import UnreachableError
from regportal.identity.keys import add_key
from regportal.inbox.polling import poll
from regportal.outbox.actions import News, put
from regportal.outbox.budget import Budget
from regportal.outbox.drain import drain
from regportal.outbox.operating import pause
from regportal.privacy.clocks import RETENTION
from regportal.privacy.models import Chore
from regportal.store.shape import PRESENT
from tests.patience import PATIENCE, until
from tests.portal import Portal

NOW = datetime.now(UTC)


def metrics(text):
    """Return every sample by its name and labels."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def read(portal, **headers):
    answer = portal.app.test_client().get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    return metrics(answer.text)


def owe(portal, subject, topic="score.changed"):
    news = News(topic, subject, {"id": "1"}, occurred_at=NOW - timedelta(days=400))
    portal.store.write(partial(put, connector="crm", news=news, now=datetime.now(UTC)))


def answering(*outcomes):
    """Stand in for a CRM that answers so."""
    left = iter(outcomes)
    return lambda changes, *, now: [Result(one.id, next(left)) for one in changes]


def test_metrics_say_what_is_owed_and_what_became_of_it(portal):
    outcomes = (Outcome.DONE, Outcome.DONE, Outcome.REJECTED, Outcome.RETRY)
    for number in range(4):
        owe(portal, f"contact:{number}")
    drain(portal.store, "crm", answering(*outcomes), clock=lambda: datetime.now(UTC))
    owe(portal, "contact:5")
    found = read(portal)

    assert found["regportal_outbox_due", "crm"] == 2
    assert found["regportal_outbox_parked", "crm"] == 1
    assert found["regportal_outbox_outcomes_total", "crm", "done"] == 2
    assert found["regportal_outbox_outcomes_total", "crm", "rejected"] == 1
    assert found["regportal_outbox_outcomes_total", "crm", "retry"] == 1
    assert 0 <= found["regportal_outbox_lag_seconds", "crm"] < PATIENCE * 10
    assert found["regportal_outbox_due", "mail"] == 0
    assert found["regportal_outbox_paused", "crm"] == 0


def test_outcomes_only_ever_rise_and_are_counted_once(portal):
    for _ in range(3):
        owe(portal, "contact:1")
    drain(portal.store, "crm", answering(*[Outcome.DONE] * 3), clock=lambda: datetime.now(UTC))

    assert read(portal)["regportal_outbox_outcomes_total", "crm", "done"] == 3


def test_metrics_say_who_is_not_spoken_to(portal):
    portal.store.write(lambda session: pause(session, "crm", "the audit", until=None))

    assert read(portal)["regportal_outbox_paused", "crm"] == 1


def test_metrics_say_whose_calls_come_to_nothing(portal):
    for number in range(20):
        owe(portal, f"contact:{number}")
    said = [read(portal)]
    drain(portal.store, "crm", answering(*[Outcome.RETRY] * 20), clock=lambda: datetime.now(UTC))
    said.append(read(portal))

    assert [one["regportal_outbox_failures", "crm"] for one in said] == [0, 3]
    assert [one["regportal_outbox_paused", "crm"] for one in said] == [0, 1]


def test_metrics_say_how_long_a_crm_was_asked_in_vain(portal):
    class Silent:
        def changes(self, cursor, limit):
            raise UnreachableError("it is silent")

    now = datetime.now(UTC)
    for minutes in (28, 22, 16, 10, 4):
        then = now - timedelta(minutes=minutes)
        poll(portal.store, "crm", Silent(), Budget("crm"), clock=lambda then=then: then)

    assert 28 * 60 <= read(portal)["regportal_outbox_poll_overdue_seconds", "crm"] < 30 * 60


def test_metrics_say_what_waits_for_the_worker(portal):
    portal.hook("opportunity.upserted", {"external_id": "006A", "name": "Widgets"})
    portal.browser().claim("ann@acme.example")
    waits = read(portal)
    portal.work()
    done = read(portal)

    assert waits["regportal_work_waiting", "understand"] == 1
    assert waits["regportal_work_waiting", "weigh"] >= 1
    assert {value for name, value in done.items() if "regportal_work_" in name[0]} == {0}
    assert done["regportal_notices_total",] == 1
    assert done["regportal_log_lines_total",] >= waits["regportal_log_lines_total",] >= 1


def test_metrics_count_requests_of_this_process(portal):
    portal.browser().gate("guide")
    portal.app.test_client().open("/g/guide", method="WHATEVER")
    found = read(portal)

    assert found["regportal_requests_total", "200", "GET"] == 1
    assert found["regportal_requests_total", "405", "other"] == 1
    assert found["regportal_request_seconds_count",] == 2


def test_metrics_name_nobody(portal):
    ann = portal.browser()
    ann.claim("ann@widgetworks.example")
    portal.work()
    told = portal.app.test_client().get("/metrics").text

    assert "ann" not in told.replace("channel", "")
    assert "widgetworks" not in told


@pytest.fixture
def public(database_url, tmp_path, monkeypatch):
    """Make installations that people reach by https."""
    made = []

    def make(**settings):
        monkeypatch.setenv("CRM_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        here = {"base_url": "https://portal.acme.example", "secret_key": "x" * 32, **settings}
        portal = Portal(database_url, tmp_path, **here)
        portal.publish()
        made.append(portal)
        return portal

    yield make
    for portal in made:
        portal.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("hops", "peer", "headers", "status"),
    [
        (1, "127.0.0.1", {}, 200),  # on this machine, past the proxy
        (1, "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 404),  # through the proxy
        (1, "127.0.0.1", {"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}, 404),
        (1, "203.0.113.9", {}, 404),
        (0, "127.0.0.1", {}, 404),  # a proxy that nobody named: everybody seems to be here
        (0, "127.0.0.1", {"Authorization": "Bearer rpk_" + "x" * 43}, 401),
        (1, "203.0.113.9", {"Authorization": "Basic YTpi"}, 401),
    ],
)
def test_metrics_are_for_this_machine(public, hops, peer, headers, status):
    client = public(proxy_hops=hops).app.test_client()
    host = {"Host": "portal.acme.example"}
    answer = client.get("/metrics", headers=host | headers, environ_base={"REMOTE_ADDR": peer})

    assert answer.status_code == status
    assert ("regportal_workers" in answer.text) == (status == 200)


@pytest.mark.parametrize(("scope", "status"), [("metrics", 200), ("timeline", 403)])
def test_metrics_are_for_keys_that_are_for_them(public, scope, status):
    portal = public()
    _, secret = portal.store.write(lambda session: add_key(session, "p", {scope}, now=NOW))
    headers = {"Host": "portal.acme.example", "Authorization": f"Bearer {secret}"}

    assert portal.app.test_client().get("/metrics", headers=headers).status_code == status


def test_a_process_that_only_answers_is_ready(portal):
    answer = portal.app.test_client().get("/readyz")

    assert (answer.status_code, answer.text) == (200, "ready\n")


def test_nobody_is_sent_where_the_worker_does_not_run_yet(portal):
    portal.app.extensions["regportal.works"] = lambda: False
    answer = portal.app.test_client().get("/readyz")

    assert (answer.status_code, answer.text) == (503, "not ready: worker\n")


def test_nobody_is_sent_where_the_database_has_another_shape(portal):
    set_to = sa.text("UPDATE alembic_version SET version_num = :number")
    portal.store.write(lambda session: session.execute(set_to, {"number": "0001"}))
    answer = portal.app.test_client().get("/readyz")
    portal.store.write(lambda session: session.execute(set_to, {"number": PRESENT}))

    assert (answer.status_code, answer.text) == (503, "not ready: migrations\n")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nobody_is_sent_where_the_database_does_not_answer(portal):
    portal.store.engine.dispose()
    gone = portal.store.engine.url.set(port=9, host="127.0.0.1", query={})
    portal.store.engine = sa.create_engine(gone)
    client = portal.app.test_client()
    answer = client.get("/readyz")

    assert (answer.status_code, answer.text) == (503, "not ready: database\n")
    assert client.get("/healthz").status_code == 200
    assert client.get("/metrics").status_code == 503


def test_what_runs_says_so_itself(place, kept):
    """Real processes: ready, at work, and after the worker's end with nobody at work."""
    processes = place.serve()
    told = lambda: metrics(requests.get(f"{place.url}/metrics", timeout=PATIENCE).text)  # noqa: E731 - asked again and again

    assert requests.get(f"{place.url}/readyz", timeout=PATIENCE).text == "ready\n"
    assert until(lambda: told()["regportal_workers",] == 1)
    doctor = json.loads(place.run("doctor", "--json").stdout)
    assert {"owed to crm", "owed to mail"} <= {one["check"] for one in doctor if one["fine"]}
    if place.sqlite:
        return
    processes[1].kill()
    assert until(lambda: told()["regportal_workers",] == 0)
    assert requests.get(f"{place.url}/readyz", timeout=PATIENCE).text == "ready\n"
    doctor = json.loads(place.run("doctor", "--json").stdout)
    assert [one["says"] for one in doctor if one["check"] == "workers"] == [
        "nobody works: run `regportal worker`"
    ]


def test_every_metric_is_described(portal):
    drain(portal.store, "crm", answering(), clock=lambda: NOW)
    owe(portal, "contact:1")
    drain(portal.store, "crm", answering(Outcome.DONE), clock=lambda: datetime.now(UTC))
    portal.store.write(lambda session: session.add(Chore(name=RETENTION, at=NOW, did={})))
    portal.browser().gate("guide")
    told = {name[0] for name in read(portal)}
    told = {re.sub("_(bucket|count|sum|created)$", "", name) for name in told}
    page = (Path(__file__).parents[2] / "docs" / "running.md").read_text(encoding="utf-8")
    described = set(re.findall(r"`(regportal_\w+)(?:\{[^`]*\})?`", page))

    assert told == described


@pytest.mark.parametrize(("workers", "fine"), [(0, False), (1, True)])
def test_nobody_at_work_is_a_fault_while_a_message_is_due(portal, workers, fine):
    owe(portal, "contact:1")
    with portal.store.read() as session:
        published, now = portal.shelf.published(session), datetime.now(UTC)
        found = replace(vitals(session, published, now=now), workers=workers)
    first, *_ = _delivery(found, now + timedelta(seconds=1))

    assert not any(one.number for one in found.work.values())
    assert (first.name, first.fine) == ("workers", fine)
