"""What an answer is worth, by the scores and phases that ask for it."""

import pytest

from regportal.buying.worth import worths
from regportal.store.documents import Published

QUESTIONS = [
    {"key": "country", "type": "country", "label": "Where?"},
    {"key": "size", "type": "number", "label": "How many?"},
    {"key": "role", "type": "job-title", "label": "What do you do?"},
    {"key": "colour", "type": "text", "label": "Which colour?"},
]
SCORE = {
    "key": "fit",
    "profile": {
        "points": [
            {"answer": {"question": "size", "at_least": 100}, "points": 30},
            {"answer": {"question": "size", "at_most": 5}, "points": -10},
            {"field": {"name": "level", "equals": "director"}, "points": 20},
        ]
    },
}
PHASES = {
    "key": "default",
    "phases": [
        {"id": "a"},
        {
            "id": "b",
            "enter": {
                "all": [
                    {"answer": {"question": "size", "at_least": 10}},
                    {"field": {"name": "country", "equals": "DE"}},
                ]
            },
        },
    ],
}


def worth_of(*others):
    rows = [("question", one["key"], 1, one) for one in QUESTIONS]
    return worths(Published(1, [*rows, *((kind, one["key"], 1, one) for kind, one in others)]))


def test_without_scores_and_phases_all_answers_are_worth_the_same():
    assert set(worth_of().values()) == {0.2}


def test_points_and_phases_make_an_answer_worth_more():
    found = worth_of(("score", SCORE), ("buying", PHASES))

    assert found == pytest.approx({"country": 0.6, "size": 1.0, "role": 0.4, "colour": 0.2})
