"""
Whether the engine moves exactly as the texts say: each world is told to it and to the oracle.

`pytest -m soak tests/buying/test_engine_against_oracle.py` runs the thousands.
"""

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from regportal.buying.compiled import compiled
from regportal.buying.facts import moment, when
from regportal.buying.kept import written
from regportal.buying.schema import Buying
from tests.buying.conditions import holds, view
from tests.buying.foreign import RefusedError, replayed
from tests.buying.keeping import Keeper
from tests.buying.oracle import EVER, history, moves, steps_of
from tests.buying.random_rules import ALL, FOREIGN
from tests.buying.shrinking import smallest, told
from tests.buying.stories import STORIES, day
from tests.buying.worlds import World, foreign_log, own_log, told_log, world

QUICKLY = settings(phases=[Phase.generate], report_multiple_bugs=False)
"""Hypothesis chooses the worlds; what is wrong in them is made small by `reason`."""
KINDS = {"foreign": (FOREIGN, foreign_log), "told": (ALL, told_log)}


def both(world):
    """Return what the engine and the oracle say of purchases; None where the rules are refused."""
    if not world.log:
        return None
    last = max(row.at for row in world.log)
    until = None if len(world.log) % 2 else last + timedelta(days=6)
    with tempfile.TemporaryDirectory() as folder:
        try:
            engine = replayed(world, Path(folder), until)
        except RefusedError:
            return None
    oracle = [
        m for m in moves(world.model, world.log, until or last) if m.subject[0] == "opportunity"
    ]
    return tuple(
        sorted(each, key=lambda move: (move.at, move.subject)) for each in (engine, oracle)
    )


def differs(world):
    """Return whether the two say different things."""
    said = both(world)
    return said is not None and said[0] != said[1]


def kept(small):
    """Return what is wrong with standings kept from row to row: they are the fold, and move so."""
    until = small.log[-1].at + timedelta(days=6)
    model = compiled(Buying.model_validate(small.model))
    end, expected = history(small.model, small.log, until)
    keeper = Keeper(model, steps_of(small.log), end.standings)
    for place in keeper.run(moment(until)):
        to_fold = keeper.standings.keys() - keeper.pinned if place % 3 == 0 else ()
        for subject in to_fold:
            standings = keeper.standings[subject], keeper.fold(subject, place)
            if len({written(standing, model.digest) for standing in standings}) > 1:
                return f"step {place}: {subject} is kept as {standings[0]}, folds to {standings[1]}"
    told_moves = {(m.subject, m.come_from, m.to, moment(m.at)) for m in expected}
    different = sorted(told_moves ^ {*keeper.moves}, key=lambda move: move[3])
    return different or [why for why in keeper.grounds if not is_enough(why)]


def is_enough(why):
    """Return whether the signs of each ground make it hold, and without one of them do not."""
    subject, at, held, grounds = why
    for ground in grounds:
        if ground.condition.event is None or ground.absent:
            continue
        sees = view(held, subject, when(at), {})
        leaf = ground.condition.model_dump(mode="json", by_alias=True, exclude_none=True)
        named = [sign for sign in sees.signs if sign.fact.id in ground.signs]
        alone, *fewer = (
            holds(leaf, replace(sees, signs=only(sees.signs, signs, leaf)), EVER)
            for signs in (named, *without_one(named, leaf))
        )
        if len(named) != len(ground.signs) or not alone or any(fewer):
            return False
    return True


def without_one(named, leaf):
    """
    Return the named signs without each that is needed; of what was watched, the oldest.

    What was seen twice was seen when it was seen last: of an older sign only the rest counts.
    """
    if "watched" not in leaf:
        return [[one for one in named if one is not left_out] for left_out in named]
    oldest = min(one.fact.when for one in named)
    return [[one for one in named if one.fact.when > oldest]]


def only(signs, kept, leaf):
    """Return these signs alone; of the others no more than how long a film is."""
    if "watched" not in leaf:
        return kept
    return [
        one if one in kept else replace(one, fact=replace(one.fact, watched=())) for one in signs
    ]


def reason(world):
    """Return the smallest world like this one in which they differ, and what each says."""
    least = smallest(world, differs)
    engine, oracle = both(least)
    lines = [told(least), "engine:", *map(str, engine), "oracle:", *map(str, oracle)]
    return "\n".join(lines)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_replay_moves_as_worked_out_by_hand(story, tmp_path):
    small = World({"phases": story.phases}, tuple(story.log))

    pump = [
        (move.at, move.come_from, move.to, move.cause)
        for move in replayed(small, tmp_path, day(story.until))
        if move.subject == ("opportunity", "pump")
    ]
    assert pump == [(day(at), *rest) for at, *rest in story.moves]


@settings(QUICKLY, max_examples=50)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 2**64))
def test_replay_moves_as_the_oracle_does(kind, seed):
    small = world(seed, *KINDS[kind])

    assert not differs(small), reason(small)


@settings(QUICKLY, max_examples=10)
@given(st.integers(0, 2**64))
def test_what_is_kept_is_the_fold_of_all_that_holds_and_moves_as_the_oracle_does(seed):
    assert not kept(world(seed, ALL, own_log))


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hundred", range(20))
def test_replay_moves_as_the_oracle_does_in_thousands_of_worlds(kind, hundred):
    seeds = range(100 * hundred, 100 * hundred + 100)
    said = {seed: both(world(seed, *KINDS[kind])) for seed in seeds}
    told_apart = [seed for seed, each in said.items() if each is not None and each[0] != each[1]]

    assert [(seed, reason(world(seed, *KINDS[kind]))) for seed in told_apart[:3]] == []
    assert sum(each is not None for each in said.values()) > 30  # the others may not be published


@pytest.mark.soak
@pytest.mark.parametrize("fifty", range(20))
def test_what_is_kept_is_the_fold_and_moves_as_the_oracle_does_in_a_thousand_worlds(fifty):
    seeds = range(50 * fifty, 50 * fifty + 50)

    assert [(seed, wrong) for seed in seeds if (wrong := kept(world(seed, ALL, own_log)))] == []
