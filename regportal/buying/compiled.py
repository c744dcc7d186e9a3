"""A buying model made ready: which rules a fact can touch, and what each of them asks."""

import hashlib
import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from regportal.buying.conditions import Together, leaf_of
from regportal.buying.counting import Ask, Counted, Holds, Leaf, Met
from regportal.buying.facts import length
from regportal.buying.films import Films
from regportal.buying.schema import Buying, Condition, Enter, Group, Prefix, named
from regportal.buying.standing import Faces, Ring, Standing
from regportal.buying.vocabulary import COMBINED

REMEMBERED = 4096
"""Kinds of interactions whose conditions are known by heart."""
Fits = Callable[[str], bool]
"""Whether an object counts."""
LAYOUT = 1
"""How standings are laid out: with another number those that are kept are no good any more."""
HELD = 16
"""Models that are kept ready."""
FILMS = "films"
"""How what was watched is counted: shares of one film are asked of the same stretches."""


@dataclass(frozen=True, slots=True)
class Series:
    """One way of counting interactions, however many conditions count so."""

    event: str
    categories: frozenset[str] | None
    """None: whatever they are about."""
    begins: str | None
    """How the category begins."""
    objects: Ask | None
    by: str
    """Of whom, as a condition says; or ``FILMS``: what was watched, whoever must have done it."""

    @property
    def about(self) -> str:
        """Return which categories are counted."""
        if self.begins is not None:
            return f"{self.begins}…"
        return ", ".join(sorted(self.categories or ("anything",)))

    def takes(self, category: str | None) -> bool:
        """Return whether an interaction about this is counted."""
        if self.begins is not None:
            return category is not None and category.startswith(self.begins)
        return self.categories is None or category in self.categories


@dataclass(slots=True)
class Tree:
    """An entry or an exit, made ready."""

    root: Leaf | Together
    holds: Holds
    timers: tuple[Leaf, ...] = ()
    """Those by which the passing of time alone can make the whole true."""

    def met(self, standing: Standing, at: int, epoch: int) -> tuple[Met, ...]:
        """Return what makes it hold: each condition that is satisfied, with its evidence."""
        return tuple(self.root.met(standing, at, epoch))


@dataclass(slots=True)
class Quorum:
    """How much of the group must have come as far."""

    least: int
    weights: dict[str, int] | None = None
    """By role; None: everybody counts for one."""
    roles: frozenset[str] | None = None
    """Of which one is asked for; None: any."""

    def weight(self, roles: frozenset[str]) -> int:
        """Return how much somebody with these parts counts."""
        if self.weights is not None:
            return max((self.weights.get(role, 0) for role in roles), default=0)
        return 1 if self.roles is None or self.roles & roles else 0

    def holds(self, standing: Standing, phase: int) -> bool:
        """Return whether enough of the group is at this phase, or past it."""
        return self.there(standing, phase) >= self.least

    def there(self, standing: Standing, phase: int) -> int:
        """Return how much of the group is at this phase, or past it."""
        people = standing.people
        return sum(self.weight(people[who].roles) for who in self.those(standing, phase))

    def those(self, standing: Standing, phase: int) -> Iterator[Hashable]:
        """Yield who counts and is at this phase, or past it."""
        for who, person in standing.people.items():
            if person.phase >= phase and self.weight(person.roles):
                yield who


