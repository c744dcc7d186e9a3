"""Fading points against their definition, whatever order they come in."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from regportal.buying.scores.decay import (
    MONTH,
    PULSE,
    WEEK,
    Sum,
    added,
    closed_form,
    falls_below,
    left,
    momentum,
    rank,
    rank_needed,
)

NOON = 1_772_625_600.0
DAY = 86_400.0
MOMENTS = st.integers(0, 730 * 86_400 * 1_000).map(lambda ms: NOON - ms / 1_000)
HALF_LIVES = st.sampled_from([3_600.0, DAY, 7 * DAY, 30 * DAY, 730 * DAY])
POINTS = st.lists(st.tuples(st.integers(1, 100), MOMENTS), min_size=1, max_size=40)


def folded(points, half_life):
    held = Sum()
    for given_points, at in points:
        held = added(held, given_points, at, half_life)
    return held


@given(points=POINTS, half_life=HALF_LIVES, later=st.integers(0, 400), order=st.randoms())
@example([(5, NOON), (7, NOON), (9, NOON - 700 * DAY)], 3_600.0, 0, None)
def test_in_any_order_of_arrival_the_sum_is_its_definition(points, half_life, later, order):
    shuffled = list(points)
    if order:
        order.shuffle(shuffled)
    at = NOON + later * DAY
    told = left(folded(shuffled, half_life), at, half_life)

    expected = closed_form(points, at, half_life)
    assert math.isclose(told, expected, rel_tol=1e-9, abs_tol=1e-300)


@given(first=POINTS, second=POINTS, half_life=HALF_LIVES, later=st.integers(0, 400))
def test_who_ranks_higher_once_ranks_higher_for_ever(first, second, half_life, later):
    one, other = folded(first, half_life), folded(second, half_life)
    at = NOON + later * DAY
    ranks = [rank(held.value, held.time, half_life) for held in (one, other)]
    worth = [left(held, at, half_life) for held in (one, other)]

    if abs(ranks[0] - ranks[1]) > 1e-9 and min(worth) > 1e-290:
        assert (ranks[0] > ranks[1]) == (worth[0] > worth[1])


@given(points=POINTS, half_life=HALF_LIVES, value=st.integers(1, 100), later=st.integers(0, 100))
def test_a_rank_says_who_has_at_least_so_much(points, half_life, value, later):
    held, at = folded(points, half_life), NOON + later * DAY
    worth = left(held, at, half_life)

    if not math.isclose(worth, value, rel_tol=1e-6):
        needed = rank_needed(value, at, half_life)
        assert (rank(held.value, held.time, half_life) >= needed) == (worth >= value)


@given(points=POINTS, half_life=HALF_LIVES, value=st.integers(1, 100))
def test_the_moment_at_which_a_sum_is_down_to_a_value_is_that_moment(points, half_life, value):
    held = folded(points, half_life)
    at = falls_below(held, value, half_life)

    if at is None:
        assert held.value <= value
    else:
        assert left(held, at, half_life) == pytest.approx(value, rel=1e-6)


@given(points=POINTS, hours=st.lists(st.integers(0, 20_000), min_size=2, max_size=2))
def test_momentum_only_fades_and_never_more_slowly_than_it_says(points, hours):
    week, month = folded(points, WEEK), folded(points, MONTH)
    first, last = (NOON + hour * 3_600 for hour in sorted(hours))
    then, later = momentum(week, month, first), momentum(week, month, last)

    assert 0 <= later <= then <= 1
    assert later <= then * math.exp2((first - last) / PULSE) + 1e-12
