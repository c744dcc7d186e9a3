"""A phase as an editor shows it: line by line, each with its sentence and its faults."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from regportal.buying.asking import Teller
from regportal.buying.schema import Buying, Condition
from regportal.buying.vocabulary import COMBINED
from regportal.documents.drafts import FieldFault
from regportal.documents.rule_controls import SEVERAL, controls, kind_of
from regportal.documents.rule_sent import Sent

PHASE = re.compile(r"phases\[([0-9]+)\](?:\.|$)")
PART = re.compile(r"(?:enter|exit)(?:\.(?:any|all|none)\[[0-9]+\])*|[a-z_]+")
Faults = Mapping[str, Sequence[str]]
"""By the path of a part what is wrong with it, a sentence each."""


@dataclass(frozen=True, slots=True)
class Line:
    """One condition."""

    path: str
    kind: str
    says: str
    """What it asks for; empty where that cannot be said, or others stand below it."""
    faults: Sequence[str]
    values: Sent
    below: "Block | None" = None

    def text(self, name: str) -> str:
        """Return what stands in a control of it."""
        return self.values.text(f"{self.path}.{name}")

    def listed(self, name: str) -> list[str]:
        """Return what is ticked in a list of it."""
        return self.values.listed(f"{self.path}.{name}")


@dataclass(frozen=True, slots=True)
class Block:
    """The conditions of an entry, an exit, or of a condition that puts others together."""

    path: str
    how: str
    """``any`` or ``all`` of the first ones."""
    lines: Sequence[Line]
    none: Sequence[Line]
    faults: Sequence[str]


def is_model(body: Mapping[str, Any]) -> bool:
    """Return whether a body can be read as a model: in shape, whatever else is wrong with it."""
    try:
        Buying.model_validate(body)
    except ValidationError:
        return False
    return True


def faults_of(found: Iterable[FieldFault]) -> tuple[list[str], dict[int, dict[str, list[str]]]]:
    """
    Return what is wrong with a model as a whole, and by phase and part what is wrong there.

    >>> one = FieldFault(("buying", "default"), "phases[1].enter.any[0].within", "is too long")
    >>> faults_of([one, FieldFault(None, "", "cannot be read")])
    (['cannot be read'], {1: {'enter.any[0]': ['is too long']}})
    """
    whole: list[str] = []
    parts: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for fault in found:
        place = PHASE.match(fault.field)
        if place is None:
            whole.append(fault.says if not fault.field else f"{fault.field}: {fault.says}")
            continue
        rest = PART.match(fault.field, place.end())
        parts[int(place[1])][rest[0] if rest else ""].append(fault.says)
    return whole, {place: dict(told) for place, told in parts.items()}


def block_of(tree: Any, path: str, faults: Faults, teller: Teller) -> Block:
    """Return the conditions below a path, in the order in which they are written."""
    told = tree if isinstance(tree, Mapping) else {}
    lines: dict[str, list[Line]] = {
        how: [
            _line(each, f"{path}.{how}[{place}]", faults, teller)
            for place, each in enumerate(_several(told.get(how)))
        ]
        for how in COMBINED
    }
    how = "all" if lines["all"] and not lines["any"] else "any"
    return Block(path, how, [*lines["any"], *lines["all"]], lines["none"], faults.get(path, ()))


def _several(told: Any) -> Sequence[Any]:
    """Return a list; nothing where there is none."""
    return told if isinstance(told, list | tuple) else ()


def _line(told: Any, path: str, faults: Faults, teller: Teller) -> Line:
    """Return one condition."""
    condition: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    kind = kind_of(condition)
    if kind == SEVERAL:
        below = block_of(condition, path, faults, teller)
        return Line(path, kind, "", below.faults, Sent(()), below)
    values = Sent(controls(condition, path))
    return Line(path, kind, sentence_of(condition, teller), faults.get(path, ()), values)


def sentence_of(condition: Mapping[str, Any], teller: Teller) -> str:
    """Return what a condition asks for; empty where it cannot be read."""
    try:
        return teller.asked(Condition.model_validate(condition))
    except ValidationError:
        return ""
