"""What moves a phase besides deeds: time, answers, scores, other rules."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.checking import standing_differences
from regportal.buying.models import KeptStanding
from regportal.buying.passing import pass_time
from regportal.buying.schema import Buying
from regportal.buying.scores.actions import next_wake
from regportal.buying.scores.schema import Score
from regportal.forms.schema import Question
from regportal.identity.models import Assurance, Contact
from regportal.store.ids import uuid7
from regportal.tracking.models import Parcel, Source
from tests.buying.scene import NOON
from tests.portal import patiently

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
TAKEN = {"event": "download", "within": "30d"}


def model(condition, **phase):
    enter = {"all": [TAKEN, condition]}
    phases = [{"id": "unaware"}, {"id": "interest", "enter": enter, **phase}]
    return Buying.model_validate({"phases": phases})


def warmth():
    return Score.model_validate(
        {
            "key": "warmth",
            "behaviour": [
                {
                    "group": "deeds",
                    "half_life": "1d",
                    "points": [{"event": "download", "points": 20}],
                }
            ],
            "thresholds": {"warm": 30},
        }
    )


def moves(scene):
    return [(one.from_phase, one.to_phase, one.at, one.cause) for one in scene.moves()]


def differences(scene, now):
    with scene.store.read() as session:
        published = scene.shelf.published(session)
        return [*standing_differences(session, published, now=now)]


def test_silence_is_noticed_at_its_moment_however_late_the_worker_comes(scene, ann, deal):
    scene.did(ann, now=NOON + SECOND)
    scene.weigh()
    silent = NOON + SECOND + 45 * DAY
    scene.weigh(now=silent - SECOND)
    before = scene.phase(deal)
    scene.weigh(now=silent + DAY)

    assert before == "comparison"
    assert moves(scene)[1:] == [("comparison", "stalled", silent, "timer")]
    assert scene.messages("phase.changed")[-1].payload["reason"] == (
        "Stalled since 18 Apr 2026 12:00: nobody did anything for 45 days"
    )
    assert differences(scene, silent + DAY) == []


def let_wait(scene, received_at):
    """Let a parcel wait to be unpacked."""
    waiting = Parcel(
        id=uuid7(),
        received_at=received_at,
        source=Source.BROWSER,
        proven=False,
        own_staff=False,
        touch={},
        events=[],
    )
    scene.store.write(lambda session: session.add(waiting))


def test_nobody_falls_silent_while_a_parcel_of_before_waits_to_be_unpacked(scene, ann, deal):
    scene.did(ann, now=NOON + SECOND)
    scene.weigh()
    silent = NOON + SECOND + 45 * DAY
    let_wait(scene, silent - SECOND)
    again = pass_time(scene.store, scene.shelf, now=silent + SECOND)

    assert scene.phase(deal) == "comparison"
    assert again is not None
    assert again <= silent + 2 * SECOND

    pass_time(scene.store, scene.shelf, now=silent + DAY)  # something is wrong with that parcel

    assert scene.phase(deal) == "stalled"


def test_who_answers_is_not_silent(scene, ann, deal):
    scene.did(ann, now=NOON + SECOND)
    scene.weigh()
    at = NOON + 40 * DAY
    scene.answers(ann, "country", "GB", now=at)
    scene.weigh(now=NOON + 60 * DAY)
    then = scene.phase(deal)
    scene.weigh(now=NOON + 90 * DAY)

    assert then == "comparison"
    assert moves(scene)[1:] == [("comparison", "stalled", at + 45 * DAY, "timer")]


@pytest.mark.parametrize("assurance", [Assurance.VERIFIED, Assurance.CLAIMED])
def test_an_answer_moves_a_phase_once_it_is_known_to_be_theirs(scene, ann, deal, assurance):
    asked = {"answer": {"question": "timeframe", "in": ["0-3m"]}}
    scene.publish(Question(key="timeframe", label="When?", type="timeframe"), model(asked))
    scene.did(ann, now=NOON + SECOND)
    scene.weigh()
    before = scene.phase(deal)
    scene.answers(ann, "timeframe", "0-3m", now=NOON + DAY, assurance=assurance)
    scene.weigh(now=NOON + DAY)

    told = [each.payload["reason"] for each in scene.messages("phase.changed")]
    assert before == "unaware"
    if assurance is Assurance.CLAIMED:
        assert told == []
    else:
        assert told[0].endswith("answer to “When?”: ann@example.com")


def test_a_threshold_moves_a_phase_upwards_and_cooling_down_takes_it_back(scene, ann, deal):
    warm = {"score": {"name": "warmth", "at_least": 30}}
    exit_ = {"all": [{"none": [warm]}]}
    scene.publish(warmth(), model(warm, exit=exit_))
    scene.did(ann, now=NOON + SECOND)
    scene.weigh()
    cold = scene.phase(deal)
    scene.did(ann, now=NOON + 2 * SECOND)
    scene.weigh()
    warmed = scene.phase(deal)
    scene.weigh(now=NOON + 2 * DAY)

    assert (cold, warmed, scene.phase(deal)) == ("unaware", "interest", "unaware")
    assert differences(scene, NOON + 2 * DAY) == []


def test_a_score_that_cools_moves_at_its_own_moment_whatever_of_others_was_weighed(
    scene, ann, deal
):
    warm = {"score": {"name": "warmth", "at_least": 30}}
    scene.publish(warmth(), model(warm, exit={"all": [{"none": [warm]}]}))
    bob = scene.contact("bob@example.com")
    scene.role(scene.opportunity("007"), bob)
    for seconds in (1, 2):
        scene.did(ann, now=NOON + seconds * SECOND)
    scene.weigh()
    with scene.store.read() as session:
        cools = next_wake(session)
    scene.did(bob, now=cools + 5 * SECOND)
    patiently(lambda: scene.weigh_once(now=cools + 5 * SECOND))
    let_wait(scene, cools + 2 * SECOND)
    pass_time(scene.store, scene.shelf, now=cools + 6 * SECOND)

    assert moves(scene)[1:] == [("interest", "unaware", cools, "timer")]
    assert differences(scene, cools + 5 * SECOND) == []


@pytest.mark.parametrize("late", [SECOND, 40 * DAY])
def test_a_score_that_cools_while_the_worker_is_down_moves_as_if_it_were_there(
    scene, ann, deal, late
):
    warm = {"score": {"name": "warmth", "at_least": 30}}
    scene.publish(warmth(), model(warm, exit={"all": [{"none": [warm]}]}))
    for seconds in (1, 2):
        scene.did(ann, now=NOON + seconds * SECOND)
    scene.weigh()
    with scene.store.read() as session:
        cools = next_wake(session)
    scene.weigh(now=cools + late)

    assert moves(scene)[1:] == [("interest", "unaware", cools, "timer")]
    assert differences(scene, cools + late) == []


def test_silence_and_scores_that_cool_move_in_their_order_however_late(scene, ann, deal):
    warm = {"score": {"name": "warmth", "at_least": 30}}
    called = {"event": "call", "within": "9d"}
    phases = [
        {"id": "unaware"},
        {
            "id": "interest",
            "enter": {"any": [called]},
            "exit": {"any": [{"quiet": {"for": "2d"}}]},
        },
        {
            "id": "hot",
            "enter": {"all": [called, warm]},
            "exit": {"all": [{"none": [warm]}]},
        },
    ]
    scene.publish(warmth(), Buying.model_validate({"phases": phases}))
    for kind in ("call", "download", "download"):
        scene.did(ann, type=kind, now=NOON + SECOND)
    scene.weigh(now=NOON + SECOND)
    with scene.store.read() as session:
        cools = next_wake(session)
    scene.weigh(now=NOON + 60 * DAY)

    assert moves(scene)[-2:] == [
        ("hot", "interest", cools, "timer"),
        ("interest", "unaware", NOON + SECOND + 2 * DAY, "timer"),
    ]
    assert differences(scene, NOON + 60 * DAY) == []


def test_other_rules_look_at_every_open_opportunity_anew(scene, ann, deal):
    scene.did(ann, now=NOON + SECOND)
    scene.weigh()
    scene.publish(Buying.model_validate({"phases": [{"id": "cold"}, {"id": "comparison"}]}))
    scene.weigh(now=NOON + DAY)

    assert moves(scene)[1:] == [("comparison", "cold", NOON + DAY, "rules")]
    assert (
        scene.messages("phase.changed")[-1].payload["reason"].endswith("the rules are others now")
    )
    with scene.store.read() as session:
        assert len(set(session.scalars(sa.select(KeptStanding.rules)))) == 1


def test_other_rules_count_what_was_weighed_although_a_parcel_of_before_waits(scene, ann, deal):
    scene.did(ann, now=NOON + 3 * SECOND)
    scene.weigh(now=NOON + 3 * SECOND)
    let_wait(scene, NOON + 2 * SECOND)
    scene.publish(model({"event": "download", "within": "9d"}))
    pass_time(scene.store, scene.shelf, now=NOON + 4 * SECOND)

    assert moves(scene)[-1][1] == "interest"
    assert differences(scene, NOON + 4 * SECOND) == []


def test_a_contact_is_known_by_his_address_also_where_he_was_seen_after_his_deeds(scene, ann, deal):
    def met_later(session):
        session.get_one(Contact, ann).first_seen = NOON + DAY

    scene.store.write(met_later)
    scene.publish(model({"field": {"name": "address", "equals": "business"}}))
    scene.did(ann, now=NOON + SECOND)
    scene.weigh()
    scene.weigh(now=NOON + 2 * DAY)

    assert scene.phase(deal) == "interest"
    assert differences(scene, NOON + 2 * DAY) == []


def test_a_threshold_passed_with_a_late_line_lets_no_silence_end_twice(scene, ann, deal):
    """The worker slept: a silence ended long before the deed that ends it and warms the score."""
    warm = {"score": {"name": "warmth", "at_least": 30}}
    scene.publish(warmth(), model(warm, exit={"any": [{"quiet": {"for": "3d"}}]}))
    for second in (1, 2):
        scene.did(ann, now=NOON + second * SECOND)
    scene.weigh()
    for second in (1, 2):
        scene.did(ann, now=NOON + 10 * DAY + second * SECOND)
    scene.weigh(now=NOON + 11 * DAY)

    assert [(one[0], one[1], one[3]) for one in moves(scene)] == [
        ("unaware", "interest", "event"),
        ("interest", "unaware", "timer"),
        ("unaware", "interest", "event"),
    ]
    assert differences(scene, NOON + 11 * DAY) == []
