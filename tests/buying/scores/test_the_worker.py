"""The worker itself lets everybody stand under scores as they are published now."""

from contextlib import closing

import pytest
import sqlalchemy as sa

from regportal.app.worker import Worker
from regportal.buying.scores.models import ScoreState
from tests.buying.scene import Scene
from tests.patience import until
from tests.portal import SECRET, SITE, Portal

FIT = """
scores:
  - key: fit
    profile: {points: [{field: {name: address, equals: business}, points: 30}]}
"""


@pytest.fixture
def portal(database_url, tmp_path, monkeypatch):
    monkeypatch.setenv("CRM_SECRET", SECRET)
    with closing(Portal(database_url, tmp_path, limits="off")) as portal:
        yield portal


def points(portal):
    with portal.store.read() as session:
        return session.scalars(sa.select(ScoreState.fixed)).all()


def test_whoever_does_nothing_stands_under_a_score_that_is_published_or_lost(portal):
    portal.publish(SITE + FIT)
    Scene(portal.store).contact("ann@initech.example")
    first, second = Worker(portal.app), Worker(portal.app)
    first.start()
    try:
        began = until(lambda: points(portal) == [30])
        portal.publish(SITE + FIT.replace("points: 30", "points: 40"))
        first.wake("weigh")
        changed = until(lambda: points(portal) == [40])
    finally:
        first.stop()
    portal.store.write(lambda session: session.execute(sa.delete(ScoreState)))
    second.start()
    try:
        assert began
        assert changed
        assert until(lambda: points(portal) == [40])
    finally:
        second.stop()
