"""Rule documents at random: everything the vocabulary has, nested, in lengths that coincide."""

from collections.abc import Sequence
from random import Random
from typing import Any

TYPES = ("download", "download", "page_view", "page_view", "custom:fair", "video_watch")
CATEGORIES = ("paper", "price-list", "price-sheet")
OBJECTS = ("list-1", "list-2", "film")
SHARES = ("25%", "50%", "75%", "100%")
LENGTHS = ("12h", "1d", "2d", "3d", "5d")
ROLES = ("buyer", "user", "boss")
LEAVING = ("exit", "falls_to", "min_stay")
STAGES = ("open", "offer", "talks")
FOREIGN = ("event", "role", "crm", "quiet")
"""What a foreign log can tell (D 8): no answers, scores or fields."""
ALL = (*FOREIGN, "answer", "score", "field")


def model(random: Random, leaves: Sequence[str] = FOREIGN) -> dict[str, Any]:
    """Return a rule document: three to six phases, no two worlds alike."""
    count = random.randint(3, 6)
    phases = [_phase(random, number, leaves) for number in range(count)]
    if random.random() < 0.05:
        kept = [{k: v for k, v in phase.items() if k not in LEAVING} for phase in phases]
        return {"forward_only": True, "phases": kept}
    return {"phases": phases}


def _phase(random: Random, number: int, leaves: Sequence[str]) -> dict[str, Any]:
    """Return the phase of this number; everybody begins in the first."""
    phase: dict[str, Any] = {"id": f"p{number}"}
    if number == 0:
        return phase
    if random.random() < 0.93:
        phase["enter"] = _entry(random, leaves)
    if random.random() < 0.65:
        phase["exit"] = _exit(random, leaves)
        if random.random() < 0.3:
            phase["falls_to"] = f"p{random.randrange(number)}"
        if random.random() < 0.4:
            phase["min_stay"] = random.choice(LENGTHS)
    if "enter" in phase and random.random() < 0.3:
        phase["group"] = _group(random)
    return phase


def _group(random: Random) -> dict[str, Any]:
    """Return how many of a group must have come as far."""
    return random.choice(
        [
            {"quorum": 1},
            {"quorum": 2},
            {"any_role": random.sample(ROLES, random.randint(1, 2))},
            {"weighted": {"buyer": 3, "user": 1, "boss": 2}, "at_least": random.randint(1, 5)},
        ]
    )


def _entry(random: Random, leaves: Sequence[str]) -> dict[str, Any]:
    """Return conditions that no one meets who did nothing."""
    ways = [_deed(random, leaves) for _ in range(random.randint(1, 2))]
    shape = random.random()
    if shape < 0.4:
        return {"any": ways}
    extra = [_tree(random, leaves, 2) for _ in range(random.choice([0, 0, 1, 1, 2]))]
    if shape < 0.6:
        return {"all": [*ways, *extra]}
    if shape < 0.7:
        tree = {"any": [{"all": [one, *extra]} if extra else one for one in ways]}
    else:
        tree = {"all": ways}
    return tree | {"none": [_tree(random, leaves, 1) for _ in range(random.randint(1, 2))]}


def _exit(random: Random, leaves: Sequence[str]) -> dict[str, Any]:
    """Return conditions that silence, a deed or anything else may meet."""
    first = random.choice([_quiet, _deed, _leaf])
    ways = [first(random, leaves)]
    if random.random() < 0.4:
        ways.append(_tree(random, leaves, 2))
    tree: dict[str, Any] = {random.choice(["any", "any", "all"]): ways}
    if random.random() < 0.15:
        tree["none"] = [_leaf(random, leaves)]
    return tree


def _tree(random: Random, leaves: Sequence[str], depth: int) -> dict[str, Any]:
    """Return any condition, nested so deep at most."""
    if depth == 0 or random.random() < 0.5:
        return _leaf(random, leaves)
    some = [_tree(random, leaves, depth - 1) for _ in range(random.randint(1, 2))]
    return {random.choice(["all", "any", "none"]): some}


def _leaf(random: Random, leaves: Sequence[str]) -> dict[str, Any]:
    """Return one condition that is not made of others."""
    makers = {
        "event": _event,
        "quiet": _quiet,
        "role": lambda random, _: {"role": random.sample(ROLES, random.randint(1, 2))},
        "crm": _crm,
        "answer": _answer,
        "score": lambda random, _: {
            "score": {"name": "warmth", "at_least": random.choice([10, 20])}
        },
        "field": lambda random, _: {"field": {"name": "country", **_wanted(random)}},
    }
    return makers[random.choice([*leaves, "event"])](random, leaves)


def _deed(random: Random, leaves: Sequence[str]) -> dict[str, Any]:
    """Return what only a deed can meet: an event or an answer."""
    if "answer" in leaves and random.random() < 0.2:
        return {"answer": {"question": "when", **_wanted(random)}}
    return _event(random, leaves)


def _event(random: Random, _: Sequence[str]) -> dict[str, Any]:
    """Return a condition on what was done."""
    leaf: dict[str, Any] = {"event": random.choice(TYPES)}
    if leaf["event"] == "video_watch" and random.random() < 0.8:
        leaf["watched"] = random.choice(SHARES)
    where: dict[str, Any] = {}
    if random.random() < 0.3:
        where["category"] = random.choice(
            [random.choice(CATEGORIES), random.sample(CATEGORIES, 2), {"prefix": "price"}]
        )
    if random.random() < 0.12:
        where["object"] = random.choice([random.choice(OBJECTS), {"prefix": "list"}])
    if where:
        leaf["where"] = where
    leaf["count"] = {"at_least": random.choice([1, 1, 1, 2, 2, 3])}
    leaf["within"] = random.choice(LENGTHS)
    by = random.choice([*["any_contact"] * 3, "same_contact", "distinct_contacts"])
    if by != "any_contact" or random.random() < 0.2:
        leaf["by"] = by
    return leaf


def _quiet(random: Random, _: Sequence[str]) -> dict[str, Any]:
    """Return a condition that silence meets."""
    return {"quiet": {"for": random.choice(LENGTHS)}}


def _crm(random: Random, _: Sequence[str]) -> dict[str, Any]:
    """Return a condition on the seller's stage."""
    asked: dict[str, Any] = random.choice(
        [{"stage": random.choice(STAGES)}, {"stage": random.sample(STAGES, 2)}, {}]
    )
    if not asked or random.random() < 0.4:
        asked = asked | {"within": random.choice(LENGTHS)}
    return {"crm": asked}


def _answer(random: Random, _: Sequence[str]) -> dict[str, Any]:
    """Return a condition on an answer."""
    if random.random() < 0.3:
        number = random.choice([{"at_least": 10}, {"at_most": 20}, {"at_least": 5, "at_most": 15}])
        return {"answer": {"question": "seats", **number}}
    within = {"within": random.choice(LENGTHS)} if random.random() < 0.4 else {}
    return {"answer": {"question": "when", **_wanted(random), **within}}


def _wanted(random: Random) -> dict[str, Any]:
    """Return what an answer or a field is compared with."""
    return random.choice([{"equals": "soon"}, {"in": ["soon", "later"]}, {"known": True}])
