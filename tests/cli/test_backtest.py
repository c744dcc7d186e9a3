"""`regportal backtest`: a draft tried on this installation's own history, from the front door."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from regportal.store.sessions import Store, make_engine
from tests.buying.scene import CRM, PRICES, Scene
from tests.patience import FOR_EVER, PATIENCE

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
DRAFT = """\
buying:
  phases:
    - id: unaware
    - id: warm
      label: Getting warm
      enter: {any: [{event: download, within: 30d}]}
      exit: {any: [{quiet: {for: 30d}}]}
"""


@pytest.fixture
def history(installed, tmp_path, database_url):
    """Ann took a price list 40 days ago, and her company bought ten days later."""
    scene = Scene(Store(make_engine(database_url)))
    scene.publish(CRM, PRICES)
    ann, deal = scene.contact("ann@example.com"), scene.opportunity(now=NOW - 50 * DAY)
    scene.role(deal, ann, now=NOW - 50 * DAY)
    scene.did(ann, now=NOW - 40 * DAY)
    scene.opportunity(now=NOW - 30 * DAY, is_closed=True, is_won=True)
    yield installed
    scene.store.close()


@pytest.fixture
def draft(tmp_path):
    path = tmp_path / "draft.yaml"
    path.write_text(DRAFT)
    return path


def test_it_is_told_as_people_read_it(history, draft):
    ran = history("backtest", draft)
    lines = ran.out.splitlines()

    assert ran.code == 0
    assert lines[0].endswith(": 0 open, 1 won, 0 lost opportunities")
    assert lines[2:5] == [
        f"{'published':>48}{'draft':>10}",
        f"moves{'1':>43}{'1':>10}",
        f"  that the other does not make{'1':>18}{'1':>10}",
    ]
    (warm,) = (line for line in lines if "Getting warm" in line)
    assert " ".join(warm.split()) == (
        "Getting warm 0 10.0 d (1) 100% of 1 10.0 d too few to say (1 of 1)"
    )
    assert lines[-1] == "Too few to say who forecasts better: 1 opportunity was decided."


def test_a_part_of_a_day_is_named_by_its_hours(history, draft):
    day = f"{NOW - 35 * DAY:%Y-%m-%d}"
    ran = history("backtest", draft, "--from", f"{day}T06:00:00+02:00", "--to", f"{day}T12:00:00Z")

    assert ran.out.splitlines()[0] == (
        f"{day}T04:00Z to {day}T12:00Z: 1 open, 0 won, 0 lost opportunities"
    )


def test_a_time_in_which_nothing_was_there_yet_is_said_to_be_one(history, draft):
    ran = history("backtest", draft, "--to", "2020-01-01")

    assert "Note: no opportunity was there in this time." in ran.out.splitlines()


def test_a_program_reads_the_same(history, draft):
    told = history("backtest", draft, "--json").json()

    assert told["moves"] == {"added": 1, "removed": 1, "opportunities": 1}
    assert [one["phase"] for one in told["draft"]["phases"]] == ["unaware", "warm"]


def test_an_installation_without_a_history_says_so(installed, draft):
    ran = installed("backtest", draft)

    assert ran.code == 0
    assert "0 open, 0 won, 0 lost opportunities" in ran.out
    assert "Too few to say who forecasts better: 0 opportunities were decided." in ran.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--to", "2999-01-01"), 2, "--to lies ahead: there is no history yet"),
        (("--from", "2999-01-01"), 2, "--from must be before the end, and before now"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), 2, "--from must be before the end"),
        (("--from", "yesterday"), 2, "is neither a day nor a moment"),
    ],
)
def test_a_time_that_is_none_is_refused(installed, draft, arguments, code, says):
    ran = installed("backtest", draft, *arguments)

    assert (ran.code, says in ran.err) == (code, True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gates: []\n", "buying: is missing: there are no rules"),
        (DRAFT.replace("quiet: {for: 30d}", "quiet: {for: soon}"), "draft.yaml:7: buying.phases"),
        (DRAFT.replace("label", "lable"), "draft.yaml:5: buying.phases"),
    ],
)
def test_rules_that_could_not_be_published_are_not_tried(installed, tmp_path, text, says):
    path = tmp_path / "draft.yaml"
    path.write_text(text)
    ran = installed("backtest", path)

    assert (ran.code, says in ran.err, ran.out) == (1, True, "")
    assert "Traceback" not in ran.err


def test_rules_of_what_is_not_there_are_not_tried(history, tmp_path):
    path = tmp_path / "draft.yaml"
    path.write_text(DRAFT.replace("within: 30d", "where: {category: prices}, within: 30d"))
    ran = history("backtest", path)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("draft.yaml:6: buying.phases[1].enter.any[0].where.category: ")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_may_be_stopped(history, draft, tmp_path):
    slow = f"""\
import sys, time
from regportal.buying.backtest import reading
from regportal.cli import main

def read(*_):
    print("Trying", file=sys.stderr, flush=True)
    time.sleep({FOR_EVER})

reading._read = read
main(["backtest", {str(draft)!r}])
"""
    with subprocess.Popen(
        [sys.executable, "-c", slow],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - whoever runs tests in the background ignores Ctrl-C
    ) as running:
        while b"Trying" not in running.stderr.readline():
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=PATIENCE)

    assert (running.returncode, out) == (1, b"")
