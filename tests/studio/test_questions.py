"""The question bank: where each is asked, what became of it, and what experiments came to."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from regportal.forms.models import Outcome, Shown
from regportal.store.ids import uuid7
from tests.portal import SITE

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WORDS = """
experiments:
  - key: words
    question: country
    arms: [{key: usual}, {key: short, label: "Your country?"}]
"""


@pytest.fixture
def desk(portal, company):
    """A marketer's desk, two days after six people were asked."""
    portal.publish(SITE + WORDS)
    at = datetime.now(UTC) - timedelta(days=2)
    became = [*[Outcome.ANSWERED] * 3, Outcome.DECLINED, None]
    shown = [("guide", one) for one in became] + [("study", None)]
    portal.store.write(
        lambda session: session.add_all(
            Shown(id=uuid7(), gate=gate, question="country", outcome=one, shown_at=at)
            for gate, one in shown
        )
    )
    return company.at_desk("mia@acme.example", "marketer")


def rows(desk, asked=""):
    lines = desk.get(f"/questions.jsonl{asked}").text.splitlines()
    return {one["key"]: one for one in map(json.loads, lines)}


def test_what_became_of_a_question_is_counted_at_all_gates_or_at_one(desk):
    counts = ("shown", "answered", "declined", "abandoned")

    every, guide = rows(desk)["country"], rows(desk, "?gate=guide")["country"]
    assert [every[one] for one in counts] == [6, 3, 1, 2]
    assert [guide[one] for one in counts] == [5, 3, 1, 1]
    assert rows(desk, "?type=phone").keys() == {"phone"}


def test_the_page_says_it_and_what_an_experiment_came_to(desk):
    page = desk.get("/questions?gate=guide").text

    assert "60 %" in page
    assert "an experiment runs" in page
    assert "not decided: better 1 to 1, worse 1 to 1, needed are 40" in page


@pytest.mark.parametrize("asked", ["?days=31", "?type=secret", "?order=worth"])
def test_what_no_list_knows_is_refused(desk, asked):
    assert desk.get(f"/questions{asked}").status == 400
