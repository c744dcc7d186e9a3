"""A test that may be looked at as often as one likes."""

import random

import pytest

from regportal.insight.trials import Odds, Share, Verdict, evidence, needed, odds, verdict


def looked_at(rates, *, people, seed):
    """Yield what both arms came to, each time somebody looks."""
    draws = random.Random(seed)
    counts = [[0, 0], [0, 0]]
    for number in range(people):
        for count, rate in zip(counts, rates, strict=True):
            count[0] += 1
            count[1] += draws.random() < rate
        if number % 50 == 49:
            yield tuple(Share(*count) for count in counts)


def is_ever(rates, seed, people=500):
    return any(
        evidence(low, high) >= 20 for low, high in looked_at(rates, people=people, seed=seed)
    )


def test_somebody_who_looks_all_the_time_is_seldom_led_astray():
    astray = sum(is_ever((0.3, 0.3), seed) for seed in range(100))

    assert astray <= 5


def test_a_real_difference_is_found():
    assert all(is_ever((0.3, 0.5), seed) for seed in range(20))


@pytest.mark.parametrize("share", [Share(), Share(5, 0), Share(5, 5), Share(10**6, 10**6)])
def test_the_edges_are_numbers_too(share):
    assert 0 <= evidence(share, share) <= 1
    assert evidence(share, Share(3, 2), 0.05) >= 0
    assert evidence(Share(3, 2), share, 0.5) >= 0


def test_what_is_as_far_apart_as_may_be_is_no_loss():
    near, far = Share(2000, 1560), Share(2000, 1300)
    control = Share(2000, 1600)

    assert evidence(near, control, 0.05) < 1
    assert evidence(far, control, 0.05) > 10**6


def test_more_arms_need_more():
    assert needed(95, 2) == pytest.approx(40)
    assert needed(99, 4) == pytest.approx(600)


@pytest.mark.parametrize(
    ("better", "worse", "loses", "means"),
    [
        (1, 1, 1, Verdict.OPEN),
        (50, 0, 0, Verdict.BETTER),
        (0, 50, 0, Verdict.WORSE),
        (50, 0, 50, Verdict.STOPPED),
    ],
)
def test_a_loss_of_people_comes_before_everything_else(better, worse, loses, means):
    assert verdict(Odds(better, worse, loses, 40)) is means


def test_both_shares_are_compared():
    found = odds(Share(900, 200), Share(900, 400), (Share(900, 800), Share(900, 600)), 0.05, 40)

    assert found.better > 40
    assert found.loses > 40
    assert verdict(found) is Verdict.STOPPED
