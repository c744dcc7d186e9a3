"""What somebody meets who comes again and again, as a marketer is shown it."""

import re
from pathlib import Path

import pytest

from regportal.documents.scenarios import read_scenario
from tests.cli.test_documents_commands import acme  # noqa: F401 - a fixture

PAGE = (Path(__file__).parents[2] / "docs" / "drafts.md").read_text(encoding="utf-8")


@pytest.fixture
def site(installed, acme):  # noqa: F811 - the fixture
    """The worked example, published."""
    installed("apply", acme)
    return installed


def test_a_table_says_what_is_met_and_below_it_why(site):
    ran = site("simulate", "--gate", "price-list", "--visits", "3", "--from", "2026-03-04T12:00Z")

    assert ran.code == 0
    head, first, second, _, *why = ran.out.splitlines()
    assert head.split() == [
        *("when", "gate", "asked", "newsletter", "did", "gets", "phase", "scores"),
    ]
    assert first.split()[:5] == ["1", "2026-03-04T12:00:00Z", "price-list", "e-mail", "address"]
    assert second.split()[:4] == ["2", "2026-03-11T12:00:00Z", "price-list", "country"]
    assert "1. e-mail address: who he is, is not known yet" in why
    assert "2. country: the first question of this gate that is open" in why
    assert any(re.search(r"visitor@company.example downloaded Price list", line) for line in why)


def test_programs_are_told_the_same(site):
    told = site("simulate", "--who", "known", "--visits", "2", "--json").json()["visits"]

    assert [one["number"] for one in told] == [1, 2]
    assert told[0]["question"] == "country"
    assert told[0]["not_asked"][0].keys() == {"key", "because"}
    assert told[1]["known"] != {}
    assert told[0]["standing"]["since"].endswith("Z")


def test_the_scenario_of_the_manual_can_be_read(tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text(re.search(r"(?ms)^\$ cat visitor.yaml\n(.*?)^\$ ", PAGE)[1])

    assert len(read_scenario(file).visits) == 4


def test_every_key_of_a_scenario_is_in_the_manual():
    from regportal.documents.scenarios import Coming, Scenario

    keys = {*Scenario.model_fields, *Coming.model_fields}

    assert {key for key in keys if f"| `{key}` |" not in PAGE} == set()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--gate", "nowhere"), 1, "there is no gate called 'nowhere'"),
        (("--visits", "0"), 2, "0 is not in the range"),
        (("scenario.yaml", "--visits", "2"), 2, "FILE says it already"),
        (("scenario.yaml",), 1, "scenario.yaml:1: visit: is not known here"),
    ],
)
def test_what_cannot_be_simulated_is_said_in_one_sentence(site, tmp_path, arguments, code, says):
    (tmp_path / "scenario.yaml").write_text("visit: []\nvisits: [{gate: price-list}]\n")
    ran = site("simulate", *arguments)

    assert (ran.code, ran.out) == (code, "")
    assert says in ran.err


def test_before_the_first_publication_there_is_nothing_to_meet(installed):
    ran = installed("simulate")

    assert (ran.code, ran.out) == (1, "")
    assert "there is no site" in ran.err
