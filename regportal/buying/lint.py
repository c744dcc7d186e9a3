"""What makes a buying model mislead, although everything in it is spelled right."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import product

from regportal.buying.english import in_words
from regportal.buying.schema import Buying, Condition, Enter, Phase, Prefix
from regportal.buying.vocabulary import COMBINED, Answer, Matched
from regportal.store.schema import span

Path = tuple[str | int, ...]
Chosen = frozenset[str] | Prefix | None
"""Which categories or objects count: those listed, those that begin so, or any."""
Literal = tuple[Condition, bool]
"""A single condition, and whether it must hold or must not."""
Way = tuple[Literal, ...]
"""One way of satisfying an entry or exit: everything in it together."""
MOST_WAYS = 128
"""More ways than these are not gone through: what can be seen only there is not seen."""
MOST_TOUCHED = 100
"""Conditions that one interaction may meet: each of them costs time whenever it happens."""
MOST_FILMED = 3
"""The same of those that ask how much of a film was watched: they look at all of its stretches."""


def lints(buying: Buying) -> Iterator[tuple[Path, str]]:
    """Yield every place of a model that could not work as it was meant, and why."""
    places = {phase.id: place for place, phase in enumerate(buying.phases)}
    for place, phase in enumerate(buying.phases):
        for below, says in _of_phase(buying, place, phase, places):
            yield ("phases", place, *below), says
    yield from _too_dear(buying)


def unreached(buying: Buying) -> Iterator[int]:
    """
    Yield the places of phases that no rule leads to: they have no entry, and nothing falls there.

    >>> phases = [{"id": "a"}, {"id": "b"}, {"id": "c", "enter": {"any": [{"event": "call"}]}}]
    >>> [*unreached(Buying.model_validate({"phases": phases}))]
    [1]
    >>> phases[2]["exit"] = {"any": [{"quiet": {"for": "30d"}}]}
    >>> [*unreached(Buying.model_validate({"phases": phases}))]
    []
    """
    places = {phase.id: place for place, phase in enumerate(buying.phases)}
    reached = {place for place, phase in enumerate(buying.phases) if place == 0 or phase.enter}
    for place in reversed(range(len(buying.phases))):  # falls lead down, from phases one is in
        phase = buying.phases[place]
        if place in reached and phase.exit:
            reached.add(places.get(phase.falls_to or "", place - 1))
    yield from sorted({*places.values()} - reached)


def _of_phase(
    buying: Buying, place: int, phase: Phase, places: dict[str, int]
) -> Iterator[tuple[Path, str]]:
    """Yield what does not hold of one phase."""
    if phase.enter:
        yield from _entry(buying, place, phase, phase.enter)
    elif phase.group:
        yield ("group",), "asks something of an entry, and there is none"
    if phase.exit:
        yield from _exit(buying, place, phase, phase.exit)
    if phase.falls_to is None:
        return
    target = places.get(phase.falls_to)
    if target is None:
        yield ("falls_to",), f"there is no phase called {phase.falls_to!r}"
    elif target >= place:
        yield ("falls_to",), f"{phase.falls_to!r} does not come before this phase: nobody falls up"
    elif phase.exit is None:
        yield ("falls_to",), "says where an exit leads, and there is none"


def _entry(buying: Buying, place: int, phase: Phase, enter: Enter) -> Iterator[tuple[Path, str]]:
    """Yield what does not hold of an entry."""
    if place == 0:
        yield ("enter",), "every opportunity begins in the first phase: it has no entry"
        return
    if not _is_earned(enter):
        yield (
            ("enter",),
            "can hold although nobody did anything: every way in needs an event or an answer",
        )
    ways = ways_of(enter)
    possible = [way for way in ways if not _is_contradictory(way)]
    if ways and not possible:
        yield ("enter",), "can never hold: it asks for something and for its opposite"
    rest = buying.phases[place + 1 :] if possible else ()
    later = next((one for one in rest if _is_shadow(phase, possible, one)), None)
    if later:
        yield (
            ("enter",),
            f"is never where it ends: {later.id!r} comes later and asks for no more",
        )
    outs = ways_of(phase.exit) if phase.exit else []
    if any(_entails(way, out) for way in possible for out in outs):
        yield ("exit",), "holds for whoever enters: one would be out again at once"


def _exit(buying: Buying, place: int, phase: Phase, leave: Enter) -> Iterator[tuple[Path, str]]:
    """Yield what does not hold of an exit."""
    if place == 0:
        yield ("exit",), "there is nothing before the first phase to fall back to"
    elif buying.forward_only:
        yield ("exit",), "never happens: the model is forward_only"
    ways = ways_of(leave)
    if ways and all(_is_contradictory(way) for way in ways):
        yield ("exit",), "can never hold: it asks for something and for its opposite"
    for path, condition in conditions_in(leave):
        if condition.quiet and span(condition.quiet.span) < phase.stay:
            says = f"is over before the phase may be left (min_stay: {phase.min_stay})"
            yield ("exit", *path), f"{in_words(condition.quiet.span)} {says}"


def _too_dear(buying: Buying) -> Iterator[tuple[Path, str]]:
    """Yield the interaction that meets so many conditions that each would be slow."""
    by_event: defaultdict[str, list[Condition]] = defaultdict(list)
    for condition in buying.conditions():
        if condition.event:
            by_event[condition.event].append(condition)
    for event, told in by_event.items():
        met = _most_met(told)
        if met > MOST_TOUCHED:
            says = f"one {event} could meet {met} conditions: at most {MOST_TOUCHED} may ask for it"
            yield ("phases",), says
        met = _most_met([condition for condition in told if condition.watched])
        if met > MOST_FILMED:
            says = f"one {event} could meet {met} conditions that ask how much was watched"
            yield ("phases",), f"{says}: at most {MOST_FILMED} may"


def _most_met(told: Sequence[Condition]) -> int:
    """Return how many of these conditions one interaction can meet at most, by what it is about."""
    return min(_most_named(told, chosen) for chosen in (_categories, _objects))


def _most_named(told: Sequence[Condition], chosen: Callable[[Condition], Chosen]) -> int:
    """Return how many of these conditions choose the same, or anything."""
    listed = [names for each in told if isinstance(names := chosen(each), frozenset)]
    often = Counter(name for names in listed for name in names)
    return len(told) - len(listed) + max(often.values(), default=0)


def conditions_in(group: Enter | Condition, path: Path = ()) -> Iterator[tuple[Path, Condition]]:
    """Yield every single condition and its place."""
    for how in COMBINED:
        for index, each in enumerate(getattr(group, how)):
            here = (*path, how, index)
            if each.kind:
                yield here, each
            else:
                yield from conditions_in(each, here)


def _is_earned(group: Enter | Condition) -> bool:
    """Return whether it holds only where somebody did or answered something."""
    if isinstance(group, Condition) and group.kind:
        return group.event is not None or group.answer is not None
    return any(_is_earned(each) for each in group.all) or (
        bool(group.any) and all(_is_earned(each) for each in group.any)
    )


# --- what follows from what ---


def ways_of(group: Enter | Condition, *, wanted: bool = True) -> list[Way]:
    """
    Return every way in which something holds (or does not hold), if they are not too many.

    >>> told = Enter(any=(Condition(event="call"), Condition(event="form")))
    >>> [len(way) for way in ways_of(told)], [len(way) for way in ways_of(told, wanted=False)]
    ([1, 1], [2])
    """
    if isinstance(group, Condition) and group.kind:
        return [((group, wanted),)]
    parts = []
    for how in COMBINED:
        told = getattr(group, how)
        below = [ways_of(each, wanted=wanted is not (how == "none")) for each in told]
        if below:
            parts.append(_either(below) if (how == "any") is wanted else _both(below))
    return _both(parts) if wanted else _either(parts)


def _either(parts: Sequence[list[Way]]) -> list[Way]:
    """Return the ways of any of these; none where they are too many."""
    found = [way for part in parts for way in part]
    return found if all(parts) and len(found) <= MOST_WAYS else []


def _both(parts: Sequence[list[Way]]) -> list[Way]:
    """Return the ways of all of these together; none where they are too many."""
    size = 1
    for part in parts:
        size *= len(part)
    if size > MOST_WAYS:
        return []
    return [sum(some, ()) for some in product(*parts)]


def _is_shadow(phase: Phase, ways: Sequence[Way], later: Phase) -> bool:
    """Return whether whoever enters a phase enters the later one at once."""
    asks_more = later.group and later.group.quorum != 1 and later.group != phase.group
    if later.enter is None or asks_more:
        return False
    others = ways_of(later.enter)
    return all(any(_entails(way, other) for other in others) for way in ways)


def _entails(way: Way, other: Way) -> bool:
    """Return whether the one way is never gone without the other."""
    return all(
        any(
            is_wanted is wanted and (implies(one, each) if wanted else implies(each, one))
            for one, is_wanted in way
        )
        for each, wanted in other
    )


def _is_contradictory(way: Way) -> bool:
    """Return whether a way asks for something and for its opposite."""
    needed = [one for one, wanted in way if wanted]
    return any(
        (not wanted and any(implies(need, other) for need in needed))
        or (wanted and any(_exclude(need, other) for need in needed))
        for other, wanted in way
    )


def _exclude(one: Condition, other: Condition) -> bool:
    """
    Return whether two conditions never hold together.

    >>> _exclude(Condition(event="call", within="7d"), Condition(quiet={"for": "30d"}))
    True
    """
    if one.event and other.quiet:
        return one.window <= span(other.quiet.span)
    if one.crm and other.crm and one.crm.stages and other.crm.stages:
        return one.crm.stages.isdisjoint(other.crm.stages)
    return False


def implies(one: Condition, other: Condition) -> bool:
    """
    Return whether the one condition never holds without the other.

    >>> often = Condition(event="call", count={"at_least": 3}, within="7d")
    >>> implies(often, Condition(event="call")), implies(Condition(event="call"), often)
    (True, False)
    """
    if one.kind != other.kind:
        return False
    if one.event:
        return _counts_less(one, other)
    if one.quiet and other.quiet:
        return span(one.quiet.span) >= span(other.quiet.span)
    if one.score and other.score:
        return one.score.name == other.score.name and one.score.at_least >= other.score.at_least
    return _is_known(one, other)


def _is_known(one: Condition, other: Condition) -> bool:
    """Return whether what is known where the one condition holds satisfies the other."""
    if one.answer and other.answer:
        return (
            one.answer.question == other.answer.question
            and _says_more(one.answer, other.answer)
            and _is_within(one.answer, other.answer)
            and _is_shorter(one.answer.within, other.answer.within)
        )
    if one.field and other.field:
        return one.field.name == other.field.name and _says_more(one.field, other.field)
    if one.crm and other.crm:
        is_as_late = _is_shorter(one.crm.within, other.crm.within)
        return is_as_late and _is_part(one.crm.stages, other.crm.stages)
    return one == other or bool(one.role and one.roles <= other.roles)


def _says_more(one: Matched, other: Matched) -> bool:
    """
    Return whether each value that will do here will do there, too.

    >>> german, anything = Matched(equals="DE"), Matched(known=True)
    >>> _says_more(german, anything), _says_more(anything, german)
    (True, False)
    """
    return other.wanted is None or (one.wanted is not None and one.wanted <= other.wanted)


def _is_within(one: Answer, other: Answer) -> bool:
    """Return whether each number that will do here will do there, too."""
    low, high = other.at_least, other.at_most
    return (low is None or (one.at_least is not None and one.at_least >= low)) and (
        high is None or (one.at_most is not None and one.at_most <= high)
    )


def _counts_less(one: Condition, other: Condition) -> bool:
    """Return whether whatever satisfies the one condition about events satisfies the other."""
    return (
        one.event == other.event
        and one.window <= other.window
        and one.count.at_least >= other.count.at_least
        and (one.share or 0) >= (other.share or 0)
        and (other.by in {"any_contact", one.by} or other.count.at_least == 1)
        and _is_part(_categories(one), _categories(other))
        and _is_part(_objects(one), _objects(other))
    )


def _categories(one: Condition) -> Chosen:
    """Return which categories count: those listed, those that begin so, or any."""
    return _chosen(one.where.category if one.where else None)


def _objects(one: Condition) -> Chosen:
    """Return which objects count."""
    return _chosen(one.where.object if one.where else None)


def _chosen(told: str | tuple[str, ...] | Prefix | None) -> Chosen:
    """Return what is listed as a set."""
    if told is None or isinstance(told, Prefix):
        return told
    return frozenset({told} if isinstance(told, str) else told)


def _is_part(one: Chosen, other: Chosen) -> bool:
    """Return whether everything that is chosen here is chosen there, too."""
    if other is None or one == other:
        return True
    if one is None:
        return False
    if isinstance(other, Prefix):
        names = {one.prefix} if isinstance(one, Prefix) else one
        return all(name.startswith(other.prefix) for name in names)
    return not isinstance(one, Prefix) and one <= other


def _is_shorter(one: str | None, other: str | None) -> bool:
    """Return whether a window is no longer than another; None is for ever."""
    return other is None or (one is not None and span(one) <= span(other))
