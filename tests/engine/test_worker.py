"""The worker ends when it is told to, whatever the CRM does."""

import socket
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.app.worker import Worker
from regportal.buying.lists.models import ListedPerson
from regportal.connectors.dialling import AT_ONCE
from regportal.documents import drafts
from regportal.documents.actions import Signed
from regportal.documents.history import body_of
from regportal.documents.releasing import schedule
from regportal.forms.schema import Gate
from regportal.identity.actions import contact_from_crm
from regportal.outbox.actions import News, put
from regportal.outbox.models import Message, MessageState
from regportal.store.documents import Publication
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
def test_whoever_is_in_no_list_is_in_them_once_a_worker_runs(portal):
    now = datetime.now(UTC)
    portal.store.write(lambda session: contact_from_crm(session, "ann@initech.example", now=now))
    worker = Worker(portal.app)
    worker.start()

    def addresses():
        with portal.store.read() as session:
            return session.scalars(sa.select(ListedPerson.address)).all()

    assert until(lambda: addresses() == ["ann@initech.example"])
    worker.stop()


@on_sqlite
def test_a_crm_that_is_slow_to_answer_does_not_delay_the_end(portal):
    owe(portal, "crm", "opportunity:1")
    worker = Worker(portal.app)
    worker.start()
    assert until(lambda: any(row.leased_until for row in messages(portal)))

    worker.stop()

    (row,) = messages(portal)
    assert (row.state, row.attempts, row.leased_until) == (MessageState.DUE, 0, None)


@pytest.fixture
def told(database_url, tmp_path, monkeypatch):
    """Tell a CRM much, publish something when it is called first; return what it heard."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    guard, much = threading.Lock(), 5 * AT_ONCE

    def told(changed, *, is_done):
        with (
            receiving() as crm,
            closing(Portal(database_url, tmp_path, allow_private_targets="127.0.0.0/8")) as portal,
        ):
            book = SITE.replace("https://crm.acme.example/in", crm.url)
            portal.publish(book)
            for number in range(much):
                owe(portal, "crm", f"contact:{number}")
            take = crm.take

            def changes(call):
                with guard:
                    if not crm.calls:
                        portal.publish(changed(book, crm), prune=True)
                    return take(call)

            crm.take = changes
            worker = Worker(portal.app)
            worker.start()
            assert until(lambda: is_done(crm, messages(portal)))
            worker.stop()
            return crm

    return told


def is_sent(_, rows):
    return {row.state for row in rows} == {MessageState.SENT}


def test_a_connector_with_another_address_is_told_there_after_the_batch_in_hand(told):
    with receiving() as new:
        old = told(lambda book, old: book.replace(old.url, new.url), is_done=is_sent)

    assert (len(old.calls), len(new.calls)) == (AT_ONCE, 4 * AT_ONCE)


def test_a_connector_with_another_secret_uses_it_after_the_batch_in_hand(told, monkeypatch):
    def other(book, _):
        monkeypatch.setenv("CRM_SECRET", SECRET.replace("MfKQ", "QKfM"))
        return book

    crm = told(other, is_done=is_sent)

    assert (len(crm.calls), len(crm.forged)) == (5 * AT_ONCE, 4 * AT_ONCE)


def test_a_connector_that_is_archived_is_told_nothing_after_the_batch_in_hand(told):
    def is_left_alone(crm, rows):
        sent = [row for row in rows if row.state is MessageState.SENT]
        return len(sent) == len(crm.calls) > 0 and not any(row.leased_until for row in rows)

    def without(book, _):
        one = next(line for line in book.splitlines() if "key: crm" in line)
        return book.replace("connectors:\n" + one, "")

    crm = told(without, is_done=is_left_alone)

    assert len(crm.calls) == AT_ONCE


def test_a_draft_is_published_when_its_time_has_come(portal):
    def planned(session):
        body = {**body_of(session, "gate", "guide", 1), "headline": "The guide, once more"}
        draft = drafts.begin(session, [drafts.Piece("gate", "guide", body)], "ann", now=now)
        schedule(session, draft.id, now + timedelta(seconds=1), Signed("ann"), now=now)

    def headline():
        with portal.store.read() as session:
            return portal.shelf.published(session).one(Gate, "guide").headline

    now = datetime.now(UTC)
    workers = [Worker(portal.app), Worker(portal.app)]
    for worker in workers:
        worker.start()
    portal.store.write(planned)
    workers[0].wake("publish")
    told = until(lambda: headline() == "The guide, once more")
    for worker in workers:
        worker.stop()

    assert told
    with portal.store.read() as session:
        assert session.scalars(sa.select(Publication.number)).all() == [1, 2]