@dataclass(slots=True)
class Model:
    """A buying model, made ready; the same for every opportunity."""

    buying: Buying
    digest: str
    names: tuple[str, ...]
    series: list[Series] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    masks: list[int] = field(default_factory=list)
    """By series: a bit for each entry (2 x phase) and exit (2 x phase + 1) that counts it."""
    expiring: list[list[tuple[int, Leaf]]] = field(default_factory=list)
    """By series: conditions that must not hold, and whose they are (the bit's number)."""
    enters: list[Tree | None] = field(default_factory=list)
    exits: list[Tree | None] = field(default_factory=list)
    falls: list[int] = field(default_factory=list)
    stays: list[int] = field(default_factory=list)
    groups: list[Quorum | None] = field(default_factory=list)
    stirred: int = 0
    """The bits of those that anything at all that is done can make true."""
    quietest: list[int | None] = field(default_factory=list)
    """By phase: after how long a silence something could happen there."""
    _known: dict[tuple[str, str | None], tuple[tuple[int, ...], tuple[tuple[int, Fits], ...]]] = (
        field(default_factory=dict)
    )

    def group_of(self, standing: Standing) -> tuple[Hashable, ...]:
        """Return who of the group has come as far as its phase; nobody where none is asked for."""
        asked = None if standing.alone else self.groups[standing.phase]
        return () if asked is None else (*asked.those(standing, standing.phase),)

    @property
    def entry_bits(self) -> int:
        """Return the bits of all entries."""
        bits: int = (4 ** len(self.names) - 1) // 3
        return bits

    @property
    def exit_bits(self) -> int:
        """Return the bits of all exits."""
        return 2 * self.entry_bits

    def touched(self, event: str, category: str | None, thing: str) -> tuple[int, ...]:
        """Return the numbers of the series that count such an interaction."""
        found = self._known.get((event, category))
        if found is None:
            found = self._look(event, category)
        plain, asked = found
        if asked:
            return (*plain, *(number for number, fits in asked if fits(thing)))
        return plain

    def _look(
        self, event: str, category: str | None
    ) -> tuple[tuple[int, ...], tuple[tuple[int, Fits], ...]]:
        """Find out which series count such an interaction, and which only of some objects."""
        theirs = [
            (number, one)
            for number, one in enumerate(self.series)
            if one.event == event and one.takes(category)
        ]
        found = (
            tuple(number for number, one in theirs if one.objects is None),
            tuple((number, one.objects.fits) for number, one in theirs if one.objects is not None),
        )
        if len(self._known) < REMEMBERED:
            self._known[event, category] = found
        return found

    def add(
        self,
        number: int,
        rings: list[Any],
        at: int,
        sign: Hashable,
        who: Hashable,
        about: Sequence[Any],
    ) -> bool:
        """
        Count a sign in one of the series; return whether that made a difference.

        ``about``: its object, and what was watched where that is a film.
        """
        ring, by, size = rings[number], self.series[number].by, self.sizes[number]
        new: bool
        if by == "any_contact":
            if ring is None:
                ring = rings[number] = Ring()
            new = ring.add(at, sign, size)
            return new
        if by == "distinct_contacts":
            if ring is None:
                ring = rings[number] = Faces()
            new = ring.add_of(at, sign, who, size)
            return new
        if by == FILMS:
            if ring is None:
                ring = rings[number] = Films()
            new = ring.watch(who, *about, at, sign)
            return new
        if ring is None:
            ring = rings[number] = {}
        if who not in ring:
            ring[who] = Ring()
        new = ring[who].add(at, sign, size)
        return new

    def index(self, name: str) -> int:
        """Return the place of a phase; of one the model does not have (any more), the first."""
        return self.names.index(name) if name in self.names else 0


_held: dict[int, tuple[Buying, Model]] = {}


def compiled(buying: Buying) -> Model:
    """Return a model made ready; of the last few it is made only once."""
    found = _held.get(id(buying))
    if found is not None and found[0] is buying:
        return found[1]
    if len(_held) >= HELD:
        _held.clear()
    model = _Compiler(buying).model
    _held[id(buying)] = buying, model
    return model


