"""What an editor does to a model: conditions and phases come, go, and stand in another order."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from regportal.buying.vocabulary import COMBINED
from regportal.documents.keys import free_key
from regportal.documents.rule_controls import Body, begun
from regportal.errors import BadRequestError
from regportal.store.words import N_

NOT_THERE = N_("This part is not there any more. Please look at the page again.")
STEP = re.compile(r"\.(any|all|none)\[([0-9]{1,3})\]")
MOVES = {"up": -1, "down": 1}


def part_done(phase: Mapping[str, Any], deed: str) -> Body:
    """
    Return a phase in which a part came, went or moved, as a button says it.

    Raises BadRequestError where there is no such part.

    >>> phase = {"id": "warm", "enter": {"any": [{"event": "call"}, {"event": "form"}]}}
    >>> part_done(phase, "up:enter.any[1]")["enter"]
    {'any': [{'event': 'form'}, {'event': 'call'}]}
    >>> part_done(phase, "remove:enter.any[0]")["enter"]
    {'any': [{'event': 'form'}]}
    >>> part_done(phase, "add:exit")["exit"]
    {'any': [{'quiet': {'for': '30d'}}]}
    """
    new = deepcopy(dict(phase))
    verb, _, path = deed.partition(":")
    root = path.partition(".")[0]
    if root not in {"enter", "exit"}:
        raise BadRequestError(NOT_THERE)
    if verb == "add":
        tree = new.setdefault(root, {})
        is_none = path.endswith(".none")
        for name, place in STEP.findall(path):
            tree = _listed(tree, name)[_place(tree, name, place)]
        how = "none" if is_none else "all" if tree.get("all") else "any"
        tree.setdefault(how, []).append(begun("quiet" if root == "exit" else "event"))
        return new
    steps = STEP.findall(path)
    if verb not in {"remove", *MOVES} or not steps or root not in new:
        raise BadRequestError(NOT_THERE)
    tree = new[root]
    for name, place in steps[:-1]:
        tree = _listed(tree, name)[_place(tree, name, place)]
    name, place = steps[-1]
    listed, at = _listed(tree, name), _place(tree, name, place)
    if verb == "remove":
        del listed[at]
        return _pruned(new, root)
    _swap(listed, at, MOVES[verb])
    return new


def _listed(tree: Any, name: str) -> list[Any]:
    """Return the conditions of a list; what stood under any may stand under all by now."""
    told = tree if isinstance(tree, dict) else {}
    other = {"any": "all", "all": "any"}.get(name, name)
    found = told.get(name) or told.get(other)
    if not isinstance(found, list):
        raise BadRequestError(NOT_THERE)
    return found


def _place(tree: Any, name: str, place: str) -> int:
    """Return a place of a list; raise BadRequestError where nothing stands there."""
    at = int(place)
    if at >= len(_listed(tree, name)):
        raise BadRequestError(NOT_THERE)
    return at


def _pruned(phase: Body, root: str) -> Body:
    """Leave out lists in which nothing stands any more, and what put them together."""
    tree = _filled(phase[root])
    rest = {name: value for name, value in phase.items() if name != root}
    return {**rest, root: tree} if tree else rest


def _filled(tree: Any) -> Any:
    """Return a tree without lists of nothing."""
    if not isinstance(tree, dict) or not any(how in tree for how in COMBINED):
        return tree
    lists = {
        how: [one for one in map(_filled, tree[how]) if one] for how in COMBINED if how in tree
    }
    return {how: told for how, told in lists.items() if told}


def phases_done(phases: Sequence[Mapping[str, Any]], deed: str, label: str = "") -> list[Body]:
    """
    Return phases of which one came, went or moved, as a button says it.

    Raises BadRequestError where there is no such phase.

    >>> [one["id"] for one in phases_done([{"id": "cold"}], "add", "Comparing suppliers")]
    ['cold', 'comparing-suppliers']
    >>> [one["id"] for one in phases_done([{"id": "cold"}, {"id": "warm"}], "down:0")]
    ['warm', 'cold']
    """
    new = [deepcopy(dict(phase)) for phase in phases]
    verb, _, place = deed.partition(":")
    if verb == "add":
        key = free_key(label, {str(phase.get("id")) for phase in phases}, "phase")
        return [*new, {"id": key, "label": label, "enter": {"any": [begun("event")]}}]
    if not re.fullmatch(r"[0-9]{1,3}", place) or int(place) >= len(new):
        raise BadRequestError(NOT_THERE)
    if verb == "remove":
        del new[int(place)]
        return new
    if verb not in MOVES:
        raise BadRequestError(NOT_THERE)
    _swap(new, int(place), MOVES[verb])
    return new


def _swap(listed: list[Any], place: int, by: int) -> None:
    """Let two neighbours change places; at an end nothing happens."""
    other = place + by
    if 0 <= other < len(listed):
        listed[place], listed[other] = listed[other], listed[place]
