"""The worker ends when it is told to, whatever the CRM does."""

import socket
from contextlib import closing
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.app.worker import Worker
from regportal.outbox.actions import News, put
from regportal.outbox.models import Message, MessageState
from tests.connectors.receiver import receiving
from tests.patience import until
from tests.portal import SECRET, SITE, Portal

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def silent():
    """A CRM that picks up the telephone and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening


@pytest.fixture
def portal(database_url, tmp_path, monkeypatch, silent):
    """An installation whose CRM is silent."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    made = Portal(database_url, tmp_path, allow_private_targets="127.0.0.0/8")
    port = silent.getsockname()[1]
    made.publish(SITE.replace("https://crm.acme.example/in", f"http://127.0.0.1:{port}/in"))
    yield made
    made.close()


def owe(portal, connector, subject):
    now = datetime.now(UTC)
    news = News("phase.changed", subject, {"id": "1"}, now)
    portal.store.write(lambda session: put(session, connector, news, now=now))


def messages(portal):
    with portal.store.read() as session:
        return session.scalars(sa.select(Message)).all()


def test_while_one_crm_is_silent_another_one_is_told(database_url, tmp_path, monkeypatch, silent):
    monkeypatch.setenv("CRM_SECRET", SECRET)
    settings = {"allow_private_targets": "127.0.0.0/8"}
    here = f"http://127.0.0.1:{silent.getsockname()[1]}/in"
    also = f'  - {{key: silent, type: webhook, url: "{here}", secret: "env:CRM_SECRET"}}'
    with receiving() as well, closing(Portal(database_url, tmp_path, **settings)) as portal:
        portal.publish(SITE.replace("https://crm.acme.example/in", well.url) + also)
        owe(portal, "silent", "contact:0")
        worker = Worker(portal.app)
        worker.start()
        assert until(lambda: any(row.leased_until for row in messages(portal)))
        for number in range(20):
            owe(portal, "crm", f"contact:{number}")
            worker.wake("deliver")
        told = until(lambda: len(well.calls) == 20)
        rows = messages(portal)
        worker.stop()

    assert told
    assert [row.attempts for row in rows if row.connector == "silent"] == [0]


@on_sqlite
def test_a_crm_that_is_slow_to_answer_does_not_delay_the_end(portal):
    owe(portal, "crm", "opportunity:1")
    worker = Worker(portal.app)
    worker.start()
    assert until(lambda: any(row.leased_until for row in messages(portal)))

    worker.stop()

    (row,) = messages(portal)
    assert (row.state, row.attempts, row.leased_until) == (MessageState.DUE, 0, None)
