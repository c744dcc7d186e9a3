"""What a gate asks and gives must be there, and what an experiment compares as well."""

from collections.abc import Iterator, Sequence

from regportal.documents.house import Finds, House
from regportal.documents.sentences import shown, there_is_no
from regportal.forms.schema import Experiment, Gate


def gate_faults(gate: Gate, house: House) -> Finds:
    """Let a gate give, ask and offer what there is, each once."""
    if ("asset", gate.asset) not in house.named:
        yield ("asset",), there_is_no("asset", gate.asset, house.keys("asset"))
    yield from _references("questions", "question", gate.questions, house)
    yield from _references("newsletters", "newsletter", gate.newsletters, house)
    for index, says in _asked_later(gate.questions, house):
        yield ("questions", index), says


def experiment_faults(experiment: Experiment, house: House) -> Finds:
    """Let an experiment be about what there is and no other is about, in each order all of it."""
    for kind, key in (("question", experiment.question), ("gate", experiment.gate)):
        if key is None:
            continue
        if (kind, key) not in house.named:
            yield (kind,), there_is_no(kind, key, house.keys(kind))
        for other in _before(experiment, house):
            if getattr(other, kind) == key:
                yield (kind,), f"the experiment {shown(other.key)} is about {shown(key)} already"
    gate = house.documents.get(("gate", experiment.gate or ""))
    if isinstance(gate, Gate):
        yield from _orders(experiment, gate, house)


def _before(experiment: Experiment, house: House) -> Iterator[Experiment]:
    """Yield the experiments that are written before this one."""
    for other in house.documents.values():
        if other is experiment:
            return
        if isinstance(other, Experiment):
            yield other


def _orders(experiment: Experiment, gate: Gate, house: House) -> Finds:
    """Yield what is wrong with the orders in which a gate's questions are asked."""
    for place, arm in enumerate(experiment.arms):
        if arm.questions is None:
            continue
        if sorted(arm.questions) != sorted(gate.questions):
            says = f"must be the questions of {shown(gate.key)}, in another order"
            yield ("arms", place, "questions"), says
        for index, says in _asked_later(arm.questions, house):
            yield ("arms", place, "questions", index), says


def _asked_later(keys: Sequence[str], house: House) -> Iterator[tuple[int, str]]:
    """Yield the questions that depend on one that is asked later."""
    for index, key in enumerate(keys):
        question = house.question(key)
        before = question.when.answer.question if question and question.when else None
        if before in keys[index + 1 :]:
            yield index, f"{shown(key)} depends on {shown(str(before))}, which is asked later"


def _references(field: str, kind: str, keys: Sequence[str], house: House) -> Finds:
    """Yield what is listed twice, or is not there."""
    for index, key in enumerate(keys):
        if (kind, key) not in house.named:
            yield (field, index), there_is_no(kind, key, house.keys(kind))
        elif key in keys[:index]:
            yield (field, index), f"{shown(key)} is listed twice"
