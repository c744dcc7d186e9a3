"""The list of opportunities: by phase and by who looks after them, what moved last first."""

from datetime import timedelta

import pytest

from regportal.insight import opportunities
from regportal.insight.opportunities import Opportunities
from tests.buying.scene import NOON

HOUR = timedelta(hours=1)
SAM, KIM = {"name": "Sam Okafor", "email": "Sam@acme.example"}, {"name": "Kim"}


@pytest.fixture
def listed(scene, whole):
    def read(owners=None, **asked):
        def page(session, filters, at, size):
            return opportunities.page(session, filters, at, size, owners=owners)

        return [row.external_id for row in whole(page, Opportunities(**asked))]

    return read


@pytest.fixture
def deals(scene, person):
    """Three that are open, one of them far, and one of each end."""
    ann = person("ann@initech.example")
    for number, owner in enumerate((SAM, KIM, None)):
        deal = scene.opportunity(f"open-{number}", owner=owner, now=NOON + number * HOUR)
        if number == 1:
            scene.role(deal, ann)
    scene.opportunity("won", owner=SAM, is_closed=True, is_won=True)
    scene.opportunity("lost", owner=KIM, is_closed=True, account={"name": "Initech"})
    scene.did(ann, now=NOON + 5 * HOUR)
    scene.weigh(now=NOON + 5 * HOUR)


@pytest.mark.usefixtures("deals")
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["open-1", "open-2", "open-0"]),
        ({"phase": "comparison"}, ["open-1"]),
        ({"phase": "unaware"}, ["open-2", "open-0"]),
        ({"owner": "SAM@acme.example"}, ["open-0"]),
        ({"owner": "kim"}, ["open-1"]),
        ({"owner": "%"}, []),
        ({"state": "won"}, ["won"]),
        ({"state": "lost"}, ["lost"]),
        ({"state": "won", "owner": "kim"}, []),
        ({"owners": frozenset({"sam@acme.example"})}, ["open-0"]),
        ({"owners": frozenset({"sam@acme.example", "kim"})}, ["open-1", "open-0"]),
        ({"owners": frozenset({"sam@acme.example"}), "owner": "kim"}, []),
        ({"owners": frozenset()}, []),
    ],
)
def test_a_list_is_narrowed_to_what_is_asked_for_and_may_be_seen(listed, asked, found):
    assert listed(**asked) == found


@pytest.mark.usefixtures("deals")
def test_a_row_says_what_a_seller_wants_to_know(store):
    with store.read() as session:
        row = opportunities.page(session, Opportunities(), None, 1).rows[0]
        lost = opportunities.page(session, Opportunities(state="lost")).rows[0]

    assert (row.external_id, row.phase, row.since) == ("open-1", "comparison", NOON + 5 * HOUR)
    assert (row.owner, lost.account) == ("Kim", "Initech")


def test_what_moves_meanwhile_is_not_seen_twice(scene, store):
    for number in range(4):
        scene.opportunity(str(number), now=NOON + number * HOUR)
    with store.read() as session:
        first = opportunities.page(session, Opportunities(), None, 2)
    scene.opportunity("4", now=NOON + 9 * HOUR)
    with store.read() as session:
        second = opportunities.page(session, Opportunities(), first.after, 2)

    assert [row.external_id for row in (*first.rows, *second.rows)] == ["3", "2", "1", "0"]
