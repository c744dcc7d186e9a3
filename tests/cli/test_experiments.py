"""What experiments came to, as a marketer is shown it."""

import pytest

from tests.cli.test_documents_commands import acme  # noqa: F401 - a fixture


@pytest.fixture
def site(installed, acme):  # noqa: F811 - the fixture
    """The worked example, published; it has an experiment."""
    installed("apply", acme)
    return installed


def test_a_page_of_text_says_what_each_arm_came_to(site):
    ran = site("experiments")

    assert ran.code == 0
    assert ran.out.splitlines()[:3] == [
        "why-we-ask-when: question timeframe, version 1",
        "  usual: sent 0 of 0 (0.0%); answered and proven 0 of 0 (0.0%)",
        "    the others are compared with it",
    ]
    assert "not decided: better 1 to 1, worse 1 to 1, needed are 40" in ran.out


def test_programs_are_told_the_same(site):
    [told] = site("experiments", "--json").json()["experiments"]

    assert (told["key"], told["question"], told["gate"]) == ("why-we-ask-when", "timeframe", None)
    assert [arm["verdict"] for arm in told["arms"]] == ["open", "open"]
    assert told["arms"][1]["odds"]["needed"] == pytest.approx(40)


def test_where_nothing_is_tried_it_says_so(installed, acme):  # noqa: F811 - the fixture
    text = acme.read_text(encoding="utf-8")
    before, _, after = text.partition("experiments:\n")
    acme.write_text(before + after.partition("\n\n")[2], encoding="utf-8")
    installed("apply", acme)

    assert installed("experiments").out == "no experiment runs\n"
