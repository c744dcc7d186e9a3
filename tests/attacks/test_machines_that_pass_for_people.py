"""
A machine that wants to be taken for a person, or for a particular one.

Products that filter machines drop what they see of them, and nobody can say later that they were
wrong; those that keep it let a script of the page name who did it. A crawler that is counted
makes a prospect look eager; one that is not, and keeps coming, fills the disk.

What we do: the verdict is ours alone (no call can carry one); what a machine does in somebody's
browser is kept as a machine's and moves nothing; of what nobody knows only so much is kept, the
newest; and a colleague who knows better says so in the open: who was taken for whom, and why,
stays beside what was taken first.
"""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.tracking.models import Interaction, Judged, Verdict
from regportal.tracking.rejudging import judge_by_hand
from tests.attacks.test_deeds_in_somebodys_name import LOOKED, deal  # noqa: F401 - a fixture
from tests.tracking.test_the_collector import (
    CRAWLER,
    ann,  # noqa: F401 - a fixture
    event,
    followed,  # noqa: F401 - a fixture
    kept,
    tell,
)


@pytest.mark.parametrize("field", ["judged", "judged_because", "judged_by", "verdict"])
def test_no_call_carries_its_own_verdict(portal, followed, field):  # noqa: F811 - the fixture
    _, answer = tell(followed, event(**{field: "person"}), headers={"User-Agent": CRAWLER})
    tell(
        followed,
        event(type="custom:visit", properties={field: "person"}),
        headers={"User-Agent": CRAWLER},
    )
    portal.work()

    assert answer["accepted"] == 0
    (one,) = kept(portal)
    assert one.judged is Judged.MACHINE


@pytest.mark.parametrize("headers", [{"User-Agent": CRAWLER}, {"Sec-Purpose": "prefetch"}])
def test_a_machine_in_her_browser_makes_her_no_more_eager(portal, deal, ann, headers):  # noqa: F811 - the fixture
    """Her cookie was taken, or a program drives her browser: her log grows, her phase does not."""
    before = portal.news("phase.changed"), portal.news("interaction.recorded")
    for _ in range(5):
        tell(ann, event(**LOOKED), headers=headers)
    portal.work()

    assert (portal.news("phase.changed"), portal.news("interaction.recorded")) == before
    assert len(kept(portal)) == 6


def test_telling_it_again_as_a_person_changes_nothing(portal, followed):  # noqa: F811 - the fixture
    said = event()
    tell(followed, said, headers={"User-Agent": CRAWLER})
    portal.work()
    _, answer = tell(followed, said)
    portal.work()

    assert answer == {"accepted": 0, "duplicate": 1, "refused": []}
    (one,) = kept(portal)
    assert one.judged is Judged.MACHINE


def test_what_was_judged_first_is_never_rewritten(portal, followed):  # noqa: F811 - the fixture
    tell(followed, event(), headers={"User-Agent": CRAWLER})
    portal.work()
    (one,) = kept(portal)
    for judged in (Judged.PERSON, Judged.MACHINE, Judged.PERSON):
        now = datetime.now(UTC)
        portal.store.write(
            lambda session, judged=judged, now=now: judge_by_hand(
                session, one.id, judged, f"looks like a {judged}", now=now
            )
        )
    with portal.store.read() as session:
        row = session.get_one(Interaction, one.id)
        said = session.scalars(sa.select(Verdict).order_by(Verdict.at, Verdict.id)).all()

    assert (row.judged, row.judged_because) == (Judged.MACHINE, "a crawler: Googlebot/")
    assert [each.judged_because for each in said] == [
        "looks like a person",
        "looks like a machine",
        "looks like a person",
    ]
