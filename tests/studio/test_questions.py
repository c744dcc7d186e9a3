"""The question bank: where each is asked, what became of it, and what experiments came to."""

import json
import re
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
BUDGET = """
  - key: budget
    type: choice
    label: {en: "What is your budget?", de: "<b>Unser Budget</b>"}
    sensitive: true
    choices: {low: "\\u202eless", high: More}
    when: {answer: {question: country, in: [DE, AT]}}
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


def part(page, name):
    """One part of a page, as text."""
    inside = re.search(rf'data-rp="{name}">(.*?)</section>', page.text, re.DOTALL)[1]
    return " ".join(re.sub(r"<[^>]+>", " ", inside).split())


def test_a_question_says_how_it_is_asked_where_and_what_became_of_it(desk):
    listed, page = desk.get("/questions"), desk.get("/questions/country")

    assert 'href="/studio/questions/country"' in listed.text
    assert "The same in every language Which country are you in?" in part(page, "wordings")
    assert "Asked again never, once it is answered" in part(page, "facts")
    assert "after 90 days, 3 times at most" in part(page, "facts")
    assert "Expected to answer 70%" in part(page, "facts")
    assert "The guide question 1 of 5 5 3 60 % 1 20 % 1 20 %" in part(page, "asked-at")
    assert "The words of a question: Which country are you in?" in part(page, "experiment")


def test_a_gate_that_asks_it_no_more_is_named_as_long_as_its_forms_are_counted(portal, desk):
    portal.publish(SITE.replace("questions: [country, ", "questions: [") + WORDS)

    assert "The guide no longer 5 3 60 %" in part(desk.get("/questions/country"), "asked-at")


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", ["German", "whoever answered “Which country are you in?” with Germany or Austria"]),
        ("de", ["Deutsch", "wer auf „Which country are you in?“ mit Deutschland oder Österreich"]),
    ],
)
def test_its_words_stand_there_as_they_are_written_and_nothing_of_them_is_obeyed(
    portal, company, language, says
):
    portal.publish(SITE.replace("questions:\n", f"questions:\n{BUDGET}", 1))
    desk = company.at_desk("mia@acme.example", "marketer")

    page = desk.get("/questions/budget", **{"Accept-Language": language})
    assert all(one in f"{part(page, 'wordings')} {part(page, 'facts')}" for one in says)
    assert "<b>Unser" not in page.text
    assert "&lt;b&gt;Unser Budget&lt;/b&gt;" in page.text
    assert "<bdi>\u202eless</bdi>" in page.text


def test_what_is_worth_a_second_look_is_said(portal, company):
    portal.publish(SITE.replace("questions:\n", f"questions:\n{BUDGET}", 1))
    page = company.at_desk("mia@acme.example", "marketer").get("/questions/budget")

    assert "names nobody who answers for it" in page.text
    assert "the answer is shown to nobody in the Studio" in part(page, "facts")


def test_a_question_that_there_is_not_is_not_found(desk):
    assert desk.get("/questions/nowhere").status == 404
    assert desk.get("/questions/nowhere.xml").status == 404
