"""The smallest world in which something is still wrong: what is left is the reason."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from tests.buying.log import RoleBegins
from tests.buying.worlds import START, World


def smallest(world: World, is_wrong: Callable[[World], bool]) -> World:
    """Return a world in which nothing can be left out without the wrong going away."""
    while found := next((each for each in _smaller(world) if is_wrong(each)), None):
        world = found
    return world


def _smaller(world: World) -> Iterator[World]:
    """Yield this world with one thing left out, the largest things first."""
    for place, row in enumerate(world.log):
        part = row.part if isinstance(row, RoleBegins) else None
        rest = world.log[:place] + world.log[place + 1 :]
        kept = [one for one in rest if part is None or getattr(one, "part", None) != part]
        yield World(world.model, tuple(kept))
    phases = world.model["phases"]
    for number in range(1, len(phases)):
        rest = deepcopy(phases[:number] + phases[number + 1 :])
        for phase in rest:
            if phase.get("falls_to") == phases[number]["id"]:
                del phase["falls_to"]
        yield World({"phases": rest}, world.log)
    for tree in _with_less(world.model):
        yield World(tree, world.log)


def _with_less(tree: Any) -> Iterator[Any]:
    """Yield a document with one key, or one of several conditions, left out."""
    if isinstance(tree, dict):
        for key in tree:
            if key not in {"id", "phases", "event", "within", "count", "for", "question", "name"}:
                yield {word: value for word, value in tree.items() if word != key}
            for less in _with_less(tree[key]):
                yield tree | {key: less}
    if isinstance(tree, list):
        for place, one in enumerate(tree):
            if len(tree) > 1 and not (isinstance(one, dict) and "id" in one):
                yield tree[:place] + tree[place + 1 :]
            for less in _with_less(one):
                yield [*tree[:place], less, *tree[place + 1 :]]


def told(world: World) -> str:
    """Return a world as a person reads it, times as days after the beginning."""
    lines = [str(phase) for phase in world.model["phases"]]
    for row in world.log:
        named = [
            f"{name}={value!r}"
            for name, value in vars(row).items()
            if name != "at" and value is not None
        ]
        day = (row.at - START).total_seconds() / 86400
        lines.append(f"day {day:.6g}: {type(row).__name__} {', '.join(named)}")
    return "\n".join(lines)
