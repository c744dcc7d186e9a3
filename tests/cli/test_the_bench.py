"""What a bench measures is what is really done: it counts, and refuses what does not add up."""

import json
import os
import subprocess
import sys

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from regportal.buying.lint import lints
from regportal.cli.bench import bench
from regportal.cli.bench.databases import process_of
from regportal.cli.bench.measure import Figures, Watch, cpu_of_all
from regportal.cli.bench.phases import dearest, fifty
from regportal.cli.bench.visits import WrongAnswerError
from regportal.cli.bench.weigh import _check


def test_the_weigher_is_measured_by_moves_and_messages_that_are_really_there():
    done = CliRunner().invoke(
        bench, ["weigh", "--lines", "400", "--history", "40", "--even-if-busy", "--json"]
    )
    told = json.loads(done.stdout)

    assert done.exit_code == 0
    assert [set(one) for one in told["rounds"]] == [
        {
            *("database", "20 before", "40 before", "engine"),
            *("engine, 20 before", "engine, 40 before"),
            *("read again, 20 before", "read again, 40 before"),
        }
    ] * 3
    assert all(Figures(**each).per_second > 0 for one in told["rounds"] for each in one.values())
    assert len(told["goals"]) == 5


def test_the_index_finds_the_rules_that_a_loop_over_all_of_them_finds():
    done = CliRunner().invoke(bench, ["rules-50", "--events", "1000", "--even-if-busy", "--json"])
    told = json.loads(done.stdout)

    assert done.exit_code == 0
    assert [set(one) for one in told["rounds"]] == [
        {
            "indexed",
            "naive loop",
            "heard and settled",
            "default model",
            "dearest model",
            "dearest of films",
        }
    ] * 3


def test_the_dearest_model_that_is_measured_is_one_that_is_accepted():
    assert list(lints(fifty())) == list(lints(dearest())) == []


def test_a_bench_that_finds_something_else_measures_nothing():
    with pytest.raises(WrongAnswerError, match="moves: 1 instead of 2"):
        _check("moves", 1, 2)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_the_database_does_is_not_somebody_elses_work(database_url):
    database = process_of(database_url)
    engine = sa.create_engine(database_url)
    before = cpu_of_all(database)
    ours, anybodys = Watch(os.getpid(), database=database), Watch(os.getpid())
    with engine.connect() as connection:
        connection.scalar(sa.text("SELECT sum(sqrt(n)) FROM generate_series(1, 3000000) AS n"))
    others = ours.end()[1]

    assert cpu_of_all(database) - before > 0.1
    assert others < anybodys.end()[1]
    engine.dispose()


WORKING = "while __import__('time').process_time() < 0.3: pass"


def test_a_process_has_used_what_its_children_use_and_used():
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WORKING!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", f"{child}; print('', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        parent.stdout.read(1)
        used = cpu_of_all(parent.pid)
        parent.stdin.write(b"\n")

    assert used >= 0.3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_has_no_processes(database_url):
    assert process_of(database_url) is None
