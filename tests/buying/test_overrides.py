"""A colleague knows better than the rules for a while; the rules go on beside it."""

import random
from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.buying import overriding
from regportal.buying.believed import opportunity_on
from regportal.buying.checking import standing_differences
from regportal.buying.explaining import explained
from regportal.buying.judging import list_overrides, score
from regportal.buying.models import KeptStanding, PhaseOverride
from regportal.buying.reading import opportunity_shown
from regportal.buying.schema import Buying
from regportal.errors import BadRequestError, NotHereError, StaleError
from regportal.store.ids import uuid7
from tests.buying.scene import NOON

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
FAIR = "met them at the fair"


@pytest.fixture
def paper(scene, ann, deal):
    """The opportunity is in interest, because Ann took a paper."""
    scene.did(ann, "white-paper", now=NOON)
    scene.weigh()
    assert scene.phase(deal) == "interest"
    return deal


def say(scene, phase="comparison", *, now=NOON + DAY, until=None, name="crm:006"):
    word = overriding.Word(phase, "Bo Lind", FAIR, until or now + 30 * DAY)
    return scene.store.write(
        lambda session: overriding.override(
            session, scene.shelf.published(session), name, word, now=now
        )
    )


def end(scene, *, now):
    scene.store.write(
        lambda session: overriding.end_override(
            session, scene.shelf.published(session), "crm:006", now=now
        )
    )


def moves(scene):
    return [(one.from_phase, one.to_phase, one.at, one.cause) for one in scene.moves()]


def told(scene):
    """Return the reasons the CRM was told, oldest first."""
    return [one.payload["reason"] for one in scene.messages("phase.changed")]


def judged(scene):
    with scene.store.read() as session:
        return [(one["phase"], one["ended"], one["right"]) for one in list_overrides(session)]


def differences(scene, now):
    with scene.store.read() as session:
        return [*standing_differences(session, scene.shelf.published(session), now=now)]


def test_what_a_colleague_says_holds_at_once_and_the_crm_is_told_why(scene, paper):
    say(scene)

    assert scene.phase(paper) == "comparison"
    assert moves(scene)[-1] == ("interest", "comparison", NOON + DAY, "override")
    assert (
        told(scene)[-1]
        == f"Comparison since 5 Mar 2026 12:00: Bo Lind said so until 4 Apr 2026: {FAIR}"
    )
    assert differences(scene, NOON + DAY) == []


def test_it_stays_so_whatever_happens_and_the_rules_go_on_beside_it(scene, ann, paper):
    say(scene, "decision")
    scene.did(ann, now=NOON + 2 * DAY)
    scene.weigh(now=NOON + 2 * DAY)
    with scene.store.read() as session:
        shown = opportunity_shown(session, "crm:006")
        why = explained(session, scene.shelf.published(session), "crm:006", now=NOON + 2 * DAY)

    assert scene.phase(paper) == "decision"
    assert len(moves(scene)) == 2
    assert shown["override"] == why["override"]
    assert shown["override"]["rules"] == {"phase": "comparison", "since": "2026-03-06T12:00:00Z"}
    assert shown["override"]["text"] == "the rules say Comparison since 6 Mar 2026 12:00"
    assert why["evidence"][0]["condition"] == f"Bo Lind said so until 4 Apr 2026: {FAIR}"
    assert differences(scene, NOON + 2 * DAY) == []


def test_when_its_time_is_over_the_opportunity_is_where_the_rules_are(scene, paper):
    say(scene)
    scene.weigh(now=NOON + 31 * DAY - SECOND)
    before = scene.phase(paper)
    scene.weigh(now=NOON + 40 * DAY)

    assert before == "comparison"
    assert moves(scene)[-1] == ("comparison", "interest", NOON + 31 * DAY, "override")
    assert told(scene)[-1] == (
        "Interest since 4 Apr 2026 12:00: what Bo Lind said held until then;"
        " ann@example.com downloaded Price list 2026 (1 needed in 180 days)"
    )
    assert judged(scene) == [("comparison", "time", False)]
    assert differences(scene, NOON + 40 * DAY) == []


@pytest.mark.parametrize("when", [10, 40])
def test_a_worker_that_comes_late_finds_the_same_moves(scene, ann, paper, when):
    say(scene)
    scene.did(ann, now=NOON + when * DAY)
    scene.weigh(now=NOON + 44 * DAY)

    by_time = ("comparison", "interest", NOON + 31 * DAY, "override")
    by_deed = ("interest", "comparison", NOON + 40 * DAY, "event")
    assert moves(scene)[2:] == ([] if when == 10 else [by_time, by_deed])
    assert judged(scene) == [("comparison", "time", when == 10)]
    assert differences(scene, NOON + 44 * DAY) == []


