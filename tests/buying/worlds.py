"""Small worlds at random: a rule document, and a log in which borders and coincidences abound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.buying.conditions import span
from tests.buying.log import (
    Answered,
    Closed,
    Described,
    Did,
    Merged,
    Owned,
    Reopened,
    RoleBegins,
    RoleEnds,
    Row,
    Scored,
    Staged,
)
from tests.buying.oracle import in_order
from tests.buying.random_rules import CATEGORIES, FOREIGN, OBJECTS, ROLES, STAGES, TYPES, model

START = datetime(2026, 3, 2, tzinfo=UTC)
PEOPLE = ("ann", "bob", "cyd")
PURCHASES = ("pump", "belt")
Log = Callable[[Random, dict[str, Any]], tuple[Row, ...]]
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class World:
    """Rules, and what happens to those who are under them."""

    model: dict[str, Any]
    log: tuple[Row, ...]


def foreign_log(random: Random, model: dict[str, Any]) -> tuple[Row, ...]:
    """Return a log as `regportal replay` reads it: each row has one time."""
    rows: list[Row] = []
    clock = Clock(random, model)
    people = PEOPLE[: random.randint(1, 3)]
    rows += [_deed_done(random, clock, people, n) for n in range(random.randint(5, 36))]
    rows += _again(random, rows, clock)
    for purchase in PURCHASES[: random.choice([1, 1, 2])]:
        rows += _parts(random, clock, purchase, people)
        if random.random() < 0.6:
            rows += _described(random, clock, purchase)
    return tuple(in_order(rows))


class Clock:
    """Times on a coarse grid, and often exactly where something begins or ends to count."""

    def __init__(self, random: Random, model: dict[str, Any]) -> None:
        self._random = random
        self._lengths = _lengths(model) or [timedelta(hours=6)]
        self._times = [START]
        self._few = random.choice([0, 0, 0, 0, 4, 12])
        """In some worlds everything happens at a few moments."""

    def __call__(self) -> datetime:
        """Return a time: near or on a border of an earlier one, or anywhere."""
        random = self._random
        if self._few:
            return START + timedelta(hours=12 * random.randrange(self._few))
        draw = random.random()
        if draw < 0.5:
            time = random.choice(self._times) + random.choice(self._lengths)
            time += random.choice([0, 0, 0, -1, 1]) * SECOND
        elif draw < 0.65:
            time = random.choice(self._times)
        else:
            time = START + timedelta(hours=6 * random.randrange(48))
        self._times.append(time)
        return time


def _lengths(tree: Any) -> list[timedelta]:
    """Return the lengths of time that a document speaks of."""
    if isinstance(tree, dict):
        words = ("within", "for", "min_stay")
        own = [span(tree[word]) for word in words if isinstance(tree.get(word), str)]
        return own + [length for value in tree.values() for length in _lengths(value)]
    if isinstance(tree, list):
        return [length for one in tree for length in _lengths(one)]
    return []


def _deed_done(random: Random, clock: Clock, people: Sequence[str], number: int) -> Did:
    """Return something done by one of these people."""
    deed = Did(
        at=clock(),
        id=f"i{number}",
        contact=random.choice(people),
        type=random.choice(TYPES),
        category=random.choice([*CATEGORIES, None]),
        object=random.choice(OBJECTS),
    )
    return _watched(random, deed) if deed.type == "video_watch" else deed


def _watched(random: Random, deed: Did) -> Did:
    """Return a deed with what was watched of a film of twelve seconds, or so."""
    cuts = sorted(random.sample(range(14), random.choice([2, 2, 4])))
    stretches = tuple(zip(cuts[::2], cuts[1::2], strict=True))
    length = random.choice([12, 12, 12, 12, 8, None])
    return replace(deed, watched=stretches, length=length)


def _again(random: Random, rows: Sequence[Row], clock: Clock) -> list[Row]:
    """Return what is told a second time, now or later, and says nothing new."""
    told = [row for row in rows if isinstance(row, Did) and random.random() < 0.1]
    return [replace(row, at=max(row.at, random.choice([row.at, clock()]))) for row in told]


def _parts(random: Random, clock: Clock, purchase: str, people: Sequence[str]) -> list[Row]:
    """Return who has a part in a purchase, from when until when."""
    rows: list[Row] = []
    for contact in people:
        if random.random() < 0.15:
            continue
        begins = START if random.random() < 0.5 else clock()
        for spell in range(random.choice([1, 1, 1, 2])):
            part = f"{purchase}-{contact}-{spell}"
            role = random.choice([*ROLES, None])
            rows.append(
                RoleBegins(at=begins, part=part, opportunity=purchase, contact=contact, role=role)
            )
            if spell == 0 and random.random() < 0.6:
                break
            ends = max(begins, clock())
            rows.append(RoleEnds(at=ends, part=part, opportunity=purchase))
            begins = ends + random.choice([-6, 0, 0, 12]) * timedelta(hours=1)
    return rows


def _described(random: Random, clock: Clock, purchase: str) -> list[Row]:
    """Return what the CRM says of a purchase: stages, endings and new beginnings."""
    times = sorted({clock() for _ in range(random.randint(1, 5))})
    rows: list[Row] = []
    closed, stage = False, STAGES[0]
    for at in times:
        if random.random() < (0.6 if closed else 0.35):
            closed = not closed
            change = Closed if closed else Reopened
            rows.append(change(at=at, opportunity=purchase))
        else:
            stage = random.choice([stage, stage, *STAGES])
            rows.append(Staged(at=at, opportunity=purchase, stage=stage))
    return rows


# --- what only our own log can tell ---


def told_log(random: Random, model: dict[str, Any]) -> tuple[Row, ...]:
    """Return a foreign log, and what became known of people besides."""
    clock = Clock(random, model)
    said = [row for contact in PEOPLE for row in _told_of(random, clock, contact)]
    return tuple(in_order([*foreign_log(random, model), *said]))


def own_log(random: Random, model: dict[str, Any]) -> tuple[Row, ...]:
    """Return a log with late rows, answers, claims that end, contacts that turn out to be one."""
    rows: list[Row] = []
    clock = Clock(random, model)
    for row in foreign_log(random, model):
        rows += _late(random, clock, row) if isinstance(row, Did) else [row]
    people = sorted({row.contact for row in rows if isinstance(row, Did) and row.contact})
    for contact in people:
        rows += _told_of(random, clock, contact)
    if len(people) > 1 and random.random() < 0.3:
        lost, kept = random.sample(people, 2)
        rows.append(Merged(at=clock(), lost=lost, kept=kept))
    return tuple(in_order(rows))


def _late(random: Random, clock: Clock, row: Did) -> list[Row]:
    """
    Return a deed that may be told late, be claimed at first, or be taken away in the end.

    Or be told before it happened, by a clock that is ahead.
    """
    is_claimed = random.random() < 0.1
    happened = random.choice([row.at] * 6 + [min(row.at, clock())] * 3 + [max(row.at, clock())])
    rows: list[Row] = [
        replace(row, contact=None if is_claimed else row.contact, occurred_at=happened)
    ]
    if is_claimed:
        whose = random.choice([row.contact, row.contact, None])
        rows.append(Owned(at=max(row.at, clock()), ids=(row.id,), contact=whose))
    if random.random() < 0.08:
        rows.append(Owned(at=max(rows[-1].at, clock()), ids=(row.id,), contact=None))
    return rows


def _told_of(random: Random, clock: Clock, contact: str) -> list[Row]:
    """Return what becomes known of somebody besides his deeds."""
    rows: list[Row] = [
        Answered(at=clock(), contact=contact, question="when", value=value)
        for value in random.choices(["soon", "later", "never"], k=random.randint(0, 2))
    ]
    if random.random() < 0.4:
        seats = random.choice([4, 10, 20])
        rows.append(Answered(at=clock(), contact=contact, question="seats", value=seats))
    if random.random() < 0.4:
        warmth = random.choice([5, 10, 25])
        rows.append(Scored(at=clock(), contact=contact, score="warmth", value=warmth))
    if random.random() < 0.3:
        where = random.choice(["soon", "later", "far"])
        rows.append(Described(at=clock(), contact=contact, field="country", value=where))
    return rows


def world(seed: int, leaves: Sequence[str] = FOREIGN, log: Log = foreign_log) -> World:
    """Return the world of this number, always the same."""
    random = Random(seed)
    rules = model(random, leaves)
    return World(rules, log(random, rules))
