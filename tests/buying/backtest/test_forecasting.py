"""How good a forecast was: figures worked out by hand, and worlds whose truth is known."""

import random

import pytest

from regportal.buying.backtest.forecasting import (
    MONDAY,
    WEEK,
    Case,
    Found,
    Sample,
    compare,
    half_way,
)
from regportal.buying.backtest.running import says

FEW = (
    "Too few to say who forecasts better: 99 won and 151 lost ones to test with;"
    " 100 of each are needed."
)
SPLIT = MONDAY + 10 * WEEK
EARLY, LATE = MONDAY + 5 * WEEK, MONDAY + 15 * WEEK


def case(week, is_won, *places):
    """An opportunity that was at these places on Mondays from that week on."""
    seen = [(MONDAY + (week + number) * WEEK, (place,)) for number, place in enumerate(places)]
    return Case(seen[-1][0] + WEEK, is_won, seen)


def test_who_did_well_before_is_forecast_higher():
    train = [case(0, True, "x"), case(0, False, "y")]
    test = [case(20, True, "x", "y"), case(20, False, "y")]
    found = compare([*train, *test], ["place"], SPLIT, [])

    # at x (1 + 5/2) / 6, at y (0 + 5/2) / 6
    assert (found.mondays, found.opportunities, found.won, found.earlier) == (3, 2, 1, 2)
    assert found.figures["place"] == (0.75, pytest.approx(0.6875 / 3))


def test_what_was_not_decided_when_the_test_began_teaches_nothing():
    late = Case(LATE, False, [(EARLY, ("x",))])
    test = [case(20, True, "x"), case(20, False, "x")]

    assert compare([case(0, True, "x"), late, *test], ["place"], SPLIT, []).earlier == 1
    assert compare([late, *test], ["place"], SPLIT, []) is None


def test_where_all_are_won_there_is_nothing_to_forecast():
    assert compare([case(0, True, "x"), case(20, True, "x")], ["place"], SPLIT, []) is None


def test_half_way_is_where_half_are_decided():
    assert half_way([Case(at, True, ()) for at in (9, 1, 5)]) == 5


@pytest.mark.parametrize(("says", "ahead"), [(0.3, True), (0.0, False)])
def test_a_place_that_says_something_is_ahead_and_one_that_says_nothing_is_not(says, ahead):
    chance, cases = random.Random(5), []
    for week in range(600):
        place = chance.choice("xy")
        is_won = chance.random() < 0.5 + (says if place == "x" else -says)
        at = MONDAY + week // 30 * WEEK
        cases.append(Case(at + WEEK, is_won, [(at, ("all", place))]))
    found = compare(cases, ["nothing", "place"], half_way(cases), [("place", "nothing")])
    (low, high), (brier_low, brier_high) = found.ahead["place", "nothing"]

    assert (low > 0) is ahead
    assert (brier_high < 0) is ahead
    assert low < high
    assert brier_low < brier_high


@pytest.mark.parametrize(
    ("won", "interval", "sentence"),
    [
        (100, (0.01, 0.1), "The draft forecast better than the stage."),
        (100, (-0.1, -0.01), "The draft forecast worse than the stage."),
        (
            100,
            (-0.01, 0.1),
            "The draft and the stage forecast equally well, as far as can be said.",
        ),
        (
            100,
            (0.01, 0.2),
            "Too few to say whether the draft forecast better than the stage.",
        ),
        (
            99,
            (0.01, 0.1),
            FEW,
        ),
    ],
)
def test_what_it_says_is_one_sentence(won, interval, sentence):
    ahead = {("draft", "stage"): (interval, (-0.1, 0.1))}

    assert [*says(Found(900, 250, won, 500, {}, ahead))] == [sentence]


def test_of_many_as_many_as_may_be_are_kept_from_anywhere():
    sample = Sample(100)
    for number in range(10_000):
        sample.offer(Case(number, True, ()))

    assert (sample.seen, len(sample.kept)) == (10_000, 100)
    assert 4_000 < sum(one.ended for one in sample.kept) / 100 < 6_000
