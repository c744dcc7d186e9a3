"""What is kept of a history is worth what the whole history is worth, at any moment."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from regportal.buying.scores.crossing import SOON, next_change
from regportal.buying.scores.decay import rank_needed
from regportal.buying.scores.schema import Score
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.standing import Standing, Told
from tests.buying.scores import oracle
from tests.buying.scores.made_up import NOON, scores, signs

DAY = 86_400.0
FIXED = st.integers(-40, 40)
TINY = 1e-6
"""What is nearer to what a profile gives cannot be told from it to the bit."""


def heard(scoring, arriving, fixed=0):
    """A standing after these signs; begun anew in the right order where one came too late."""
    standing = Standing(fixed)
    if all(standing.hear(scoring, Told(*sign)) for sign in arriving):
        return standing, False
    standing = Standing(fixed)
    for sign in sorted(arriving, key=lambda sign: (sign[2], sign[3])):
        assert standing.hear(scoring, Told(*sign))
    return standing, True


@given(score=scores(), arriving=signs(), fixed=FIXED, days=st.integers(0, 200))
def test_a_standing_is_worth_what_its_definition_says(score, arriving, fixed, days):
    scoring, at = Scoring(score), NOON + days * DAY
    standing, _ = heard(scoring, arriving, fixed)
    parts = standing.parts(scoring, at)

    assert parts[:3] == pytest.approx(oracle.parts(score, fixed, arriving, at), rel=1e-9, abs=1e-9)
    assert parts.total == pytest.approx(
        oracle.total(score, fixed, arriving, at), rel=1e-9, abs=1e-9
    )


@given(score=scores(), arriving=signs())
def test_only_a_rule_with_a_limit_or_of_films_needs_its_signs_in_order(score, arriving):
    _, again = heard(Scoring(score), arriving)

    assert not again or any(deed.limits or deed.watched for deed in score.deeds())


@given(score=scores(), arriving=signs(), days=st.integers(0, 200))
def test_what_is_kept_is_json_and_comes_back_whole(score, arriving, days):
    standing, _ = heard(Scoring(score), arriving, 7)

    assert Standing.of(7, json.loads(json.dumps(standing.kept()))) == standing


@given(score=scores(), arriving=signs(), fixed=FIXED, days=st.integers(0, 300))
def test_a_rank_never_hides_anybody_who_is_worth_enough(score, arriving, fixed, days):
    scoring, at = Scoring(score), NOON + days * DAY
    standing, _ = heard(scoring, arriving, fixed)
    worth = standing.parts(scoring, at).total
    rank = standing.rank(scoring)

    for wanted in (1, 10, 50, worth):
        if worth >= wanted > max(0, fixed) + TINY:
            needed = rank_needed(wanted - fixed, at, scoring.slowest)
            assert rank is not None
            assert rank >= needed - 1e-6


@given(score=scores(), arriving=signs(), fixed=FIXED, days=st.integers(0, 60))
def test_the_next_change_is_not_missed_and_not_made_up(score, arriving, fixed, days):
    assume(score.thresholds)
    scoring, start = Scoring(score), NOON + days * DAY
    standing, _ = heard(scoring, arriving, fixed)
    level = standing.level(scoring, start)
    found = next_change(scoring, standing, start)
    end = found - 3 * SOON if found else start + 4_000 * DAY

    for step in range(200):
        at = start + (end - start) * step / 199
        assert standing.level(scoring, max(at, start)) == level
    if found and not standing.lost:  # else it may be a moment to look again at
        assert standing.level(scoring, found) != level


# --- examples a marketer can follow ---


def score(**written):
    return Scoring(Score.model_validate({"key": "s"} | written))


def group(*points, half_life="7d", **written):
    return {"group": "g", "half_life": half_life, "points": list(points)} | written


def test_a_price_list_is_worth_half_after_a_half_life_and_cools_down_at_the_right_second():
    scoring = score(
        behaviour=[group({"event": "download", "points": 40})], thresholds={"warm": 20, "hot": 40}
    )
    standing, _ = heard(scoring, [("download", None, NOON, "a")])

    assert standing.parts(scoring, NOON).total == 40
    assert standing.parts(scoring, NOON + 7 * DAY).total == 20
    assert scoring.level_name(standing.level(scoring, NOON)) == "hot"
    assert next_change(scoring, standing, NOON) == pytest.approx(NOON + SOON, abs=1)
    assert next_change(scoring, standing, NOON + 1) == pytest.approx(NOON + 7 * DAY, abs=1)
    assert scoring.level_name(standing.level(scoring, NOON + 8 * DAY)) is None
    assert next_change(scoring, standing, NOON + 8 * DAY) is None


def test_what_is_taken_is_forgotten_too_so_somebody_may_recover_by_himself():
    scoring = score(
        profile={"points": [{"field": {"name": "address", "equals": "business"}, "points": 30}]},
        behaviour=[group({"event": "ticket", "points": -20})],
        thresholds={"warm": 25},
    )
    standing, _ = heard(scoring, [("ticket", None, NOON, "a")], 30)
    again = next_change(scoring, standing, NOON)

    assert standing.parts(scoring, NOON).total == 10
    assert again == pytest.approx(NOON + 14 * DAY, abs=1)
    assert standing.level(scoring, again) == 1


def test_a_limit_of_a_group_holds_back_what_is_given_and_not_what_is_taken():
    scoring = score(
        behaviour=[
            group(
                {"event": "download", "points": 30}, {"event": "ticket", "points": -5}, at_most=40
            )
        ]
    )
    done = [("download", None, NOON, "a"), ("download", None, NOON, "b")]
    standing, _ = heard(scoring, [*done, ("ticket", None, NOON, "c")])

    assert standing.parts(scoring, NOON).total == 35


def test_points_that_hold_each_other_just_at_a_threshold_cost_one_look_an_hour_at_most():
    scoring = score(
        profile={"points": [{"field": {"name": "address", "equals": "business"}, "points": 30}]},
        behaviour=[
            group({"event": "download", "points": 40}, {"event": "ticket", "points": -40}),
        ],
        thresholds={"warm": 30},
    )
    both = [("download", None, NOON, "a"), ("ticket", None, NOON, "b")]
    standing, _ = heard(scoring, both, 30)
    looked, at = 0, NOON
    while at is not None and at < NOON + DAY:
        at = next_change(scoring, standing, at)
        looked += 1

    assert standing.parts(scoring, NOON + DAY).total == pytest.approx(30)
    assert looked <= 25
