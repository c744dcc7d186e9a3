"""What an answer is worth: how much it moves scores, and whether a phase asks for it."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from regportal.buying.schema import Buying
from regportal.buying.scores.schema import AnswerIs, Score, Trait
from regportal.forms.planner import WORTH
from regportal.forms.schema import Question
from regportal.store.documents import Published

SHARE = (1 - WORTH) / 2
"""What scores can add to it, and phases as much."""


@lru_cache(maxsize=8)
def worths(published: Published) -> Mapping[str, float]:
    """
    Return what an answer to each question is worth, from 0.2 to 1.

    Every answer is worth 0.2. Up to 0.4 more for scores: by how many points the answer moves them,
    against the question that moves them most. And 0.4 where a phase is entered or left by it.
    """
    questions = published.all(Question)
    moved = {
        one.key: sum(_moved(score, one) for score in published.all(Score)) for one in questions
    }
    most = max(moved.values(), default=0) or 1
    asked = {what for model in published.all(Buying) for what in _asked(model)}
    return {
        one.key: WORTH
        + SHARE * moved[one.key] / most
        + SHARE * bool({("answer", one.key), ("field", one.type)} & asked)
        for one in questions
    }


def _moved(score: Score, question: Question) -> int:
    """Return between how many points an answer decides."""
    traits = score.profile.points if score.profile else ()
    points = [trait.points for trait in traits if _is_about(trait, question)]
    return max([0, *points]) - min([0, *points])


def _is_about(trait: Trait, question: Question) -> bool:
    """Return whether a question's answer decides over these points."""
    asks = trait.asks
    if isinstance(asks, AnswerIs):
        return asks.question == question.key
    return _type_of(asks.name) == question.type


def _asked(model: Buying) -> Iterator[tuple[str, str]]:
    """Yield what the phases of a model ask for."""
    for condition in model.conditions():
        if condition.answer:
            yield "answer", condition.answer.question
        if condition.field:
            yield "field", _type_of(condition.field.name)


def _type_of(name: str) -> str:
    """
    Return the type of questions whose answers a standard name stands for.

    >>> _type_of("level"), _type_of("account.name"), _type_of("country")
    ('job-title', 'company', 'country')
    """
    return {"level": "job-title", "account.name": "company"}.get(name, name)
