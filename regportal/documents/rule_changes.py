"""What is different in a buying model, phase by phase and condition by condition."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from regportal.buying.asking import Teller
from regportal.buying.schema import Condition
from regportal.buying.vocabulary import COMBINED
from regportal.store.words import N_

Phase = Mapping[str, Any]
"""A phase as it was written."""
TREES = ("enter", "exit")
PLAIN = Teller()


def rule_changes(
    before: Sequence[Phase], after: Sequence[Phase], teller: Teller = PLAIN
) -> Iterator[str]:
    """
    Yield in a line each what is different between the phases of two models.

    They may have faults: what cannot be said in words is shown as it is written.

    >>> call, form = {"event": "call", "within": "7d"}, {"event": "form", "within": "7d"}
    >>> old = [{"id": "cold"}, {"id": "warm", "enter": {"any": [call]}, "min_stay": "1d"}]
    >>> new = [{"id": "cold"}, {"id": "warm", "enter": {"any": [form]}}, {"id": "hot"}]
    >>> for line in rule_changes(old, new):
    ...     print(line)
    + hot: a new phase
    ~ warm: enter: - any: a call within 7 days
    ~ warm: enter: + any: a filled-in form within 7 days
    ~ warm: min_stay: 1d -> (nothing)
    >>> [*rule_changes(new[:1], [{"id": "cold", "enter": {"any": [{"event": "cal"}]}}])]
    ["~ cold: enter: + any: {'event': 'cal'}"]
    """
    says = teller.voice.says
    old, new = ({str(phase.get("id")): phase for phase in some} for some in (before, after))
    for name in old.keys() - new.keys():
        yield says(N_("- %(phase)s: is gone"), phase=name)
    for name, phase in new.items():
        if name not in old:
            yield says(N_("+ %(phase)s: a new phase"), phase=name)
            yield from (f"+ {name}: {line}" for line in _differences({}, phase, teller))
    for name in (name for name in new if name in old):
        yield from (f"~ {name}: {line}" for line in _differences(old[name], new[name], teller))
    stay = [name for name in old if name in new]
    if stay != [name for name in new if name in old]:
        order = ", ".join(new)
        yield says(N_("~ the phases stand in another order: %(order)s"), order=order)


def _differences(before: Phase, after: Phase, teller: Teller) -> Iterator[str]:
    """Yield what is different in a phase."""
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        if key == "id" or old == new:
            continue
        if key not in TREES:
            told = _plain(new, teller)
            yield f"{key}: {_plain(old, teller)} -> {told}" if before else f"{key}: {told}"
            continue
        gone, come = [*_conditions(old, teller)], [*_conditions(new, teller)]
        yield from (f"{key}: - {line}" for line in gone if line not in come)
        yield from (f"{key}: + {line}" for line in come if line not in gone)
        if [*dict.fromkeys(gone)] != [*dict.fromkeys(come)] and {*gone} == {*come}:
            yield f"{key}: {teller.voice.says(N_('the same in another order'))}"


def _conditions(tree: Any, teller: Teller) -> Iterator[str]:
    """Yield each condition of an entry or exit, in words."""
    told = tree if isinstance(tree, Mapping) else {}
    for how in COMBINED:
        listed = told.get(how)
        for each in listed if isinstance(listed, list | tuple) else ():
            yield f"{how}: {_in_words(each, teller)}"


def _in_words(told: Any, teller: Teller) -> str:
    """Return a condition in words; several put together in brackets."""
    below = [*_conditions(told, teller)]
    if below:
        return f"[{'; '.join(below)}]"
    try:
        return teller.asked(Condition.model_validate(told))
    except ValidationError:
        return str(told)


def _plain(value: Any, teller: Teller) -> str:
    """Return a value of a phase on one line."""
    if value is None:
        return teller.voice.says(N_("(nothing)"))
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(each, teller)}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
