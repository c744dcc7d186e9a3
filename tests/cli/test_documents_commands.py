import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "acme"
LOADED = """
import sys
from regportal.cli import regportal
regportal(["plan", sys.argv[1]], standalone_mode=False)
print(sorted({".".join(name.split(".")[:2]) for name in sys.modules} & {*sys.argv[2:]}))
"""


@pytest.fixture
def acme(tmp_path):
    """The worked example, to be changed."""
    folder = tmp_path / "acme"
    shutil.copytree(EXAMPLE, folder)
    return folder / "regportal.yaml"


def change(file, before, after):
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_a_connector_whose_secret_is_not_set_is_remarked(installed, acme, monkeypatch):
    monkeypatch.setenv("CRM_SECRET", "whsec_c2VjcmV0")
    monkeypatch.delenv("CRM_IN", raising=False)
    says = "  ? connector crm: the environment variable CRM_IN is not set"
    assert says in installed("plan", acme).out
    assert says in installed("apply", acme).out
    monkeypatch.setenv("CRM_IN", "whsec_c2VjcmV0")

    assert "CRM_IN" not in installed("plan", acme).out


def test_schema_prints_a_json_schema(regportal):
    ran = regportal("schema")

    assert ran.code == 0
    jsonschema.Draft202012Validator.check_schema(ran.json())


def test_plan_shows_what_apply_then_publishes(installed, acme):
    planned, applied = installed("plan", acme), installed("apply", acme)

    assert planned.code == applied.code == 0
    assert "  + gate price-list\n" in planned.out
    assert applied.out == planned.out + "Published as number 1.\n"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_plan_loads_no_room_of_which_it_says_nothing(installed, acme):
    rooms = ("privacy", "outbox", "tracking.models", "identity", "mail")
    ran = subprocess.run(
        [sys.executable, "-c", LOADED, acme, *(f"regportal.{room}" for room in rooms)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.splitlines()[-1] == "[]"


def test_apply_shows_key_by_key_what_changed(installed, acme):
    installed("apply", acme)
    change(acme, "headline: All prices on two pages", "headline: All prices")

    assert (
        '  ~ gate price-list\n      headline: "All prices on two pages" becomes "All prices"\n'
        in installed("apply", acme).out
    )


def test_a_change_of_rules_is_shown_condition_by_condition(installed, acme):
    installed("apply", acme)
    change(acme, "label: Interested", "label: Awake")
    change(acme, "within: 180d", "within: 90d")

    assert (
        "  ~ buying\n"
        "      ~ interest: label: Interested -> Awake\n"
        "      ~ interest: enter: - any: a download within 180 days\n"
        "      ~ interest: enter: + any: a download within 90 days\n"
    ) in installed("plan", acme).out


def test_what_was_exported_applies_as_nothing(installed, acme, tmp_path):
    installed("apply", acme)
    exported = installed("export", tmp_path / "out")
    again = installed("apply", tmp_path / "out" / "regportal.yaml")

    assert exported.code == 0
    assert (tmp_path / "out" / "files" / "price-list-2026.csv").read_bytes() == (
        EXAMPLE / "files" / "price-list-2026.csv"
    ).read_bytes()
    assert again.code == 0
    assert again.out.endswith("Nothing to publish.\n")


def test_export_without_a_folder_prints_the_yaml(installed, acme):
    installed("apply", acme)

    assert installed("export").out.startswith("site:\n  name: Acme Products\n")


def test_json_is_the_same_plan_for_programs(installed, acme):
    ran = installed("apply", "--json", acme).json()

    assert ran["published"] == 1
    assert {"kind": "gate", "key": "price-list"} in ran["added"]
    assert installed("plan", "--json", acme).json()["publication"] == 1


def test_prune_archives_and_says_so(installed, acme):
    installed("apply", acme)
    text = acme.read_text(encoding="utf-8")
    begin, end = text.index("  - key: choosing\n"), text.index("buying:\n")
    acme.write_text(text[:begin] + text[end:], encoding="utf-8")

    assert "  ! gate choosing: not in the file, and stays" in installed("plan", acme).out
    assert "  - gate choosing: archived" in installed("apply", "--prune", acme).out
    assert "choosing\n" not in installed("export").out.partition("gates:")[2]


def test_apply_since_refuses_when_somebody_published(installed, acme):
    installed("apply", acme)
    ran = installed("apply", "--since", "0", acme)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "regportal.yaml:1: file: somebody published since: 1 holds now, not 0\n"


def test_a_refusal_is_sentences_on_stderr_and_nothing_else(installed, acme):
    change(acme, "asset: price-list-2026", "asset: price-list-2062")
    ran = installed("apply", acme)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "regportal.yaml:81: gates[0].asset: there is no asset called 'price-list-2062';"
        " did you mean 'price-list-2026'?\n"
    )
    assert installed("export").code == 1


def test_a_file_that_is_not_there_is_wrong_usage(installed):
    assert installed("plan", "nowhere.yaml").code == 2


def test_a_database_without_shape_is_refused(regportal, acme):
    ran = regportal("plan", acme)

    assert (ran.code, ran.err) == (
        1,
        "the database is not up to date: run `regportal upgrade` first\n",
    )


def test_the_schema_command_prints_what_editors_read(regportal):
    told = json.loads(regportal("schema").out)

    assert told["$schema"] == "https://json-schema.org/draft/2020-12/schema"
