import pytest
import time_machine

from tests.buying.alerts.office import ANN, NOON, Office, site
from tests.mails import mail_server
from tests.portal import SECRET, Portal


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as standing:
        yield standing


@pytest.fixture
def office(database_url, tmp_path, monkeypatch, clock):
    """An office whose site sends alerts, with nobody's purchase yet."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    with mail_server() as (box, port):
        url = f"smtp://127.0.0.1:{port}?from=portal@acme.example"
        portal = Portal(database_url, tmp_path, limits="off", mail_url=url)
        portal.publish(site(to="marketing@acme.example"))
        yield Office(portal, box, clock)
        portal.close()


@pytest.fixture
def ann(office):
    return office.contact(ANN)
