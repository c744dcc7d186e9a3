"""
What became known of people and of an opportunity, put in order for the engine.

A *life* is all that holds of one person, a *deal* all that holds of one opportunity: values, read
from wherever they are kept (`buying/past.py`, or the files of a replay). The lines made of them are
what `rules.fold` reads; so the present standing is, by definition, the fold of what holds now.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from regportal.buying.compiled import Model
from regportal.buying.facts import Fact, Joined, Reached
from regportal.buying.rules import Step, fold
from regportal.buying.standing import Standing

Place = tuple[int, int]
"""A moment, and a place among what happened then: how far people came by time alone is before (-1)
whatever became known at that moment."""
Line = tuple[int, Sequence[Fact]]


class Known(NamedTuple):
    """A fact, and from when until when it was known (microseconds; until None: it still is)."""

    fact: Fact
    since: int
    until: int | None = None

    def holds(self, at: int) -> bool:
        """Return whether it was known at a moment."""
        return self.since <= at and (self.until is None or at < self.until)


class Role(NamedTuple):
    """One role of a person in an opportunity, in [since, until)."""

    name: str | None
    since: int
    until: int | None

    def holds(self, at: int) -> bool:
        """Return whether the person has it at a moment."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(slots=True)
class Deal:
    """An opportunity: what the seller did, and who has a part."""

    told: Sequence[Known] = ()
    parts: Mapping[Hashable, Sequence[Role]] = field(default_factory=dict)
    """By person every role he ever had."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a person at a moment, and how far it led him by himself."""

    facts: Sequence[tuple[Place, Fact]]
    """In the order in which it became known, with each phase he reached."""
    standing: Standing


def past_of(model: Model, who: Hashable, life: Iterable[Known], at: int) -> Past:
    """Return the past of a person as it is known at a moment."""
    held = [known for known in life if known.holds(at)]
    lines = gathered(((known.since, 0), known.fact) for known in held)
    standing, steps = fold(model, lines, at, alone=True)
    facts = [((known.since, 0), known.fact) for known in held]
    return Past([*facts, *reached(who, steps, {known.since for known in held})], standing)


def reached(
    who: Hashable, steps: Iterable[tuple[int, Step]], moments: Iterable[int]
) -> Iterator[tuple[Place, Fact]]:
    """
    Yield each phase that somebody reached by himself.

    ``moments`` are those at which something became known of him: other steps are time's alone.
    """
    known = frozenset(moments)
    for at, step in steps:
        yield (at, 0 if at in known else -1), Reached(who, step.to)


def fold_deal(
    model: Model, deal: Deal, pasts: Mapping[Hashable, Past], at: int
) -> tuple[Standing, list[tuple[int, Step]]]:
    """Return where an opportunity stands by all that holds at a moment, and the way there."""
    return fold(model, lines_of(deal, pasts, at), at)


def lines_of(deal: Deal, pasts: Mapping[Hashable, Past], at: int) -> list[Line]:
    """
    Return what an opportunity hears, in the order in which it became known.

    Of who has a part it hears everything; what he did before his part began, when it does.
    """
    facts: list[tuple[Place, Fact]] = [
        ((known.since, 0), known.fact) for known in deal.told if known.holds(at)
    ]
    for who, roles in deal.parts.items():
        for since, names in spell_of(roles, at):
            facts.append(((since, 0), Joined(who, names)))
        if any(role.holds(at) for role in roles):
            begun = (next(iter(spell_of(roles, at)))[0], 0)
            facts += heard_since(begun, pasts[who].facts)
    return gathered(facts)


def heard_since(begun: Place, facts: Sequence[tuple[Place, Fact]]) -> Iterator[tuple[Place, Fact]]:
    """
    Yield what is heard of somebody whose part began then, and when: what he did before, with it.

    Of the phases he had reached by himself before it only the last.
    """
    before = [fact for place, fact in facts if place <= begun]
    yield from ((begun, fact) for fact in before if not isinstance(fact, Reached))
    yield from [(begun, fact) for fact in before if isinstance(fact, Reached)][-1:]
    yield from ((place, fact) for place, fact in facts if place > begun)


def spell_of(roles: Sequence[Role], at: int) -> Iterator[tuple[int, frozenset[str]]]:
    """
    Yield since when somebody has had a part without a gap, with which roles, and each change.

    Nothing where he has none at the moment.

    >>> roles = [Role("user", 1, 3), Role("buyer", 5, 7), Role("decider", 7, None)]
    >>> [*spell_of(roles, 6)], [*spell_of(roles, 4)]
    ([(5, frozenset({'buyer'}))], [])
    >>> [at for at, _ in spell_of(roles, 9)]
    [5, 7]
    """
    known = [role for role in roles if role.since <= at and role.until != role.since]
    begun = min((role.since for role in known if role.holds(at)), default=None)
    if begun is None:
        return
    for role in sorted(known, key=lambda one: one.since, reverse=True):
        if role.since < begun and (role.until is None or role.until >= begun):
            begun = role.since
    changes = {begun, *(end for role in known for end in (role.since, role.until) if end)}
    before: frozenset[str] | None = None
    for change in sorted(one for one in changes if begun <= one <= at):
        now = frozenset(role.name for role in known if role.name and role.holds(change))
        if now != before:
            yield change, now
        before = now


def gathered(facts: Iterable[tuple[Place, Fact]]) -> list[Line]:
    """Return facts as lines, oldest first: what became known at one moment is one line."""
    lines: defaultdict[Place, list[Fact]] = defaultdict(list)
    for place, fact in facts:
        lines[place].append(fact)
    return [(place[0], told) for place, told in sorted(lines.items(), key=itemgetter(0))]
