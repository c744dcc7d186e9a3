"""Whether the oracle itself says what the texts demand, in stories worked out by hand."""

import pytest

from tests.buying.log import Closed
from tests.buying.oracle import fold, history, in_order, moves
from tests.buying.random_rules import ALL
from tests.buying.stories import STORIES, day
from tests.buying.worlds import own_log, world


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_oracle_moves_as_worked_out_by_hand(story):
    found = moves({"phases": story.phases}, story.log, day(story.until))

    expected = [(day(at), *rest) for at, *rest in story.moves]
    pump = [move for move in found if move.subject == ("opportunity", "pump")]
    assert [(move.at, move.come_from, move.to, move.cause) for move in pump] == expected


@pytest.mark.parametrize("seed", range(40))
def test_going_on_from_where_one_stands_is_the_fold_over_all_that_holds(seed):
    small = world(seed, ALL, own_log)
    log = [row for row in in_order(small.log) if not isinstance(row, Closed)][: 5 + 3 * seed]

    assert history(small.model, log)[0].standings == fold(small.model, log).standings
