"""
Whether a condition holds at a moment: the oracle's second step.

It reads the rule document itself, a plain dict. What the letters before a number mean stands in
oracle.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from tests.buying.holding import Holding, Known
from tests.buying.log import Answered, Described, Scored, Staged

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "mo": 30 * 86400}
Rules = Mapping[str, Any]
Subject = tuple[str, str]
"""("opportunity", its name) or ("contact", his name): L 1."""


@dataclass
class View:
    """What holds for one subject at one moment, and what conditions may ask of it."""

    now: datetime
    signs: list[Known]
    said: list[Known]
    roles: list[tuple[str, str | None]]
    """Who has a part, and as what."""
    stages: list[Staged]
    personal: Mapping[str, int]
    """How far each contact has come by his own signs: L 5."""
    is_opportunity: bool


def view(held: Holding, subject: Subject, now: datetime, personal: Mapping[str, int]) -> View:
    """
    Return what a subject's rules look at.

    L 1: the signs of all who have a part, or his own. D 7: a role added today counts what the
    contact did before. L 2 says when each became known; ``held`` has nothing later than that.
    """
    kind, name = subject
    parts = [part for part in held.parts if (kind, part.fact.opportunity) == ("opportunity", name)]
    people = {part.contact for part in parts} if kind == "opportunity" else {name}
    return View(
        now,
        [known for known in held.signs if known.contact in people],
        [known for known in held.said if known.contact in people],
        [(part.contact, part.fact.role) for part in parts if part.ended is None],
        [stage for _, stage in held.stages if kind == "opportunity" and stage.opportunity == name],
        personal,
        kind == "opportunity",
    )


def span(text: str) -> timedelta:
    """Return how long "45d" is."""
    digits = text.rstrip("smhdo")
    return timedelta(seconds=int(digits) * UNITS[text.removeprefix(digits)])


def holds(tree: Rules, sees: View, epoch: datetime) -> bool:
    """
    Return whether a condition holds: M 1.2, L 6. What stands side by side must all hold.

    ``epoch`` is that of the phase the condition belongs to: L 3.
    """
    checks = {
        "all": lambda some: all(holds(one, sees, epoch) for one in some),
        "any": lambda some: any(holds(one, sees, epoch) for one in some),
        "none": lambda some: not any(holds(one, sees, epoch) for one in some),
        "event": lambda _: _happened(tree, sees, epoch),
        "quiet": lambda quiet: _is_quiet(span(quiet["for"]), sees),
        "answer": lambda answer: _was_answered(answer, sees, epoch),
        "score": lambda score: _scores(score, sees),
        "field": lambda asked: _is_described(asked, sees),
        "crm": lambda crm: _is_staged(crm, sees),
        "role": lambda wanted: any(role in _listed(wanted) for _, role in sees.roles),
    }
    return all(checks[word](tree[word]) for word in tree if word in checks and tree[word])


def _listed(value: Any) -> Sequence[Any]:
    """Return "where values are exact or list" (M 1.2) as a list."""
    return value if isinstance(value, list | tuple) else [value]


def _happened(leaf: Rules, sees: View, epoch: datetime) -> bool:
    """
    M 1.3: "an event at time s counts at time t iff t-W < s <= t".

    L 3: "and newer than epoch[phase] (occurred_at > epoch)". "`by: any_contact` (default) |
    `same_contact` (some one contact reaches N alone) | `distinct_contacts` (N different ones)".
    """
    window = span(leaf.get("within") or "730d")
    count = (leaf.get("count") or {}).get("at_least", 1)
    matching = [
        sign
        for sign in sees.signs
        if sign.fact.type == leaf["event"]
        and all(_fits(getattr(sign.fact, name), value) for name, value in _wheres(leaf))
        and sign.fact.when <= sees.now
    ]
    young = [one for one in matching if one.fact.when > max(epoch, sees.now - window)]
    who = [one.contact for one in young]
    if leaf.get("watched"):
        who = [contact for contact, _ in _seen_enough(leaf["watched"], young, matching)]
    match leaf.get("by") or "any_contact":
        case "any_contact":
            return len(who) >= count
        case "same_contact":
            return any(who.count(one) >= count for one in who)
        case "distinct_contacts":
            return len(set(who)) >= count
    raise ValueError(leaf["by"])


def _seen_enough(
    share: str, young: Sequence[Known], matching: Sequence[Known]
) -> set[tuple[str, str]]:
    """
    Return who has watched so much of which film, all the seconds he saw of it put together.

    How long a film is says whoever told it last, however long ago: "a film counts once for each
    person".
    """
    films = {(one.contact, one.fact.object) for one in young}
    found = set()
    for film in films:
        told = [one.fact for one in matching if (one.contact, one.fact.object) == film]
        lengths = [(fact.when, fact.length) for fact in told if fact.length]
        length = max(lengths)[1] if lengths else 0
        mine = [one.fact for one in young if (one.contact, one.fact.object) == film]
        seconds = {at for fact in mine for start, end in fact.watched for at in range(start, end)}
        seen = len(seconds & {*range(length)})
        if length and 100 * seen >= int(share.removesuffix("%")) * length:
            found.add(film)
    return found


def _wheres(leaf: Rules) -> list[tuple[str, Any]]:
    """Return what must be true of an event for it to count."""
    return [(name, value) for name, value in (leaf.get("where") or {}).items() if value]


def _fits(value: str | None, wanted: Any) -> bool:
    """M 1.2: "`where` values are exact or list; optional `prefix`"."""
    if isinstance(wanted, Mapping):
        return value is not None and value.startswith(wanted["prefix"])
    return value in _listed(wanted)


def _is_quiet(spell: timedelta, sees: View) -> bool:
    """
    M 1.2: "no event of any kind for 30 days". It is over exactly at the last one + 30 days.

    An answer is something that somebody did, too: it breaks the silence.
    """
    answers = [known.fact.at for known in sees.said if isinstance(known.fact, Answered)]
    times = [*answers, *(sign.fact.when for sign in sees.signs)]
    return not any(sees.now - spell < time <= sees.now for time in times)


def _was_answered(leaf: Rules, sees: View, epoch: datetime) -> bool:
    """
    M 1.2: "`answer` (equals/in/known/number range/answered within)"; the newest of each contact.

    An answer is spent like a click (M 1.3: "re-climbing needs a newer event", 1.2: "at least one
    positive event/answer"), or what enters by an answer and leaves by silence would never end.
    """
    newest = {
        known.contact: known.fact
        for known in sorted(sees.said, key=lambda known: (known.fact.at, known.place))
        if isinstance(known.fact, Answered) and known.fact.question == leaf["question"]
    }
    fresh = [answer for answer in newest.values() if answer.at > epoch]
    return any(_answers(answer, leaf, sees.now) for answer in fresh)


def _answers(answer: Answered, leaf: Rules, now: datetime) -> bool:
    """Return whether this answer is one that was asked for."""
    checks = {
        "equals": lambda wanted: answer.value == wanted,
        "in": lambda wanted: answer.value in wanted,
        "at_least": lambda least: float(answer.value) >= least,
        "at_most": lambda most: float(answer.value) <= most,
        "within": lambda window: now - span(window) < answer.at <= now,
    }
    asked = [word for word in checks if leaf.get(word) is not None]
    return all(checks[word](leaf[word]) for word in asked)


def _scores(leaf: Rules, sees: View) -> bool:
    """M 1.2: "`score`: name, at_least": that of one contact is high enough."""
    newest = {
        known.contact: known.fact.value
        for known in sorted(sees.said, key=attrgetter("place"))
        if isinstance(known.fact, Scored) and known.fact.score == leaf["name"]
    }
    return any(value >= leaf["at_least"] for value in newest.values())


def _is_described(leaf: Rules, sees: View) -> bool:
    """M 1.2, L 6: "`field` (contact/account standard field: equals/in/known)"."""
    newest = {
        known.contact: known.fact.value
        for known in sorted(sees.said, key=attrgetter("place"))
        if isinstance(known.fact, Described) and known.fact.field == leaf["name"]
    }
    wanted = leaf.get("in") or ([leaf["equals"]] if leaf.get("equals") else None)
    return any(wanted is None or value in wanted for value in newest.values())


def _is_staged(leaf: Rules, sees: View) -> bool:
    """M 1.2, L 6: "`crm` (stage is/in, changed within)"; only an opportunity has a stage."""
    if not sees.stages:
        return False
    now = sees.stages[-1].stage
    since = sees.stages[-1].at
    for stage in reversed(sees.stages):  # a stage said again has not changed
        if stage.stage != now:
            break
        since = stage.at
    wanted = _listed(leaf.get("stage") or now)
    window = leaf.get("within")
    return now in wanted and (window is None or sees.now - span(window) < since <= sees.now)


def lengths(tree: Any) -> set[timedelta]:
    """Return every length of time that conditions speak of."""
    if isinstance(tree, Mapping):
        own = {span(tree[w]) for w in ("within", "for") if tree.get(w)}
        default = {span("730d")} if "event" in tree else set()
        return own | default | {length for value in tree.values() for length in lengths(value)}
    if isinstance(tree, list | tuple):
        return {length for one in tree for length in lengths(one)}
    return set()
