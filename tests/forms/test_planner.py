"""Which open question a gate asks: by hand, or by what it promises."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from regportal.forms.planner import Grounds, Turnout, choose, plan, told
from regportal.forms.rules import Known
from regportal.forms.schema import Gate, Question
from regportal.library.schema import Asset

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SIZE = Question(key="size", type="number", label="How many seats?")
ROLE = Question(key="role", type="job-title", label="What do you do?")
BY_HAND = Gate(key="guide", asset="guide", headline="The guide", questions=["size", "role"])
BY_VALUE = BY_HAND.model_copy(update={"planner": "value"})
GUIDE = Asset(key="guide", title="Guide", category="paper", file="guide.pdf")
EVEN = {"size": 0.5, "role": 0.5}


def asked(worths=EVEN, turnouts=(), seed="a browser", known=None, gate=BY_VALUE):
    grounds = Grounds(worths, dict(turnouts), seed)
    return choose(gate, [SIZE, ROLE], known or Known(addressed=True), grounds)


def share_of_size(**grounds):
    found = Counter(asked(seed=str(one), **grounds)[0].key for one in range(400))
    return found["size"] / 400


def test_the_order_of_the_marketer_holds_unless_a_gate_says_otherwise():
    question, because = asked(worths={"size": 0.2, "role": 1.0}, gate=BY_HAND)

    assert question.key == "size"
    assert because.as_kept() == {"planner": "order", "of": 2}


def test_what_is_worth_more_is_asked_first():
    assert share_of_size(worths={"size": 0.2, "role": 1.0}) < 0.05
    assert 0.4 < share_of_size() < 0.6


def test_a_question_that_puts_people_off_comes_later():
    off = {"size": Turnout(1000, 300, 100), "role": Turnout(1000, 700, 200)}

    assert share_of_size(turnouts=off) == 0


def test_a_question_that_was_seldom_asked_is_tried_now_and_then():
    seldom = {"size": Turnout(4, 2, 1), "role": Turnout(1000, 700, 200)}

    assert 0.05 < share_of_size(turnouts=seldom) < 0.6


@pytest.mark.parametrize("seed", ["one", "two", "three"])
def test_the_same_browser_is_asked_the_same_again(seed):
    assert asked(seed=seed) == asked(seed=seed)


def test_a_sensitive_question_is_expected_to_put_people_off():
    health = SIZE.model_copy(update={"sensitive": True})
    picked = Counter(
        choose(BY_VALUE, [health, ROLE], Known(), Grounds(EVEN, {}, str(one)))[0].key
        for one in range(400)
    )

    assert picked["role"] > 300


def test_what_a_question_says_is_expected_of_it_counts_before_anybody_was_asked():
    liked = SIZE.model_copy(update={"expected": 99})
    shy = ROLE.model_copy(update={"expected": 20})

    assert choose(BY_VALUE, [shy, liked], Known(), Grounds(EVEN))[0] is liked


def test_a_choice_by_value_says_by_what():
    because = asked(turnouts={"size": Turnout(1000, 900, 50)}, worths={"size": 1, "role": 0.2})[1]

    kept = because.as_kept()
    assert (kept["planner"], kept["of"], kept["over"], kept["shown"]) == ("value", 2, "role", 1000)
    assert kept["value"] == pytest.approx(kept["answered"] - kept["abandoned"], abs=0.002)
    assert "of 2 open questions it promises most: its answer is worth 1 of 1" in told(kept)


def test_the_budget_and_the_address_come_before_any_planner():
    grounds, done = Grounds(EVEN), Known(addressed=True, settled=1)

    stranger = plan(BY_VALUE, GUIDE, [SIZE, ROLE], [], Known(), NOON, grounds)
    served = plan(BY_VALUE, GUIDE, [SIZE, ROLE], [], done, NOON, grounds)
    assert (stranger.email, stranger.question, stranger.because) == (True, None, None)
    assert (served.question, served.because) == (None, None)


def test_what_is_closed_is_never_chosen_however_much_it_is_worth():
    answered = Known(addressed=True, answers={"role": ("Buyer", NOON - timedelta(days=1))})

    planned = plan(
        BY_VALUE, GUIDE, [SIZE, ROLE], [], answered, NOON, Grounds({"size": 0.2, "role": 1})
    )
    assert planned.question is SIZE
