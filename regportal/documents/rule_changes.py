"""What is different in a buying model, phase by phase and condition by condition."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from regportal.buying.asking import Teller
from regportal.buying.schema import Condition
from regportal.buying.vocabulary import COMBINED

Phase = Mapping[str, Any]
"""A phase as it was written."""
TREES = ("enter", "exit")


def rule_changes(before: Sequence[Phase], after: Sequence[Phase]) -> Iterator[str]:
    """
    Yield in a line each what is different between the phases of two models.

    >>> call, form = {"event": "call", "within": "7d"}, {"event": "form", "within": "7d"}
    >>> old = [{"id": "cold"}, {"id": "warm", "enter": {"any": [call]}, "min_stay": "1d"}]
    >>> new = [{"id": "cold"}, {"id": "warm", "enter": {"any": [form]}}, {"id": "hot"}]
    >>> for line in rule_changes(old, new):
    ...     print(line)
    + hot: a new phase
    ~ warm: enter: - any: a call within 7 days
    ~ warm: enter: + any: a filled-in form within 7 days
    ~ warm: min_stay: 1d -> (nothing)
    """
    old, new = ({phase["id"]: phase for phase in phases} for phases in (before, after))
    for name in old.keys() - new.keys():
        yield f"- {name}: is gone"
    for name, phase in new.items():
        if name not in old:
            yield f"+ {name}: a new phase"
            yield from (f"+ {name}: {line}" for line in _differences({}, phase))
    for name in (name for name in new if name in old):
        yield from (f"~ {name}: {line}" for line in _differences(old[name], new[name]))
    stay = [name for name in old if name in new]
    if stay != [name for name in new if name in old]:
        yield f"~ the phases stand in another order: {', '.join(new)}"


def _differences(before: Phase, after: Phase) -> Iterator[str]:
    """Yield what is different in a phase."""
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        if key == "id" or old == new:
            continue
        if key not in TREES:
            yield f"{key}: {_plain(old)} -> {_plain(new)}" if before else f"{key}: {_plain(new)}"
            continue
        gone, come = [*_conditions(old or {})], [*_conditions(new or {})]
        yield from (f"{key}: - {line}" for line in gone if line not in come)
        yield from (f"{key}: + {line}" for line in come if line not in gone)
        if [*dict.fromkeys(gone)] != [*dict.fromkeys(come)] and {*gone} == {*come}:
            yield f"{key}: the same in another order"


def _conditions(tree: Mapping[str, Any]) -> Iterator[str]:
    """Yield each condition of an entry or exit, in words."""
    for how in COMBINED:
        for each in tree.get(how, ()):
            yield f"{how}: {_in_words(each)}"


def _in_words(told: Mapping[str, Any]) -> str:
    """Return a condition in words; several put together in brackets."""
    below = [*_conditions(told)]
    return f"[{'; '.join(below)}]" if below else Teller().asked(Condition.model_validate(told))


def _plain(value: Any) -> str:
    """Return a value of a phase on one line."""
    if value is None:
        return "(nothing)"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(each)}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