def test_silence_during_it_is_noticed_by_the_rules_alone(scene, ann, deal):
    scene.did(ann, now=NOON)
    scene.weigh()
    say(scene, "decision", now=NOON + 44 * DAY, until=NOON + 50 * DAY)
    scene.weigh(now=NOON + 60 * DAY)

    assert moves(scene)[1:] == [
        ("comparison", "decision", NOON + 44 * DAY, "override"),
        ("decision", "stalled", NOON + 50 * DAY, "override"),
    ]


def test_what_is_taken_back_was_wrong_unless_the_rules_had_come_as_far(scene, paper):
    say(scene)
    end(scene, now=NOON + 2 * DAY)

    assert moves(scene)[-1] == ("comparison", "interest", NOON + 2 * DAY, "override")
    assert told(scene)[-1].startswith(
        "Interest since 6 Mar 2026 12:00: what Bo Lind said was taken back"
    )
    assert judged(scene) == [("comparison", "hand", False)]
    with pytest.raises(StaleError, match="nobody says anything over the rules of crm:006"):
        end(scene, now=NOON + 3 * DAY)


def test_what_is_taken_back_before_the_worker_reads_what_was_done_leaves_one_line_of_moves(
    scene, ann, paper
):
    say(scene, "decision")
    scene.did(ann, now=NOON + 2 * DAY)
    end(scene, now=NOON + 3 * DAY)
    scene.weigh(now=NOON + 4 * DAY)

    assert moves(scene)[2:] == [
        ("decision", "interest", NOON + 3 * DAY, "override"),
        ("interest", "comparison", NOON + 3 * DAY, "event"),
    ]
    assert scene.phase(paper) == "comparison"
    assert differences(scene, NOON + 4 * DAY) == []


def test_what_is_over_before_the_worker_notices_is_not_taken_back(scene, paper):
    say(scene)
    with pytest.raises(StaleError, match="nobody says anything over the rules"):
        end(scene, now=NOON + 31 * DAY)
    say(scene, "decision", now=NOON + 32 * DAY)

    assert moves(scene)[2:] == [
        ("comparison", "interest", NOON + 31 * DAY, "override"),
        ("interest", "decision", NOON + 32 * DAY, "override"),
    ]
    assert judged(scene)[0] == ("comparison", "time", False)


def test_something_else_may_be_said_and_is_one_move(scene, paper):
    say(scene)
    say(scene, "decision", now=NOON + 2 * DAY)

    assert moves(scene)[2:] == [("comparison", "decision", NOON + 2 * DAY, "override")]
    assert judged(scene) == [("comparison", "replaced", None), ("decision", None, None)]


def test_who_says_it_is_less_far_is_right_when_the_rules_come_back(scene, ann, deal):
    scene.did(ann, now=NOON)
    scene.weigh()
    say(scene, "stalled", now=NOON + 30 * DAY)
    scene.weigh(now=NOON + 70 * DAY)

    assert judged(scene) == [("stalled", "time", True)]
    assert [one[1:] for one in moves(scene)[1:]] == [("stalled", NOON + 30 * DAY, "override")]


def test_closing_ends_it_and_leaves_the_phase(scene, paper):
    say(scene)
    scene.opportunity("006", now=NOON + 2 * DAY, is_closed=True, is_won=True)
    scene.weigh(now=NOON + 2 * DAY)

    assert scene.phase(paper) == "comparison"
    assert len(moves(scene)) == 2
    assert judged(scene) == [("comparison", "won", True)]
    with pytest.raises(StaleError, match="crm:006 is closed: its phase stays as it is"):
        say(scene, "decision", now=NOON + 3 * DAY)


def test_rules_that_do_not_know_the_phase_end_it(scene, paper):
    say(scene)
    scene.publish(Buying.model_validate({"phases": [{"id": "cold"}, {"id": "warm"}]}))
    scene.weigh(now=NOON + 2 * DAY)

    assert moves(scene)[-1] == ("comparison", "cold", NOON + 2 * DAY, "override")
    assert judged(scene) == [("comparison", "rules", None)]


