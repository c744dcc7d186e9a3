"""Rules that ask how much of a film was watched."""

from datetime import timedelta

import pytest

from regportal.buying.checking import standing_differences
from regportal.buying.explaining import explained
from regportal.buying.kept import read
from regportal.buying.models import KeptStanding
from regportal.buying.schema import Buying
from regportal.buying.scores.explaining import explained as scores_explained
from regportal.buying.scores.schema import Score
from regportal.library.schema import Asset
from regportal.tracking.models import Attributed
from regportal.tracking.reverting import revert
from tests.buying.scene import NOON

DAY = timedelta(days=1)
TOUR = Asset(key="tour", title="A tour", category="demo", url="https://www.acme.example/tour")
SEEN = {"event": "video_watch", "where": {"category": "demo"}, "watched": "75%", "within": "30d"}


def model(**more):
    """A model in which whoever watched so much of a demo is curious."""
    curious = {"id": "curious", "enter": {"any": [SEEN | more]}, "exit": {"any": [AWAY]}}
    return Buying.model_validate({"phases": [{"id": "unaware"}, curious]})


AWAY = {"quiet": {"for": "60d"}}


@pytest.fixture
def watched(scene):
    """Records what somebody watched of a film; returns its key."""

    def record(who, *stretches, length=100, film="tour", day=0):
        whole = {"duration": length} if length else {}
        told = {"watched": [[*each] for each in stretches], **whole}
        about = {"type": "video_watch", "name": film, "properties": told}
        return scene.did(who, "demo", **about, now=NOON + day * DAY)

    return record


def reason(scene, deal, day=9):
    with scene.store.read() as session:
        published = scene.shelf.published(session)
        return explained(session, published, str(deal), now=NOON + day * DAY)


def differences(scene, day):
    with scene.store.read() as session:
        published = scene.shelf.published(session)
        return [*standing_differences(session, published, now=NOON + day * DAY)]


def test_what_was_watched_in_two_visits_is_put_together_and_said_in_one_sentence(
    scene, ann, deal, watched
):
    scene.publish(model(), TOUR)
    first = watched(ann, (0, 50), day=0)
    scene.weigh()
    assert scene.phase(deal) == "unaware"

    second = watched(ann, (40, 75), day=2)
    scene.weigh(now=NOON + 2 * DAY)

    found = reason(scene, deal)
    assert found["reason"] == (
        "Curious since 6 Mar 2026 12:00: ann@example.com watched at least 75% of A tour"
        " (1 needed in 30 days)"
    )
    [ground] = found["evidence"]
    assert ground["condition"] == "a video play of a demo to at least 75% within 30 days"
    assert [each["id"] for each in ground["interactions"]] == [str(first), str(second)]
    assert differences(scene, 3) == []


@pytest.mark.parametrize(
    ("told", "phase"),
    [
        ([(0, 0, 50), (1, 0, 50)], "unaware"),
        ([(0, 0, 50), (1, 50, 74.9)], "unaware"),
        ([(0, 0, 50), (31, 50, 90)], "unaware"),
        ([(0, 0, 50), (31, 0, 90)], "curious"),
        ([(0, 0, 75)], "curious"),
    ],
    ids=["seen twice", "a tenth too little", "too long ago", "seen anew", "in one go"],
)
def test_each_second_counts_once_and_when_it_was_seen_last(scene, ann, deal, watched, told, phase):
    scene.publish(model(), TOUR)
    for day, start, end in told:
        watched(ann, (start, end), day=day)
        scene.weigh(now=NOON + day * DAY)

    assert scene.phase(deal) == phase


def test_what_two_people_watched_is_not_put_together(scene, ann, deal, watched):
    bob = scene.contact("bob@example.com")
    scene.role(deal, bob)
    scene.publish(model(), TOUR)
    watched(ann, (0, 50))
    watched(bob, (50, 100))
    scene.weigh()

    assert scene.phase(deal) == "unaware"
    [way] = reason(scene, deal, 0)["next"]
    assert way["needs"] == (
        "a video play of a demo to at least 75% within 30 days (0 of 1; 50% of one so far)"
    )


