"""The way of one opportunity as it would have been, under any rules."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from regportal.buying.compiled import Model
from regportal.buying.facts import Closed, Reopened
from regportal.buying.folding import Deal, Known, fold_deal, past_of
from regportal.buying.standing import NEVER

Lives = Mapping[Hashable, Sequence[Known]]


class Turn(NamedTuple):
    """A move that would have been made."""

    at: int
    came_from: str
    to: str


def turns_of(model: Model, deal: Deal, lives: Lives, until: int) -> list[Turn]:
    """
    Return every move an opportunity would have made until a moment, as of when it would have.

    As the worker does it: where something is taken away (a part that ends, a denial, a verdict) the
    phase is worked out anew from what still holds, and where it is another one, that is one move
    at that moment. While the opportunity is closed, nothing moves it.
    """
    turns: list[Turn] = []
    here = model.names[0]
    for first, last in _spans(deal, lives, until):
        pasts = {who: past_of(model, who, life, last) for who, life in lives.items()}
        standing, steps = fold_deal(model, deal, pasts, last)
        stood = next((step.to for at, step in reversed(steps) if at <= first), model.names[0])
        if stood != here:
            turns.append(Turn(first, here, stood))
        turns += [Turn(at, step.came_from, step.to) for at, step in steps if at > first]
        here = model.names[standing.phase]
    return turns


def _spans(deal: Deal, lives: Lives, until: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last moment of each time in which it was open and nothing was taken."""
    ends = {known.until for life in lives.values() for known in life}
    ends |= {role.until for roles in deal.parts.values() for role in roles}
    for first, last in open_spells(deal.told, until):
        cuts = sorted(end for end in ends if end is not None and first < end <= last)
        yield from zip([first, *cuts], [*(cut - 1 for cut in cuts), last], strict=True)


def open_spells(told: Sequence[Known], until: int) -> list[tuple[int, int]]:
    """
    Return from when until when an opportunity was open, as far as a moment.

    >>> told = [Known(Closed(), 3), Known(Reopened(), 5), Known(Closed(), 9)]
    >>> [spell[1] for spell in open_spells(told, 7)], open_spells(told, 9)[1:]
    ([3, 7], [(5, 9)])
    """
    spells: list[tuple[int, int]] = []
    since: int | None = NEVER
    for known in told:
        if known.since > until:
            break
        if since is not None and isinstance(known.fact, Closed):
            spells.append((since, known.since))
            since = None
        elif since is None and isinstance(known.fact, Reopened):
            since = known.since
    return spells if since is None else [*spells, (since, until)]


def closed_at(told: Sequence[Known], until: int | None = None) -> int | None:
    """
    Return when an opportunity was closed that is closed at a moment, or now; None: it is open.

    >>> told = [Known(Closed(), 3), Known(Reopened(), 5), Known(Closed(), 9)]
    >>> [closed_at(told, until) for until in (2, 4, 7, 9)]
    [None, 3, None, 9]
    """
    known = [
        one
        for one in told
        if (until is None or one.since <= until) and isinstance(one.fact, Closed | Reopened)
    ]
    return known[-1].since if known and isinstance(known[-1].fact, Closed) else None
