"""The worker itself tells who looks after an opportunity, by a real mail server, within seconds."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from regportal.app.worker import Worker
from tests.buying.alerts.office import ANN, BO, Office, plain, site
from tests.mails import mail_server
from tests.patience import until
from tests.portal import SECRET, Portal


@pytest.fixture
def open_office(database_url, tmp_path, monkeypatch):
    """An office in which time passes and a worker works."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    with mail_server() as (box, port):
        url = f"smtp://127.0.0.1:{port}?from=portal@acme.example"
        with closing(Portal(database_url, tmp_path, limits="off", mail_url=url)) as portal:
            portal.publish(site(send="each"))
            worker = Worker(portal.app)
            worker.start()
            try:
                yield Office(portal, box, None)
            finally:
                worker.stop()


def test_a_download_is_told_to_the_owner_by_mail(open_office):
    now = datetime.now(UTC)
    ann = open_office.contact(ANN)
    deal = open_office.opportunity("006", name="500 widgets", owner=BO, now=now)
    open_office.role(deal, ann, now=now)
    open_office.did(ann, name="list", now=now + timedelta(milliseconds=1))
    wake = open_office.portal.app.extensions["regportal.wake"]
    wake("weigh")
    assert until(lambda: open_office.box.envelopes)
    wake("weigh")
    (letter,) = open_office.letters()

    assert letter["To"] == BO["email"]
    assert "ann@initech.example downloaded Price list 2026." in plain(letter)
    assert [one["state"] for one in open_office.listed()] == ["told"]