def test_a_film_counts_once_for_each_person(scene, ann, deal, watched):
    scene.publish(model(count={"at_least": 2}), TOUR)
    watched(ann, (0, 100), day=0)
    watched(ann, (0, 100), day=1)
    scene.weigh(now=NOON + DAY)
    assert scene.phase(deal) == "unaware"

    watched(ann, (0, 90), film="talk", day=2)
    scene.weigh(now=NOON + 2 * DAY)

    assert scene.phase(deal) == "curious"
    assert (
        "ann@example.com watched at least 75% of A tour, ann@example.com watched at least 75% of"
        " talk (2 needed in 30 days)"
    ) in reason(scene, deal)["reason"]


def test_a_film_whose_length_nobody_told_counts_when_somebody_has(scene, ann, deal, watched):
    scene.publish(model(), TOUR)
    watched(ann, (0, 80), length=None)
    scene.weigh()
    assert scene.phase(deal) == "unaware"

    watched(ann, (0, 1), length=100, day=1)
    scene.weigh(now=NOON + DAY)

    assert scene.phase(deal) == "curious"


def test_what_was_not_theirs_is_taken_out_again(scene, ann, deal, watched):
    scene.publish(model(), TOUR)
    watched(ann, (0, 50))
    second = watched(ann, (50, 90))
    scene.weigh()
    assert scene.phase(deal) == "curious"

    scene.store.write(lambda session: revert(session, second, "not her", now=NOON + DAY))
    scene.weigh(now=NOON + DAY)

    assert scene.phase(deal) == "unaware"
    assert differences(scene, 2) == []


def test_what_becomes_theirs_later_is_put_together_with_the_rest(scene, ann, deal, watched):
    scene.publish(model(), TOUR)
    watched(ann, (50, 90))
    told = {"watched": [[0, 50]], "duration": 100}
    film = {"type": "video_watch", "name": "tour", "properties": told}
    early = scene.did(None, "demo", **film, attribution=Attributed.ANONYMOUS)
    scene.weigh()
    assert scene.phase(deal) == "unaware"

    scene.attribute(ann, early, now=NOON + DAY)
    scene.weigh(now=NOON + DAY)

    assert scene.phase(deal) == "curious"
    assert differences(scene, 2) == []


def test_a_score_gives_points_once_for_the_visit_that_brings_so_much(scene, ann, watched):
    line = {"event": "video_watch", "where": {"category": "demo"}, "watched": "75%", "points": 40}
    group = {"group": "films", "half_life": "365d", "points": [line]}
    scene.publish(Score.model_validate({"key": "interest", "behaviour": [group]}), TOUR)
    watched(ann, (0, 50), day=0)
    brings = watched(ann, (50, 80), day=1)
    watched(ann, (80, 100), day=2)
    scene.weigh(now=NOON + 2 * DAY)

    with scene.store.read() as session:
        published = scene.shelf.published(session)
        now = NOON + 2 * DAY
        [score] = scores_explained(session, published, "ann@example.com", now=now)["scores"]
    [deed] = score["behaviour"][0]["deeds"]
    assert (deed["interaction"], deed["points"]) == (str(brings), 40)
    assert score["value"] == pytest.approx(39.9, abs=0.05)


def test_a_standing_of_a_release_that_knew_no_films_is_read(scene, ann, deal):
    scene.publish(model(), TOUR)
    scene.did(ann, "demo")
    scene.weigh()
    with scene.store.read() as session:
        row = session.get_one(KeptStanding, deal)
    waiting = '"ahead":[[7,["s","ann","call",null,""]]]'

    found = read(row.state.replace('"ahead":[]', waiting), row.rules)
    assert found is not None
    assert found.ahead == [(7, ("s", "ann", "call", None, "", None))]