def digest_of(buying: Buying) -> str:
    """
    Return what names the rules of a model: the SHA-256 of their canonical JSON.

    What people call things is no rule: a new label leaves every standing good.
    """
    told = buying.model_dump(
        mode="json",
        by_alias=True,
        exclude_defaults=True,
        exclude={"key": True, "model": True, "timezone": True, "phases": {"__all__": {"label"}}},
    )
    text = json.dumps([LAYOUT, told], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class _Compiler:
    """Makes one model ready."""

    def __init__(self, buying: Buying) -> None:
        self.model = Model(buying, digest_of(buying), tuple(each.id for each in buying.phases))
        self.numbers: dict[Series, int] = {}
        places = {phase.id: place for place, phase in enumerate(buying.phases)}
        for place, phase in enumerate(buying.phases):
            exit_ = None if buying.forward_only or place == 0 else phase.exit
            falls_to = places.get(phase.falls_to or "", place - 1)
            self.model.enters.append(self._tree(phase.enter, 2 * place))
            self.model.exits.append(self._tree(exit_, 2 * place + 1))
            self.model.falls.append(max(0, min(falls_to, place - 1)))
            self.model.stays.append(length(phase.stay))
            self.model.groups.append(quorum_of(phase.group))
        self.model.quietest = [self._quietest(place) for place in range(len(buying.phases))]

    def _quietest(self, place: int) -> int | None:
        """Return the shortest silence that could change something in a phase."""
        trees = [self.model.exits[place], *self.model.enters[place + 1 :]]
        spans = [
            leaf.span for tree in trees if tree for leaf in tree.timers if leaf.span is not None
        ]
        return min(spans, default=None)

    def _tree(self, told: Enter | None, bit: int) -> Tree | None:
        """Make an entry or an exit ready."""
        if told is None:
            return None
        timers: list[Leaf] = []
        root = self._part(told, bit, timers, unwanted=False)
        return Tree(root, root.holds, tuple(timers))

    def _part(
        self, told: Enter | Condition, bit: int, timers: list[Leaf], *, unwanted: bool
    ) -> Leaf | Together:
        """Make a condition ready, or several together, which may be ones that must not hold."""
        if isinstance(told, Condition) and told.kind is not None:
            return self._leaf(told, bit, timers, unwanted=unwanted)
        groups = []
        for how in COMBINED:
            parts = [
                self._part(each, bit, timers, unwanted=unwanted is not (how == "none"))
                for each in getattr(told, how)
            ]
            if parts:
                groups.append(Together(how, parts))
        return groups[0] if len(groups) == 1 else Together("all", groups)

    def _leaf(self, told: Condition, bit: int, timers: list[Leaf], *, unwanted: bool) -> Leaf:
        """Make a single condition ready, and note what can make it true."""
        leaf = leaf_of(told, self._number(told) if told.event else 0)
        if isinstance(leaf, Counted) and unwanted:
            self.model.expiring[leaf.number].append((bit, leaf))
        elif isinstance(leaf, Counted):
            self.model.masks[leaf.number] |= 1 << bit
        if told.quiet and unwanted:
            self.model.stirred |= 1 << bit
        if leaf.fades is unwanted:
            timers.append(leaf)
        return leaf

    def _number(self, told: Condition) -> int:
        """Return the series in which a condition counts; a new one where there is none."""
        series = series_of(told)
        number = self.numbers.get(series)
        if number is None:
            number = self.numbers[series] = len(self.model.series)
            self.model.series.append(series)
            self.model.sizes.append(0)
            self.model.masks.append(0)
            self.model.expiring.append([])
        self.model.sizes[number] = max(self.model.sizes[number], told.count.at_least)
        return number


def series_of(told: Condition) -> Series:
    """Return how a condition counts."""
    category = told.where.category if told.where else None
    thing = told.where.object if told.where else None
    return Series(
        event=str(told.event),
        categories=frozenset(told.categories) or None,
        begins=category.prefix if isinstance(category, Prefix) else None,
        objects=None if thing is None else Ask.of(thing),
        by=FILMS if told.watched else "any_contact" if told.count.at_least == 1 else told.by,
    )


def quorum_of(told: Group | None) -> Quorum | None:
    """Return what is asked of the group; None where the signs of all together are enough."""
    if told is None or told.quorum == 1:
        return None
    if told.weighted is not None:
        return Quorum(told.at_least or 1, {named(k): v for k, v in told.weighted.items()})
    if told.any_role is not None:
        return Quorum(1, roles=frozenset(named(each) for each in told.any_role))
    return Quorum(told.quorum or 1)
