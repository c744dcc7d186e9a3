"""The worker ends when it is told to, whatever the CRM does."""

import socket
from contextlib import closing
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.app.worker import Worker
from regportal.outbox.actions import News, put
from regportal.outbox.models import Message, MessageState
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


def messages(portal):
    with portal.store.read() as session:
        return session.scalars(sa.select(Message)).all()


@on_sqlite
def test_a_crm_that_is_slow_to_answer_does_not_delay_the_end(portal):
    now = datetime.now(UTC)
    news = News("phase.changed", "opportunity:1", {"id": "1"}, now)
    portal.store.write(lambda session: put(session, "crm", news, now=now))
    worker = Worker(portal.app)
    worker.start()
    assert until(lambda: any(row.lease for row in messages(portal)))

    worker.stop()

    (row,) = messages(portal)
    assert (row.state, row.attempts, row.lease) == (MessageState.DUE, 0, None)
