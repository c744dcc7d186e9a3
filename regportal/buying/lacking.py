"""What would move a standing next: what an entry or an exit still lacks, and what time does."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from regportal.buying.compiled import Model, Quorum
from regportal.buying.conditions import Together
from regportal.buying.counting import Counted, CountedFilms, Leaf
from regportal.buying.facts import length
from regportal.buying.folding import gathered, reached
from regportal.buying.rules import Step, fold, tick
from regportal.buying.schema import Condition
from regportal.buying.standing import NEVER, Standing
from regportal.buying.vocabulary import LONGEST

FORESEEN = 2 * length(LONGEST)
"""How far ahead is looked: a silence and a stay that lie one after the other."""


@dataclass(frozen=True, slots=True)
class Lack:
    """A condition that does not hold though it should, or holds though it must not."""

    condition: Condition
    unwanted: bool = False
    have: int = 0
    """How many of those it counts are there."""
    until: int | None = None
    """Until when these count; of one about silence, until when it must last."""
    spent: int | None = None
    """Until when what was done is spent, where that leaves out something young enough."""
    seen: int = 0
    """How many percent were watched of the film of which most was, of those that lack some."""

    @property
    def steps(self) -> int:
        """Return how many things must happen at least."""
        if self.condition.event and not self.unwanted:
            return self.condition.count.at_least - self.have
        return 1


@dataclass(frozen=True, slots=True)
class Behind:
    """Not enough of the group have come as far, each for himself."""

    quorum: Quorum
    have: int

    @property
    def steps(self) -> int:
        """Return how much is missing."""
        return self.quorum.least - self.have


@dataclass(frozen=True, slots=True)
class Lacks:
    """Several: all of them must change, or any one, the nearest first."""

    how: str
    parts: "tuple[Missing, ...]"

    @property
    def steps(self) -> int:
        """Return how many things must happen at least."""
        steps = [part.steps for part in self.parts]
        return sum(steps) if self.how == "all" else min(steps)


Missing = Lack | Behind | Lacks


@dataclass(frozen=True, slots=True)
class Way:
    """A phase to which a standing may come, and what is missing."""

    phase: str
    missing: Missing


def ways_on(model: Model, standing: Standing, at: int) -> list[Way]:
    """Return what is missing for each later phase, the nearest first."""
    found = []
    for place in range(standing.phase + 1, len(model.names)):
        enter = model.enters[place]
        if enter is None:
            continue
        parts = [
            lacking(enter.root, standing, at, standing.epochs[place]),
            _behind(model.groups[place], standing, place),
        ]
        missing = _together("all", parts)
        if missing is not None:
            found.append(Way(model.names[place], missing))
    return sorted(found, key=lambda way: way.missing.steps)


def way_back(model: Model, standing: Standing, at: int) -> Way | None:
    """Return what is missing for the exit; None where there is none, or where it holds already."""
    here = standing.phase
    leave = model.exits[here]
    if leave is None:
        return None
    missing = lacking(leave.root, standing, at, standing.epochs[here])
    return None if missing is None else Way(model.names[model.falls[here]], missing)


def stays_until(model: Model, standing: Standing) -> int | None:
    """Return before when nothing takes a standing back; None where it may be at any time."""
    stay = model.stays[standing.phase]
    return standing.since + stay if stay and standing.since != NEVER else None


def by_time(
    model: Model, standing: Standing, at: int, people: Mapping[Any, Standing] | None = None
) -> tuple[int, Step] | None:
    """
    Return the next step that will be taken if nobody does anything, and when; None: none.

    ``people``: the standings of those with a part, who move by time as well. Nothing is changed.
    """
    until = at + FORESEEN
    alone = {
        who: [*tick(model, deepcopy(theirs), until)]
        for who, theirs in (people or {}).items()
        if who in standing.people
    }
    news = (fact for who, steps in alone.items() for fact in reached(who, steps, ()))
    _, steps = fold(model, gathered(news), until, standing=deepcopy(standing))
    return steps[0] if steps else None


# --- conditions ---


def lacking(
    part: Leaf | Together, standing: Standing, at: int, epoch: int, *, wanted: bool = True
) -> Missing | None:
    """
    Return what must change for a part to hold, or not to where it is not wanted; None: nothing.

    None of several is all of them not, and so on downwards: what comes out knows only all and any.
    """
    if part.holds(standing, at, epoch) is wanted:
        return None
    if isinstance(part, Leaf):
        return _lack(part, standing, at, epoch) if wanted else _too_much(part, standing, at, epoch)
    below = wanted is not (part.how == "none")
    how = "all" if wanted is not (part.how == "any") else "any"
    return _together(how, (lacking(each, standing, at, epoch, wanted=below) for each in part.parts))


def _together(how: str, parts: Iterable[Missing | None]) -> Missing | None:
    """Put together what is missing; one alone is what it is."""
    some = [part for part in parts if part is not None]
    flat = [
        one
        for part in some
        for one in (part.parts if isinstance(part, Lacks) and part.how == how else (part,))
    ]
    if how == "any":
        flat.sort(key=lambda part: part.steps)
    if len(flat) > 1:
        return Lacks(how, tuple(flat))
    return flat[0] if flat else None


def _lack(leaf: Leaf, standing: Standing, at: int, epoch: int) -> Lack:
    """Return what is missing of a condition that does not hold."""
    if isinstance(leaf, Counted):
        return _too_few(leaf, standing, at, epoch)
    until = leaf.flip(standing, at, epoch) if leaf.condition.quiet else None
    return Lack(leaf.condition, until=until)


def _too_few(leaf: Counted, standing: Standing, at: int, epoch: int) -> Lack:
    """Return how many are there, until when they count, and whether some are spent."""
    begin = at - leaf.window
    young = [[at for at in ring.times if at > begin] for ring in leaf.rings(standing)]
    fresh = max(([at for at in times if at > epoch] for times in young), key=_most, default=[])
    return Lack(
        leaf.condition,
        have=len(fresh),
        until=fresh[0] + leaf.window if fresh else None,
        spent=epoch if any(at <= epoch for times in young for at in times) else None,
        seen=leaf.furthest(standing, max(begin, epoch)) if isinstance(leaf, CountedFilms) else 0,
    )


def _most(times: list[int]) -> tuple[int, int]:
    """Return by what a contact is nearest: how often, and how lately he began."""
    return len(times), times[0] if times else NEVER


def _too_much(leaf: Leaf, standing: Standing, at: int, epoch: int) -> Lack:
    """Return until when a condition holds that must not."""
    until = leaf.flip(standing, at, epoch) if leaf.fades else None
    return Lack(leaf.condition, unwanted=True, until=until)


def _behind(quorum: Quorum | None, standing: Standing, place: int) -> Behind | None:
    """Return what the group lacks; a single contact is bound by none."""
    if quorum is None or standing.alone or quorum.holds(standing, place):
        return None
    return Behind(quorum, quorum.there(standing, place))
