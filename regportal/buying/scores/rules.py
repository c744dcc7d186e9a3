"""What must hold between a score and the other documents of a site."""

from collections.abc import Collection, Iterator
from typing import Protocol

from regportal.buying.scores.schema import AnswerIs, Deed, FieldIs, Score, Trait
from regportal.buying.vocabulary import Known
from regportal.forms.schema import Question

LEVELS = ("student", "assistant", "specialist", "manager", "director", "vp", "c-level")
"""How high somebody stands in a company, lowest first; levels.toml has the words for each."""
ADDRESSES = ("business", "free", "disposable")
"""Kinds of addresses: a company's own, one that anybody gets, one that is thrown away."""
OF_TYPE = ("country", "region", "company", "phone", "timeframe", "job-title")
"""Fields that are what was answered to any question of that type."""

Finds = Iterator[tuple[tuple[str | int, ...], str]]


class House(Protocol):
    """The other documents, as far as a score speaks of them."""

    def question(self, key: str) -> Question | None:
        """Return a question that is written without faults."""

    def no_question(self, key: str) -> str | None:
        """Say that there is no such question; None where there is one."""

    def no_category(self, event: str, category: str) -> str | None:
        """Say that nothing of this category can be what the event is about; None: it can."""

    def impossible(self, question: Question, value: str) -> str | None:
        """Say why nobody can answer a question so; None: somebody can."""

    def one_of(self, value: str, known: Collection[str]) -> str | None:
        """Say that a value is none of those there are; None: it is one."""

    def country(self, value: str) -> str | None:
        """Say that a value is no country's code; None: it is one."""


def check_score(score: Score, house: House) -> Finds:
    """Yield what can never happen, with its place in the score."""
    for index, trait in enumerate(score.profile.points if score.profile else ()):
        for below, says in _trait(trait, house):
            yield ("profile", "points", index, *below), says
    for index, group in enumerate(score.behaviour):
        for place, deed in enumerate(group.points):
            for below, says in _deed(deed, house):
                yield ("behaviour", index, "points", place, *below), says
    most = score.reachable()
    for name, at in score.thresholds.items():
        if at > most:
            says = f"nobody can reach {at}: all parts together give {most} at most"
            yield ("thresholds", name), says


def fields_asked(score: Score) -> set[str]:
    """Return the types of questions whose answers a score needs, whichever question asks."""
    traits = score.profile.points if score.profile else ()
    names = {trait.field.name for trait in traits if trait.field}
    return {"job-title" if name == "level" else name for name in names - {"address"}}


def _trait(trait: Trait, house: House) -> Finds:
    """Let a line of a profile ask for what can be known."""
    if trait.answer:
        for below, says in _answer(trait.answer, house):
            yield ("answer", *below), says
    elif trait.field:
        for below, says in check_field(trait.field, house):
            yield ("field", *below), says


def _answer(asks: AnswerIs, house: House) -> Finds:
    """Let a condition speak of a question there is, and of answers it can have."""
    says = house.no_question(asks.question)
    if says:
        yield ("question",), says
    question = house.question(asks.question)
    if question is None:
        return
    if question.sensitive:
        yield ("question",), f"{question.key!r} is sensitive: no score may count it"
    for path, value in _values(asks):
        fault = house.impossible(question, value)
        if fault:
            yield path, fault
    for name in ("at_least", "at_most"):
        if name in asks.tests and question.type != "number":
            yield (name,), f"{question.key!r} is not a question of type number"


def check_field(asks: FieldIs | Known, house: House) -> Finds:
    """Yield which values a condition asks for that a field cannot have."""
    known = {"level": LEVELS, "address": ADDRESSES}.get(asks.name)
    for path, value in _values(asks):
        fault = house.one_of(value, known) if known else None
        if asks.name == "country":
            fault = house.country(value)
        if fault:
            yield path, fault


def _values(asks: AnswerIs | FieldIs | Known) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield each value that is asked for, with its place."""
    if asks.equals is not None:
        yield ("equals",), asks.equals
    for index, value in enumerate(asks.values or ()):
        yield ("in", index), value


def _deed(deed: Deed, house: House) -> Finds:
    """Let a deed be of a category there is."""
    several = deed.where is not None and not isinstance(deed.where.category, str)
    for index, category in enumerate(deed.categories):
        says = house.no_category(deed.event, category)
        if says:
            yield ("where", "category", *((index,) if several else ())), says
