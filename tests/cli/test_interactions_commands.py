"""The commands about the series: who did it, said by hand or found anew."""

from datetime import UTC, datetime

import pytest

from tests.cli.conftest import regportal  # noqa: F401 - a fixture
from tests.cli.test_import_interactions import company  # noqa: F401 - a fixture
from tests.tracking.test_the_collector import (
    CRAWLER,
    ann,  # noqa: F401 - a fixture
    event,
    followed,  # noqa: F401 - a fixture
    tell,
)

PAGE = "https://www.acme.example/widgets"


@pytest.fixture
def seen(company, regportal, ann):  # noqa: F811 - the fixtures
    """A page that Ann saw, and one that a crawler says it saw in her browser."""
    tell(ann, event())
    tell(ann, event(about="https://www.acme.example/prices"), headers={"User-Agent": CRAWLER})
    company.work()
    return regportal


def listed(run, *more):
    return {one["object"]: one for one in run("list", "interactions", "--json", *more).json()}


def test_what_a_machine_did_is_listed_apart_with_the_reason(seen):
    machines = listed(seen, "--judged", "machine")
    people = listed(seen, "--judged", "person")

    (one,) = machines.values()
    assert one["judged_because"] == "a crawler: Googlebot/"
    assert one["judged_by"] == "2026-11"
    assert set(people) == {PAGE, "guide"}
    assert {*machines, *people} == {*listed(seen)}


def test_somebody_says_who_did_it_and_every_list_says_so(seen, company):  # noqa: F811 - the fixture
    id = listed(seen)[PAGE]["id"]
    ran = seen("interactions", "judge", id, "machine", "--because", "our own test")
    shown = seen("show", "contact", "ann@widgetworks.example", "--json").json()
    again = seen("interactions", "rejudge", "--json").json()

    assert (ran.code, ran.out) == (0, f"{id} is a machine's, no longer a person's\n")
    one = listed(seen)[PAGE]
    assert (one["judged"], one["judged_because"], one["judged_by"]) == (
        "machine",
        "our own test",
        "person",
    )
    assert {each["id"]: each["judged"] for each in shown["interactions"]}[id] == "machine"
    assert again == {
        "judged": 2,
        "changed": 0,
        "changes": [],
        "by_hand": 1,
        "cannot": 0,
        "shown": {"judged": 1, "changed": 0, "changes": []},
        "dry_run": False,
    }


def test_her_copy_of_everything_says_what_became_known_later(seen):
    id = listed(seen)[PAGE]["id"]
    seen("interactions", "judge", id, "machine", "--because", "our own test")
    data = seen("contact", "export", "ann@widgetworks.example").json()["data"]

    assert [(one["interaction_id"], one["judged_because"]) for one in data["verdict"]] == [
        (id, "our own test")
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("judge", "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b", "person", "--because", "x"), 1),
        (("judge", "7", "person", "--because", "x"), 2),
        (("judge", "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b", "person"), 2),
        (("judge", "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b", "person", "--because", " "), 2),
        (("judge", "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b", "person", "--because", "a\nb"), 2),
        (("judge", "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b", "nobody", "--because", "x"), 2),
        (("rejudge", "--from", "yesterday"), 2),
        (("rejudge", "--to", "0001-01-01T00:00:00+23:00"), 2),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_is_refused_with_a_sentence(installed, arguments, code):
    ran = installed("interactions", *arguments)

    assert ran.code == code
    assert len(ran.err.strip().splitlines()[-1]) > 20
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_report_is_for_people_too(seen):
    ran = seen("interactions", "rejudge", "--to", datetime.now(UTC).isoformat(), "--dry-run")

    assert ran.out.splitlines() == [
        "3 judged again, 0 would change, 0 judged by hand stay so",
        "forms shown: 1 judged again, 0 would change",
    ]


def test_what_was_put_down_wrongly_is_taken_back_once(seen):
    id = listed(seen)[PAGE]["id"]
    ran = seen("revert", "interaction", id, "--because", "a student of the same name")
    again = seen("revert", "interaction", id, "--because", "a student of the same name")

    assert (ran.code, ran.out) == (0, f"{id} is nobody's, no longer ann@widgetworks.example's\n")
    assert listed(seen)[PAGE]["attribution"] == "anonymous"
    assert (again.code, again.err) == (1, f"the interaction {id} is nobody's\n")


def test_the_parts_of_a_log_that_is_not_divided_are_none_and_it_says_so(installed):
    ran, told = installed("interactions", "parts"), installed("interactions", "parts", "--json")

    assert (ran.code, ran.out, ran.err.strip()) == (0, "", "the log is not divided")
    assert told.json() == []
