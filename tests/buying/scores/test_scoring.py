"""What somebody does becomes points, the points pass thresholds, and the CRM is told."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.passing import score_everybody
from regportal.buying.scores.actions import next_wake
from regportal.buying.scores.heard import Heard
from regportal.buying.scores.models import ScoreState
from regportal.buying.scores.reading import at_least, best
from regportal.buying.scores.schema import Score
from regportal.forms.joining import join_people, split_people
from regportal.forms.models import Answer
from regportal.forms.schema import Question
from regportal.identity.models import Assurance, Contact
from regportal.outbox.models import Message
from regportal.privacy.erasing import ADMINISTRATOR, erase
from regportal.privacy.whom import find_whom
from regportal.store.ids import uuid7
from regportal.store.schema import Site
from regportal.tracking.models import Attributed, Judged
from regportal.tracking.rejudging import judge_by_hand
from regportal.tracking.reverting import revert
from tests.buying.scene import NOON

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
ACME = {"name": "Acme", "controller": "Acme", "privacy_notice": "https://acme.example/p"}
TITLE = Question(key="role", label="What do you do?", type="job-title")


def score(key="hot", **written):
    written = {
        "profile": {"points": [{"field": {"name": "level", "equals": "director"}, "points": 20}]},
        "behaviour": [
            {
                "group": "prices",
                "half_life": "7d",
                "points": [
                    {"event": "download", "where": {"category": "price-list"}, "points": 40}
                ],
            }
        ],
        "thresholds": {"warm": 20, "hot": 60},
    } | written
    return Score.model_validate({"key": key} | written)


@pytest.fixture
def answered(store):
    """Lets somebody answer what he does; returns nothing."""

    def answer(contact, value="Head of Sales", assurance=Assurance.VERIFIED, *, now=NOON):
        row = Answer(
            id=uuid7(),
            question="role",
            value=value,
            declined=False,
            contact_id=contact,
            assurance=assurance,
            answered_at=now,
        )
        store.write(lambda session: session.add(row))

    return answer


def decided(scene, decision, *contacts, now):
    """Let a colleague say who is one person with whom."""

    def work(session):
        those = [session.get_one(Contact, one) for one in contacts]
        published = scene.shelf.published(session)
        decision(session, published, *those, because="she said so", by="administrator", now=now)

    scene.store.write(work)


def ranked(scene, name="hot", value=1, *, at=NOON):
    with scene.store.read() as session:
        published = scene.shelf.published(session)
        found = at_least(session, published, name, value, at=at)
        return {one.contact: round(one.value, 6) for one in found}


def test_a_price_list_is_worth_its_points_and_half_of_them_after_a_half_life(scene, ann, listener):
    scene.publish(score())
    scene.did(ann, now=NOON + SECOND)
    listener.hear(now=NOON + SECOND)

    assert ranked(scene, at=NOON + SECOND) == {ann: 40}
    assert ranked(scene, at=NOON + SECOND + 7 * DAY) == {ann: 20}
    assert ranked(scene, value=21, at=NOON + SECOND + 7 * DAY) == {}
    assert listener.crossings() == [(None, "warm", NOON + SECOND, "event")]


def test_it_cools_down_at_its_own_second_however_late_anybody_looks(scene, ann, listener):
    scene.publish(score())
    scene.did(ann, now=NOON)
    listener.hear()
    with scene.store.read() as session:
        due = next_wake(session)

    assert abs(due - (NOON + 7 * DAY)) < SECOND
    assert listener.cool(now=NOON + 6 * DAY) == []
    assert listener.cool(now=NOON + 30 * DAY) == [("warm", None, "timer")]
    assert listener.crossings()[-1][2] == due
    assert listener.cool(now=NOON + 60 * DAY) == []
    assert listener.differences(now=NOON + 60 * DAY) == []


def test_who_comes_back_later_has_cooled_down_in_between(scene, ann, listener):
    scene.publish(score())
    scene.did(ann, now=NOON)
    scene.did(ann, now=NOON + 20 * DAY)
    listener.hear(now=NOON + 20 * DAY)
    scene.did(ann, now=NOON + 40 * DAY)
    listener.hear(now=NOON + 40 * DAY)

    passed = [(before, after, cause) for before, after, _, cause in listener.crossings()]
    assert passed[-2:] == [("warm", None, "timer"), (None, "warm", "event")]


def test_the_crm_is_told_what_a_score_is_made_of(scene, ann, answered, listener):
    scene.publish(TITLE, score())
    answered(ann)
    scene.did(ann, now=NOON)
    listener.hear()

    (message,) = scene.messages("score.changed")
    assert (message.subject, message.merges) == (f"contact:{ann}", "score:hot")
    assert message.payload["contact"]["email"] == "ann@example.com"
    assert {name: message.payload[name] for name in ("score", "value", "parts", "level")} == {
        "score": "hot",
        "value": 60.0,
        "parts": {"profile": 20.0, "behaviour": 40.0, "temporal": 0.0, "social": 0.0},
        "level": "hot",
    }


def test_what_passes_no_threshold_is_told_only_where_that_is_wanted(scene, ann, listener):
    scene.publish(score("quiet", thresholds={}), score("loud", thresholds={}, tells="changes"))
    scene.did(ann, now=NOON)
    listener.hear()
    scene.did(ann, now=NOON + SECOND)
    listener.hear(now=NOON + SECOND)

    (message,) = scene.messages("score.changed")
    assert (message.payload["score"], message.payload["value"]) == ("loud", 79.9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"attribution": Attributed.CLAIMED},
        {"attribution": Attributed.ANONYMOUS},
        {"attribution": Attributed.IMPORTED},
        {"judged": Judged.MACHINE},
    ],
)
def test_what_nobody_has_proven_and_what_machines_did_gives_no_points(scene, ann, listener, wrong):
    scene.publish(score())
    scene.did(ann, now=NOON, **wrong)
    listener.hear()

    assert ranked(scene) == {}


def test_an_answer_that_is_only_claimed_gives_no_points(scene, ann, answered, listener):
    scene.publish(TITLE, score())
    answered(ann, assurance=Assurance.CLAIMED)
    listener.tell(Heard(answered={ann}))
    claimed = ranked(scene)
    answered(ann)

    assert claimed == {}
    assert listener.tell(Heard(answered={ann})) == [(None, "warm", "answer")]
    assert ranked(scene) == {ann: 20}


def test_a_newer_answer_takes_the_place_of_an_older_one(scene, ann, answered, listener):
    scene.publish(TITLE, score())
    answered(ann)
    listener.tell(Heard(answered={ann}))
    answered(ann, "Ninja", now=NOON + DAY)
    listener.tell(Heard(answered={ann}), now=NOON + DAY)

    assert ranked(scene) == {}
    assert [one[:2] for one in listener.crossings()] == [(None, "warm"), ("warm", None)]


def test_what_turns_out_to_be_a_machines_is_taken_back(scene, store, ann, listener):
    scene.publish(score())
    first, second = scene.did(ann, now=NOON), scene.did(ann, now=NOON + SECOND)
    listener.hear(now=NOON + SECOND)
    before = ranked(scene, at=NOON + SECOND)
    store.write(
        lambda session: judge_by_hand(
            session, second, Judged.MACHINE, because="a script", now=NOON + 2 * SECOND
        )
    )
    listener.hear(now=NOON + 2 * SECOND)

    assert before[ann] == pytest.approx(80, abs=1e-3)
    assert ranked(scene, at=NOON + 2 * SECOND)[ann] == pytest.approx(40, abs=1e-3)
    assert listener.crossings()[-1][:2] == ("hot", "warm")
    assert listener.crossings()[-1][3] == "replay"
    assert listener.differences(now=NOON + DAY) == []
    assert first != second


def test_what_a_colleague_says_was_somebody_elses_is_taken_back(scene, store, ann, listener):
    scene.publish(score())
    taken = scene.did(ann, now=NOON)
    listener.hear()
    store.write(lambda session: revert(session, taken, "a student", now=NOON + SECOND))
    listener.hear(now=NOON + SECOND)

    assert ann not in ranked(scene, at=NOON + SECOND)
    assert listener.differences(now=NOON + DAY) == []


def test_what_was_done_under_two_addresses_of_one_person_is_one_score(scene, ann, listener):
    scene.publish(score())
    home = scene.contact("ann@home.example")
    for one in (ann, home):
        scene.did(one, now=NOON)
    listener.hear()
    apart = ranked(scene)
    decided(scene, join_people, ann, home, now=NOON + DAY)
    listener.hear(now=NOON + DAY)
    together = ranked(scene)
    decided(scene, split_people, home, now=NOON + 2 * DAY)
    listener.hear(now=NOON + 2 * DAY)

    assert apart == {ann: 40, home: 40}
    assert together == {ann: 80}
    assert ranked(scene) == apart
    assert listener.differences(now=NOON + 2 * DAY) == []


def test_a_late_sign_counts_in_its_own_place_also_under_a_limit(scene, ann, listener):
    deed = {"event": "download", "points": 10, "max": {"24h": 1}}
    group = {"group": "g", "half_life": "7d", "points": [deed]}
    scene.publish(score(behaviour=[group], thresholds={}))
    for hours in (24, 0, 12, 47, 48):
        scene.did(ann, now=NOON + 2 * DAY, occurred_at=NOON + timedelta(hours=hours))
        listener.hear(now=NOON + 2 * DAY)

    assert ranked(scene, at=NOON + 2 * DAY)[ann] == pytest.approx(
        10 * sum(2 ** -(days / 7) for days in (0, 1, 2)), abs=1e-6
    )
    assert listener.differences(now=NOON + 2 * DAY) == []


def test_a_new_wording_of_a_score_is_worked_out_from_the_log(scene, ann, store, listener):
    scene.publish(score())
    scene.did(ann, now=NOON)
    listener.hear()
    scene.publish(score(thresholds={"hot": 30}))
    before = ranked(scene)
    score_everybody(store, scene.shelf, now=NOON + SECOND)

    assert before == {}
    assert ranked(scene) == {ann: 40}
    assert listener.crossings()[-1][:2] == (None, "hot")
    assert {row.version for row in listener.states().values()} == {2}


def test_what_is_kept_may_be_lost_and_comes_back_from_the_log(scene, ann, store, listener):
    scene.publish(score())
    scene.did(ann, now=NOON)
    scene.did(ann, now=NOON + DAY)
    listener.hear(now=NOON + DAY)
    before = ranked(scene, at=NOON + DAY)
    store.write(lambda session: session.execute(sa.delete(ScoreState)))
    missed = {one.what for one in listener.differences(now=NOON + DAY)}
    score_everybody(store, scene.shelf, now=NOON + DAY)

    assert missed == {"sums", "level", "wakes at"}
    assert ranked(scene, at=NOON + DAY) == before
    assert listener.differences(now=NOON + DAY) == []


def test_what_is_kept_wrongly_is_named(scene, ann, store, listener):
    scene.publish(score())
    scene.did(ann, now=NOON)
    listener.hear()
    store.write(lambda session: session.execute(sa.update(ScoreState).values(fixed=5)))

    assert [(one.contact, one.score, one.what, one.kept) for one in listener.differences()] == [
        (ann, "hot", "fixed", 5)
    ]


def test_a_score_that_went_leaves_nothing_behind(scene, ann, store, listener):
    from regportal.store.documents import CurrentDocument, Publication

    scene.publish(score("gone"), score())
    scene.did(ann, now=NOON)
    listener.hear()
    with_both = {name for _, name in listener.states()}

    def archive(session):
        session.delete(session.get(CurrentDocument, ("score", "gone")))
        session.add(Publication(at=NOON))

    store.write(archive)
    listener.cool(now=NOON + 30 * DAY)
    score_everybody(store, scene.shelf, now=NOON + 30 * DAY)

    assert with_both == {"gone", "hot"}
    assert {name for _, name in listener.states()} == {"hot"}


def test_the_best_are_ranked_and_who_has_nothing_is_not(scene, ann, answered, listener):
    scene.publish(TITLE, score())
    bob, joe = scene.contact("bob@example.com"), scene.contact("joe@example.com")
    answered(bob)
    scene.did(ann, now=NOON)
    listener.hear()
    listener.tell(Heard(answered={bob, joe}))
    with scene.store.read() as session:
        published = scene.shelf.published(session)
        now = best(session, published, "hot", 5, at=NOON)
        later = best(session, published, "hot", 1, at=NOON + 14 * DAY)

    assert [(one.contact, one.value) for one in now] == [(ann, 40), (bob, 20)]
    assert [(one.contact, one.value) for one in later] == [(bob, 20)]


def test_news_of_one_score_that_nobody_took_yet_are_one(scene, ann, listener):
    scene.publish(score())
    scene.did(ann, now=NOON)
    listener.hear()
    listener.cool(now=NOON + 30 * DAY)

    with scene.store.read() as session:
        (message,) = session.scalars(sa.select(Message).where(Message.topic == "score.changed"))
    assert message.payload["level"] is None
    assert message.payload["value"] < 20


def test_whoever_was_looked_at_in_vain_is_not_looked_at_again_at_once(scene, ann, store, listener):
    scene.publish(score())
    scene.did(ann, now=NOON)
    listener.hear()
    store.write(lambda session: session.execute(sa.update(ScoreState).values(wake_at=NOON + DAY)))
    listener.cool(now=NOON + DAY)

    (state,) = listener.states().values()
    assert abs(state.wake_at - (NOON + 7 * DAY)) < SECOND
    assert state.level == "warm"


def test_of_an_erased_person_no_score_is_left(scene, store, ann, listener):
    scene.publish(Site(**ACME), score())
    scene.did(ann, now=NOON)
    listener.hear()
    kept = len(listener.states()), len(listener.crossings())
    store.write(
        lambda session: erase(
            session,
            scene.shelf.published(session),
            find_whom(session, "ann@example.com"),
            pepper="p",
            by=ADMINISTRATOR,
            now=NOON + DAY,
        )
    )

    assert kept == (1, 1)
    assert (listener.states(), listener.crossings()) == ({}, [])
    assert listener.cool(now=NOON + 30 * DAY) == []
