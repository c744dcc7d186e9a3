"""What holds at the end of a log, and since which row: the oracle's first step."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.buying.log import (
    Answered,
    Described,
    Did,
    Merged,
    Owned,
    RoleBegins,
    RoleEnds,
    Row,
    Scored,
    Staged,
)

Step = tuple[Row, ...]
"""Rows that have their effect together: one, or all parts that begin and end at one moment."""


@dataclass(frozen=True)
class Known:
    """Something that holds, whose it is, and at which step it was known to be his."""

    place: int
    contact: str
    fact: Any
    ended: int | None = None
    """Of a part: at which step it ended; its holder had others without a break."""


@dataclass
class Holding:
    """All that holds at the end of a log."""

    signs: list[Known] = field(default_factory=list)
    parts: list[Known] = field(default_factory=list)
    said: list[Known] = field(default_factory=list)
    """Answers, scores and fields."""
    stages: list[tuple[int, Staged]] = field(default_factory=list)

    def until(self, place: int) -> "Holding":
        """Return what of it was known, and how, after the step at this place."""
        parts = [known for known in self.parts if known.place <= place]
        return Holding(
            [known for known in self.signs if known.place <= place],
            [replace(one, ended=None) if (one.ended or 0) > place else one for one in parts],
            [known for known in self.said if known.place <= place],
            [(at, stage) for at, stage in self.stages if at <= place],
        )


def holding(steps: Sequence[Step]) -> Holding:
    """
    Return what holds at the end of a log: L 2.

    A sign is known to be somebody's since the row that told whose it is: it itself, or the last
    word on its owner. "Duplicate id: no effect."
    """
    held = Holding()
    met: set[Hashable] = set()
    for place, step in enumerate(steps):
        for row in step:
            _hear(held, row, place, met)
        _leave(held)
    held.signs = [sign for sign in held.signs if sign.contact]
    return held


def _hear(held: Holding, row: Row, place: int, met: set[Hashable]) -> None:
    """Let one row add to what holds, or change whose it is."""
    match row:
        case Did() if row.id not in met:
            met.add(row.id)
            held.signs.append(Known(place, row.contact or "", row))
        case Owned():
            held.signs = [
                Known(place, row.contact or "", sign.fact) if sign.fact.id in row.ids else sign
                for sign in held.signs
            ]
        case Answered() | Scored() | Described():
            held.said.append(Known(place, row.contact, row))
        case RoleBegins():
            held.parts.append(Known(place, row.contact, row))
        case RoleEnds():
            held.parts = [
                replace(part, ended=place) if part.fact.part == row.part else part
                for part in held.parts
            ]
        case Staged():
            held.stages.append((place, row))
        case Merged():
            held.signs = [_kept(known, row, place) for known in held.signs]
            held.parts = [_kept(known, row, place) for known in held.parts]
            held.said = [_kept(known, row, place) for known in held.said]


def _leave(held: Holding) -> None:
    """
    Let those go who have no part any more: "role removed".

    Who gets another role, or keeps one of two, has a part all the while: nothing of his goes.
    """
    staying = {(one.contact, one.fact.opportunity) for one in held.parts if one.ended is None}
    held.parts = [part for part in held.parts if (part.contact, part.fact.opportunity) in staying]


def _kept(known: Known, merge: Merged, place: int) -> Known:
    """Return this as it is known after a merge."""
    if known.contact != merge.lost:
        return known
    return replace(known, place=place, contact=merge.kept)
