import pytest

from regportal.store.sessions import Store, make_engine
from tests.buying.scene import CRM, PRICES, Scene


@pytest.fixture
def store(database_url):
    store = Store(make_engine(database_url))
    yield store
    store.close()


@pytest.fixture
def scene(store):
    """A price list, one CRM, and nobody yet."""
    scene = Scene(store)
    scene.publish(CRM, PRICES)
    return scene


@pytest.fixture
def ann(scene):
    return scene.contact("ann@example.com")


@pytest.fixture
def deal(scene, ann):
    """An open opportunity in which Ann has a part."""
    deal = scene.opportunity("006", name="500 widgets")
    scene.role(deal, ann, role="decision_maker")
    return deal
