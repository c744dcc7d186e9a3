"""What tests of lists may ask for: a scene with people, and a list that is read whole."""

import pytest
import sqlalchemy as sa

from regportal.buying.scores.schema import Score
from regportal.identity.models import Assurance, Contact
from regportal.insight.paging import walk
from regportal.store.sessions import Store, make_engine
from regportal.tracking.actions import log
from regportal.tracking.models import EntryKind
from tests.buying.scene import CRM, NOON, PRICES, Scene

INTEREST = Score.model_validate(
    {
        "key": "interest",
        "behaviour": [
            {
                "group": "all",
                "half_life": "30d",
                "at_most": 100,
                "points": [
                    {"event": "download", "points": 20},
                    {"event": "page_view", "points": 3},
                ],
            }
        ],
        "thresholds": {"warm": 10, "hot": 40},
    }
)


@pytest.fixture
def store(database_url):
    opened = Store(make_engine(database_url))
    yield opened
    opened.close()


@pytest.fixture
def scene(store):
    """A price list, one CRM, one score, and nobody yet."""
    scene = Scene(store)
    scene.publish(CRM, PRICES, INTEREST)
    return scene


@pytest.fixture
def person(scene):
    """Lets somebody be known; returns his key."""

    def know(email, assurance=Assurance.VERIFIED):
        key = scene.contact(email)

        def prove(session):
            session.execute(sa.update(Contact).where(Contact.id == key).values(assurance=assurance))
            log(session, EntryKind.ANSWER, key, now=NOON)

        scene.store.write(prove)
        return key

    return know


@pytest.fixture
def whole(store):
    """Reads a list whole, two rows a page, and asks whether one page has the same."""

    def read(page, *args, **more):
        with store.read() as session:
            rows = [*walk(lambda at: page(session, *args, at, 2, **more))]
            at_once = page(session, *args, None, 200, **more)
        assert rows == [*at_once.rows]
        assert (at_once.before, at_once.after) == (None, None)
        return rows

    return read
