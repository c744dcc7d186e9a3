"""Which way of an experiment a visitor meets: the same each time, and nothing is kept for it."""

from collections.abc import Collection
from functools import lru_cache
from hashlib import sha256

from regportal.forms.schema import Arm, Experiment, Gate, Question
from regportal.store.documents import Published

Arms = tuple[tuple[str, str], ...]
"""Experiment → the arm that somebody meets, by their keys."""
Stopped = Collection[tuple[str, int, str]]
"""Experiment, its version, and an arm that is no longer shown."""


@lru_cache(maxsize=8)
def running(published: Published) -> tuple[Experiment, ...]:
    """Return the experiments that run now."""
    return published.all(Experiment)


def at_gate(published: Published, gate: Gate) -> list[Experiment]:
    """Return the experiments that somebody meets at a gate."""
    return [
        one
        for one in running(published)
        if gate.key == one.gate or (one.question and one.question in gate.questions)
    ]


def arm_of(experiment: Experiment, visitor: str) -> Arm:
    """
    Return the arm that a visitor falls into: as many into each, and the same one each time.

    >>> arms = (Arm(key="usual"), Arm(key="short", label="Country?"))
    >>> both = Experiment(key="words", question="country", arms=arms)
    >>> arm_of(both, "a browser") is arm_of(both, "a browser")
    True
    """
    digest = sha256(f"{experiment.key} {visitor}".encode()).digest()
    return experiment.arms[int.from_bytes(digest[:8]) % len(experiment.arms)]


def arms_of(published: Published, gate: Gate, visitor: str, stopped: Stopped) -> Arms:
    """Return what a visitor meets at a gate; who falls into a stopped arm is in none."""
    met = [(one, arm_of(one, visitor)) for one in at_gate(published, gate)]
    return tuple(
        (one.key, arm.key)
        for one, arm in met
        if (one.key, published.version(Experiment, one.key), arm.key) not in stopped
    )


def question_in(published: Published, key: str, arms: Arms) -> Question:
    """Return a question in the words of these arms; raise NotHereError where there is none."""
    question = published.one(Question, key)
    for experiment, arm in _met(published, arms):
        if experiment.question == key:
            changed = {name: getattr(arm, name) for name in arm.changes}
            question = question.model_copy(update=changed)
    return question


def gate_in(published: Published, gate: Gate, arms: Arms) -> Gate:
    """Return a gate with the order of these arms."""
    for experiment, arm in _met(published, arms):
        if experiment.gate == gate.key:
            gate = gate.model_copy(update={name: getattr(arm, name) for name in arm.changes})
    return gate


def _met(published: Published, arms: Arms) -> list[tuple[Experiment, Arm]]:
    """Return experiments, each with its arm."""
    known = {one.key: one for one in running(published)}
    return [
        (known[experiment], arm)
        for experiment, name in arms
        if experiment in known
        for arm in known[experiment].arms
        if arm.key == name
    ]