@pytest.mark.parametrize(
    ("ends", "became"),
    [
        ({"until": NOON + 2 * DAY}, ("comparison", "time", False)),
        ({"is_won": True}, ("comparison", "won", True)),
        ({"is_won": False}, ("comparison", "lost", False)),
    ],
)
def test_what_was_judged_stays_so_when_other_rules_are_published(scene, paper, ends, became):
    say(scene, until=ends.get("until"))
    if "is_won" in ends:
        scene.opportunity("006", now=NOON + 2 * DAY, is_closed=True, **ends)
    scene.weigh(now=NOON + 3 * DAY)
    scene.publish(Buying.model_validate({"phases": [{"id": "cold"}, {"id": "warm"}]}))
    scene.weigh(now=NOON + 4 * DAY)

    assert judged(scene) == [became]


def test_what_was_said_before_the_upgrade_is_judged_by_the_rules_that_hold(scene, ann, paper):
    say(scene)
    scene.store.write(
        lambda session: session.execute(sa.update(PhaseOverride).values(is_further=None))
    )
    for _ in range(2):
        scene.did(ann, "paper", now=NOON + 2 * DAY)
    scene.weigh(now=NOON + 2 * DAY)
    scene.opportunity("006", now=NOON + 3 * DAY, is_closed=True, is_won=True)
    scene.weigh(now=NOON + 3 * DAY)

    assert judged(scene) == [("comparison", "won", True)]


def test_it_outlives_a_standing_that_was_lost(scene, paper):
    say(scene)
    scene.store.write(lambda session: session.execute(sa.delete(KeptStanding)))
    scene.role(paper, scene.contact("bob@example.com"), now=NOON + 2 * DAY)
    scene.weigh(now=NOON + 2 * DAY)

    assert scene.phase(paper) == "comparison"
    assert differences(scene, NOON + 2 * DAY) == []


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ({"phase": "won"}, BadRequestError, "there is no phase 'won'; there are unaware, stalled"),
        ({"until": NOON + DAY}, BadRequestError, "until must lie ahead"),
        ({"until": NOON + 182 * DAY}, BadRequestError, "for more than 180 days"),
        ({"name": f"{uuid7()}"}, NotHereError, "there is no opportunity"),
    ],
)
def test_what_cannot_be_said_is_refused_in_one_sentence(scene, paper, how, error, says):
    with pytest.raises(error, match=says):
        say(scene, **how)

    assert len(moves(scene)) == 1
    assert judged(scene) == []


def test_saying_it_again_lets_it_hold_longer_and_moves_nothing(scene, paper):
    say(scene)
    say(scene, now=NOON + 20 * DAY)
    scene.weigh(now=NOON + 45 * DAY)

    assert len(moves(scene)) == 2
    assert judged(scene) == [("comparison", "replaced", None), ("comparison", None, None)]


def held(scene):
    """Return what is shown of what a colleague says."""
    with scene.store.read() as session:
        return opportunity_shown(session, "crm:006")["override"]


def test_a_colleague_may_hold_it_where_the_rules_see_it_already(scene, ann, deal):
    scene.did(ann, now=NOON)
    scene.weigh()
    news = told(scene)
    say(scene, until=NOON + 60 * DAY)
    before = held(scene)
    scene.weigh(now=NOON + 50 * DAY)

    assert before["text"] == (
        f"Bo Lind said so until 3 May 2026: {FAIR};"
        " the rules say Comparison since 4 Mar 2026 12:00, too"
    )
    assert held(scene)["text"].endswith("; the rules say Stalled since 18 Apr 2026 12:00")
    assert (len(moves(scene)), told(scene)) == (1, news)
    assert differences(scene, NOON + 50 * DAY) == []
    scene.weigh(now=NOON + 61 * DAY)
    assert moves(scene)[1:] == [("comparison", "stalled", NOON + 60 * DAY, "override")]
    assert judged(scene) == [("comparison", "time", False)]


def test_who_held_it_where_the_rules_came_back_was_right(scene, ann, deal):
    scene.did(ann, now=NOON)
    scene.weigh()
    say(scene, until=NOON + 60 * DAY)
    scene.did(ann, now=NOON + 50 * DAY)
    scene.weigh(now=NOON + 51 * DAY)

    assert len(moves(scene)) == 1
    assert judged(scene) == [("comparison", None, True)]


