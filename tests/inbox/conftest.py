import pytest

from regportal.store.sessions import Store, make_engine
from tests.buying.scene import CRM, PRICES
from tests.inbox.crm import Crm


@pytest.fixture
def store(database_url):
    store = Store(make_engine(database_url))
    yield store
    store.close()


@pytest.fixture
def crm(store, monkeypatch):
    """A CRM that holds the secret of the connector ``crm``, and the portal it calls."""
    crm = Crm(store)
    monkeypatch.setenv("CRM_SECRET", crm.secret)
    crm.publish(CRM, PRICES)
    return crm
