"""Scores of people who have only become known: who somebody is counts before he does anything."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.buying.scores.checking import differences
from regportal.buying.scores.models import ScoreState
from regportal.identity.models import Contact
from tests.portal import SITE

SCORES = """
scores:
  - key: fit
    label: Fit
    profile: {points: [{field: {name: address, in: [business]}, points: 10}]}
"""
BO = "bo@widgetworks.example"


def by_a_part(portal):
    portal.hook("opportunity.upserted", {"external_id": "D-1", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "D-1", "email": BO})


def by_a_merge(portal):
    portal.hook("contact.merged", {"email": "bo@home.example", "into": BO})


def by_a_proof_and_nothing_else(portal):
    portal.browser().claim(BO)
    portal.work()
    portal.browser().post(portal.link(), {"choice": "confirm"})


@pytest.mark.parametrize("known", [by_a_part, by_a_merge, by_a_proof_and_nothing_else])
def test_whoever_becomes_known_has_the_points_of_who_he_is(portal, known):
    portal.publish(SITE + SCORES)
    known(portal)
    portal.work()
    portal.work()
    with portal.store.read() as session:
        published = portal.shelf.published(session)
        found = [*differences(session, published, now=datetime.now(UTC))]
        bo = sa.select(ScoreState.fixed).join(Contact, Contact.id == ScoreState.contact_id)
        points = session.scalars(bo.where(Contact.match_key == BO)).all()

    assert found == []
    assert points == [10]
