"""Who did something turns out later: a machine's stops counting, a person's begins to."""

from datetime import timedelta

import pytest

from regportal.tracking.models import Judged
from regportal.tracking.rejudging import judge_by_hand
from tests.buying.scene import NOON

SECOND = timedelta(seconds=1)
MACHINE, PERSON = Judged.MACHINE, Judged.PERSON


@pytest.fixture
def judge(scene):
    """Says by hand who did something, so many seconds after noon."""

    def says(interaction, judged, seconds=60):
        now = NOON + seconds * SECOND
        scene.store.write(
            lambda session: judge_by_hand(session, interaction, judged, "looked", now=now)
        )

    return says


def told(scene):
    return [one.payload["id"] for one in scene.messages("interaction.recorded")]


def test_what_a_person_did_after_all_moves_the_phase_and_the_crm_hears_of_it(
    scene, ann, deal, judge
):
    taken = scene.did(ann, judged=MACHINE, now=NOON + SECOND)
    scene.weigh()
    before = scene.phase(deal), told(scene)
    judge(taken, PERSON)
    scene.weigh()

    assert before == ("unaware", [])
    assert scene.phase(deal) == "comparison"
    (move,) = scene.moves()
    assert move.at == NOON + 60 * SECOND
    assert told(scene) == [str(taken)]
    (news,) = scene.messages("interaction.recorded")
    assert news.payload["interaction"]["judged"] == "person"


def test_nobody_is_told_twice(scene, ann, deal, judge):
    taken = scene.did(ann, now=NOON + SECOND)
    scene.weigh()
    judge(taken, MACHINE, 60)
    judge(taken, PERSON, 61)
    scene.weigh()

    assert told(scene) == [str(taken)]
    assert [(move.to_phase, move.cause) for move in scene.moves()] == [
        ("comparison", "event"),
        ("unaware", "correction"),
        ("comparison", "event"),
    ]


def test_what_a_machine_did_after_all_counts_for_nothing_from_then_on(scene, ann, judge):
    taken = scene.did(ann, now=NOON)
    judge(taken, MACHINE, 60)
    scene.weigh()
    late = scene.opportunity("007", name="later", now=NOON + 90 * SECOND)
    scene.role(late, ann, now=NOON + 90 * SECOND)
    scene.weigh()

    assert scene.phase(late) == "unaware"


def test_a_log_that_is_read_late_finds_what_was_known_then(scene, ann, deal, judge):
    """The move was right when it was made; nobody rewrites it, what is known now is one more."""
    taken = scene.did(ann, now=NOON + SECOND)
    judge(taken, MACHINE, 60)
    scene.weigh()

    assert [(move.to_phase, move.at, move.cause) for move in scene.moves()] == [
        ("comparison", NOON + SECOND, "event"),
        ("unaware", NOON + 60 * SECOND, "correction"),
    ]
    assert told(scene) == [str(taken)]


def test_a_machines_deed_that_becomes_somebodys_is_still_a_machines(scene, ann, deal, judge):
    taken = scene.did(None, attribution="anonymous", judged=MACHINE)
    scene.attribute(ann, taken, now=NOON + 30 * SECOND)
    scene.weigh()
    before = scene.moves(), told(scene)
    judge(taken, PERSON)
    scene.weigh()

    assert before == ([], [])
    assert told(scene) == [str(taken)]
    assert scene.phase(deal) == "comparison"
