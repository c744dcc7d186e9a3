"""What examples/bpi2012 says is found again on the log of the bank."""

import importlib.util
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from regportal.cli import main

FOLDER = Path(__file__).parents[2] / "examples" / "bpi2012"
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def module(name):
    """A script of the example."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def found(shared_data, tmp_path_factory):
    """What the three commands of the page find."""
    folder = tmp_path_factory.mktemp("bank")
    module("prepare").prepare(shared_data / "bpic2012_events_dev.csv.gz", folder)
    names = ("interactions", "roles", "opportunities")
    files = [part for name in names for part in (f"--{name}", f"{folder}/{name}.csv.gz")]
    rules, out = ["--rules", f"{FOLDER}/rules.yaml"], ["--out", f"{folder}/moves.csv.gz"]
    with pytest.raises(SystemExit) as left:
        main(["replay", *rules, *files, *out])
    assert left.value.code == 0
    told, moves = folder / "opportunities.csv.gz", folder / "moves.csv.gz"
    return module("compare").compared(told, moves, datetime(2011, 11, 14, tzinfo=UTC))


def test_the_customers_phase_says_more_than_the_sellers_stage(found):
    figures = found.figures
    order = ["phase x dwell", "customer's phase", "stage x age", "seller's stage", "all alike"]

    assert sorted(figures, key=lambda name: -figures[name][0]) == order
    assert sorted(figures, key=lambda name: figures[name][1]) == order


def test_it_is_no_accident(found):
    for other in ("seller's stage", "stage x age"):
        (worst, _), (_, worst_brier) = found.ahead["phase x dwell", other]

        assert worst > 0
        assert worst_brier < 0


def test_the_page_says_what_is_found(found):
    rows = re.findall(r"\| \**(0\.\d{3})\** \| \**(0\.\d{4})\** \|", README)

    assert rows == [(f"{auc:.3f}", f"{brier:.4f}") for auc, brier in found.figures.values()]
    assert f"{found.mondays:,} Mondays of {found.opportunities} applications" in README
    for area, _ in found.ahead.values():
        assert "{:.3f} to {:.3f}".format(*area) in README