def test_an_end_that_moves_nothing_is_said_all_the_same(scene, paper):
    say(scene, "interest", until=NOON + 10 * DAY)
    scene.weigh(now=NOON + 11 * DAY)
    with scene.store.read() as session:
        then = opportunity_on(session, "crm:006", NOON + 5 * DAY)
        after = opportunity_on(session, "crm:006", NOON + 10 * DAY)

    assert len(moves(scene)) == 1
    assert judged(scene) == [("interest", "time", None)]
    assert held(scene)["ended"] == "time"
    assert held(scene)["text"] == "ended 14 Mar 2026 12:00: what Bo Lind said held until then"
    assert then["override"]["text"] == f"Bo Lind said so until 14 Mar 2026: {FAIR}"
    assert after["override"] == held(scene)


def test_what_a_later_move_took_away_is_no_longer_said(scene, ann, paper):
    say(scene, "interest", until=NOON + 10 * DAY)
    scene.did(ann, now=NOON + 11 * DAY)
    scene.weigh(now=NOON + 11 * DAY)

    assert scene.phase(paper) == "comparison"
    assert held(scene) is None


@pytest.mark.parametrize(
    ("phase", "won", "right"),
    [
        ("decision", True, True),
        ("decision", False, False),
        ("unaware", True, False),
        ("unaware", False, True),
        ("interest", True, None),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_end_of_the_purchase_tells_who_was_right(scene, paper, phase, won, right):
    say(scene, phase)
    scene.opportunity("006", now=NOON + 2 * DAY, is_closed=True, is_won=won)
    scene.weigh(now=NOON + 2 * DAY)

    assert judged(scene) == [(phase, "won" if won else "lost", right)]
    assert held(scene)["text"] == (
        f"ended 6 Mar 2026 12:00: what Bo Lind said held until it was {'won' if won else 'lost'}"
    )


def test_where_it_differs_from_the_rules_now_is_listed(scene, ann, paper):
    say(scene, "decision")
    scene.did(ann, now=NOON + 2 * DAY)
    scene.weigh(now=NOON + 2 * DAY)
    with scene.store.read() as session:
        (row,) = list_overrides(session)
    end(scene, now=NOON + 3 * DAY)
    with scene.store.read() as session:
        (ended,) = list_overrides(session)

    assert (row["phase"], row["rules_phase"], row["rules_now"]) == (
        "decision",
        "interest",
        "comparison",
    )
    assert score([row]) == "none can be judged yet; 1 differs from the rules now"
    assert ended["rules_now"] is None


def phase_at(scene, opportunity, at):
    """Return the phase an opportunity was in by its moves."""
    before = [one for one in scene.moves() if one.opportunity_id == opportunity and one.at <= at]
    return before[-1].to_phase if before else "unaware"


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_at_any_moment_it_is_where_somebody_says_or_else_where_one_is_of_which_nobody_does(
    scene, ann, deal, seed
):
    dice = random.Random(seed)
    twin = scene.opportunity("007")
    scene.role(twin, ann, role="decision_maker")
    said = []
    for day in sorted(dice.sample(range(1, 150), 14)):
        now = NOON + day * DAY
        what = dice.choice(["price-list", "white-paper", "contract", "say", "say", "end", "sleep"])
        if what in {"say", "end"}:
            scene.weigh(now=now)
            try:
                if what == "end":
                    end(scene, now=now)
                    said[-1][1] = now
                    continue
                phase = dice.choice(["interest", "exploration", "comparison", "decision"])
                until = now + dice.randint(1, 60) * DAY + SECOND
                say(scene, phase, now=now, until=until)
            except StaleError:
                continue
            if said:
                said[-1][1] = min(said[-1][1], now)
            said.append([now, until, phase])
        elif what != "sleep":
            scene.did(ann, what, now=now)
            if dice.random() < 0.5:
                scene.weigh(now=now)
    scene.weigh(now=NOON + 250 * DAY)

    for half in range(500):
        at = NOON + half * DAY / 2 + 2 * SECOND
        holds = next((phase for since, until, phase in said if since <= at < until), None)
        assert phase_at(scene, deal, at) == (holds or phase_at(scene, twin, at)), at
    assert differences(scene, NOON + 250 * DAY) == []


def test_opened_again_it_goes_on_by_the_rules_alone(scene, paper):
    say(scene)
    scene.opportunity("006", now=NOON + 2 * DAY, is_closed=True)
    scene.weigh(now=NOON + 2 * DAY)
    scene.opportunity("006", now=NOON + 3 * DAY, is_closed=False)
    scene.weigh(now=NOON + 3 * DAY)

    assert moves(scene)[2:] == [("comparison", "interest", NOON + 3 * DAY, "crm")]
    assert differences(scene, NOON + 3 * DAY) == []
