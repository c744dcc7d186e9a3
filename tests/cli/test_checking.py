"""`regportal replay --check`: what is kept otherwise than the log says, in words."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.models import KeptStanding, Opportunity
from regportal.buying.scores.models import ScoreState
from regportal.connectors.rules import in_full
from regportal.store.ids import uuid7
from regportal.store.sessions import Store, make_engine
from tests.buying.scene import CRM, PRICES, Scene
from tests.buying.scores.test_explaining import score

THEN = (datetime.now(UTC) - timedelta(days=1)).replace(microsecond=0)
SINCE = in_full(THEN)
KEY = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture
def scene(installed, database_url):
    """Ann has a part in 500 widgets, and took the price list; all of it is weighed."""
    del installed
    scene = Scene(Store(make_engine(database_url)))
    scene.publish(CRM, PRICES, score())
    ann = scene.contact("ann@example.com")
    scene.role(scene.opportunity(name="500\x1b widgets", now=THEN), ann, now=THEN)
    scene.did(ann, now=THEN)
    scene.weigh(now=THEN)
    yield scene
    scene.store.close()


def spoil(scene, which, spoiled):
    """Let something stand in the standing of an opportunity or a person that is not so."""

    def write(session):
        for kept in session.scalars(sa.select(KeptStanding).where(KeptStanding.subject == which)):
            state = json.loads(kept.state)
            kept.state = json.dumps(state | spoiled(state))

    scene.store.write(write)


def checked(installed):
    """What is said, with KEY in place of each key, and how it ends."""
    ran = installed("replay", "--check")
    return ran.code, [re.sub(KEY, "KEY", line) for line in ran.out.splitlines()]


def test_where_nothing_is_amiss_it_says_so(installed, scene):
    assert checked(installed) == (0, ["Everything that is kept is what the log says."])


def test_an_opportunity_is_named_as_everywhere_and_moments_can_be_read(installed, scene):
    wrong = datetime(2026, 3, 4, 12, tzinfo=UTC)
    since = int(wrong.timestamp()) * 10**6
    spoil(scene, "opportunity", lambda _: {"since": since, "phase": 1})

    assert checked(installed) == (
        1,
        [
            "opportunity 500· widgets (crm:006) [KEY]: phase is stalled, not comparison",
            f"opportunity 500· widgets (crm:006) [KEY]: since is 2026-03-04T12:00:00Z, not {SINCE}",
        ],
    )


def test_what_is_counted_is_named_with_who_did_what(installed, scene):
    spoil(scene, "opportunity", lambda told: {"rings": [[[], []] for _ in told["rings"]]})
    spoil(scene, "person", lambda _: {"answers": {"size": {str(uuid7()): [["3"], 0]}}})
    code, told = checked(installed)
    took = f"({SINCE}) (download of Price list 2026 [KEY])"
    deal = "opportunity 500· widgets (crm:006) [KEY]"

    assert code == 1
    assert f"{deal}: rings, 3 (download of price-list, quote) is empty, not {took}" in told
    assert "person ann@example.com [KEY]: answers, size is KEY: ((3) 0), not nothing" in told


def test_a_score_is_named_with_its_owner_and_its_levels(installed, scene):
    scene.store.write(lambda session: session.execute(sa.delete(ScoreState)))
    code, told = checked(installed)

    assert code == 1
    assert told[0] == (
        f"person ann@example.com [KEY]: sums of the score hot, gained, 0 is nothing, not 40 {SINCE}"
    )
    assert "person ann@example.com [KEY]: level of the score hot is nothing, not warm" in told


def test_a_phase_that_is_not_the_standings_is_named(installed, scene):
    other = sa.update(Opportunity).values(phase="stalled")
    scene.store.write(lambda session: session.execute(other))

    assert checked(installed) == (
        1,
        ["opportunity 500· widgets (crm:006) [KEY]: phase is stalled, not comparison"],
    )
