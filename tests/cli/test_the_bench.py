"""What a bench measures is what is really done: it counts, and refuses what does not add up."""

import json

import pytest
from click.testing import CliRunner

from regportal.cli.bench import bench
from regportal.cli.bench.measure import Figures
from regportal.cli.bench.visits import WrongAnswerError
from regportal.cli.bench.weigh import _check


def test_the_weigher_is_measured_by_moves_and_messages_that_are_really_there():
    done = CliRunner().invoke(
        bench, ["weigh", "--lines", "400", "--history", "40", "--even-if-busy", "--json"]
    )
    told = json.loads(done.stdout)

    assert done.exit_code == 0
    assert [set(one) for one in told["rounds"]] == [
        {"in memory", "brute force", "database", "20 before", "40 before"}
    ] * 3
    assert all(Figures(**each).per_second > 0 for one in told["rounds"] for each in one.values())
    assert len(told["goals"]) == 4


def test_a_bench_that_finds_something_else_measures_nothing():
    with pytest.raises(WrongAnswerError, match="moves: 1 instead of 2"):
        _check("moves", 1, 2)
