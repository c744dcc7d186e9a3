"""Where an opportunity or a contact stands: as little as is needed to go on from there."""

import json
from bisect import bisect_right
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

NEVER = -(2**62)
"""Before everything that ever happened."""


class Ring:
    """The newest signs of a kind: when each happened, and which it is."""

    __slots__ = ("ids", "times")

    def __init__(self, times: list[int] | None = None, ids: list[Hashable] | None = None) -> None:
        """Begin empty, or where another one ended."""
        self.times: list[int] = times or []
        self.ids: list[Hashable] = ids or []

    def add(self, at: int, sign: Hashable, size: int) -> bool:
        """
        Keep a sign if it is one of the ``size`` newest and is not there; return whether it is new.

        >>> ring = Ring()
        >>> [ring.add(at, name, 2) for at, name in [(5, "a"), (5, "a"), (9, "b"), (7, "c")]]
        [True, False, True, True]
        >>> ring.ids, ring.add(3, "d", 2)
        (['c', 'b'], False)
        """
        times, ids = self.times, self.ids
        if not times or at > times[-1]:
            times.append(at)
            ids.append(sign)
        else:
            if len(times) >= size and at <= times[0]:
                return False
            place = bisect_right(times, at)
            same = place
            while same and times[same - 1] == at:
                same -= 1
                if ids[same] == sign:
                    return False
            times.insert(place, at)
            ids.insert(place, sign)
        if len(times) > size:
            del times[0], ids[0]
        return True


class Faces(Ring):
    """The newest sign of each of the contacts who did something last."""

    __slots__ = ("whose",)

    def __init__(
        self,
        times: list[int] | None = None,
        ids: list[Hashable] | None = None,
        whose: list[Hashable] | None = None,
    ) -> None:
        """Begin empty, or where another one ended."""
        super().__init__(times, ids)
        self.whose: list[Hashable] = whose or []

    def add_of(self, at: int, sign: Hashable, contact: Hashable, size: int) -> bool:
        """
        Keep a contact's sign if it is the contact's newest, and among the ``size`` newest.

        >>> faces = Faces()
        >>> [faces.add_of(at, at, who, 2) for at, who in [(1, "ann"), (2, "ann"), (3, "bob")]]
        [True, True, True]
        >>> faces.add_of(4, 4, "cy", 2), faces.whose
        (True, ['bob', 'cy'])
        """
        times, ids, whose = self.times, self.ids, self.whose
        if contact in whose:
            place = whose.index(contact)
            if at <= times[place]:
                return False
            del times[place], ids[place], whose[place]
        elif len(times) >= size and at <= times[0]:
            return False
        place = bisect_right(times, at)
        times.insert(place, at)
        ids.insert(place, sign)
        whose.insert(place, contact)
        if len(times) > size:
            del times[0], ids[0], whose[0]
        return True


@dataclass(slots=True)
class Person:
    """A contact with a part: which parts, and how far he has come by himself."""

    roles: frozenset[str]
    phase: int = 0


@dataclass(slots=True)
class Standing:
    """
    Where one opportunity (or one contact) stands under one compiled model.

    It changes as it hears of facts. It is a cache: `rules.fold` makes it anew from the facts, and
    `written` and `read` take it to a row and back. Its size does not grow with the history.
    """

    phase: int
    since: int
    epochs: list[int]
    """By phase: what happened until then no longer counts for it, because it fell back."""
    rings: list[Any]
    last: int | None = None
    """When anybody did anything last."""
    wake_at: int | None = None
    """When to look again though nothing happens; never later than something could change."""
    frozen: bool = False
    alone: bool = False
    """Whether it is the standing of a single contact: no group binds him."""
    stage: str | None = None
    stage_since: int = NEVER
    answers: dict[str, dict[Hashable, tuple[tuple[str, ...], int]]] = field(default_factory=dict)
    """By question and contact what was answered last, and when."""
    scores: dict[str, dict[Hashable, float]] = field(default_factory=dict)
    fields: dict[str, dict[Hashable, str]] = field(default_factory=dict)
    people: dict[Hashable, Person] = field(default_factory=dict)
    ahead: list[tuple[int, Any]] = field(default_factory=list)
    """Signs of clocks that go before ours: they count when their moment comes."""


def written(standing: Standing, digest: str) -> str:
    """Return a standing as compact JSON, under the digest of the model it belongs to."""
    return json.dumps(
        {
            "rules": digest,
            "phase": standing.phase,
            "since": standing.since,
            "epochs": standing.epochs,
            "rings": [_ring_out(ring) for ring in standing.rings],
            "last": standing.last,
            "wake": standing.wake_at,
            "frozen": standing.frozen,
            "alone": standing.alone,
            "stage": [standing.stage, standing.stage_since],
            "answers": _pairs_out(standing.answers),
            "scores": _pairs_out(standing.scores),
            "fields": _pairs_out(standing.fields),
            "people": [
                [str(who), sorted(person.roles), person.phase]
                for who, person in standing.people.items()
            ],
            "ahead": [
                [at, [str(each) if each is not None else None for each in sign]]
                for at, sign in standing.ahead
            ],
        },
        separators=(",", ":"),
    )


def read(text: str, digest: str, key: Callable[[str], Hashable] = str) -> Standing | None:
    """
    Return a standing as it was written; None where it belongs to another model.

    ``key`` makes the ids of signs and contacts of their texts, as ``uuid.UUID``.
    """
    told = json.loads(text)
    if told["rules"] != digest:
        return None
    return Standing(
        phase=told["phase"],
        since=told["since"],
        epochs=told["epochs"],
        rings=[_ring_in(ring, key) for ring in told["rings"]],
        last=told["last"],
        wake_at=told["wake"],
        frozen=told["frozen"],
        alone=told["alone"],
        stage=told["stage"][0],
        stage_since=told["stage"][1],
        answers={
            question: {key(who): (tuple(values), at) for who, (values, at) in of.items()}
            for question, of in told["answers"].items()
        },
        scores=_pairs_in(told["scores"], key),
        fields=_pairs_in(told["fields"], key),
        people={key(who): Person(frozenset(roles), phase) for who, roles, phase in told["people"]},
        ahead=[(at, (key(sign[0]), key(sign[1]), *sign[2:])) for at, sign in told["ahead"]],
    )


def _ring_out(ring: Any) -> Any:
    """Return a ring as JSON has it: a list, or one by contact."""
    if ring is None:
        return None
    if isinstance(ring, dict):
        return {str(who): _ring_out(each) for who, each in ring.items()}
    out = [ring.times, [str(each) for each in ring.ids]]
    return [*out, [str(each) for each in ring.whose]] if isinstance(ring, Faces) else out


def _ring_in(told: Any, key: Callable[[str], Hashable]) -> Any:
    """Return a ring as it was."""
    if told is None:
        return None
    if isinstance(told, dict):
        return {key(who): _ring_in(each, key) for who, each in told.items()}
    times, *names = told
    kind = Faces if len(names) > 1 else Ring
    return kind(times, *([key(each) for each in some] for some in names))


def _pairs_out(told: dict[str, dict[Hashable, Any]]) -> dict[str, dict[str, Any]]:
    """Return what is known by name and contact, as JSON has it."""
    return {name: {str(who): value for who, value in of.items()} for name, of in told.items()}


def _pairs_in(told: Any, key: Callable[[str], Hashable]) -> dict[str, dict[Hashable, Any]]:
    """Return what is known by name and contact, as it was; what is an account's is nobody's."""
    return {
        name: {key(who) if who else "": value for who, value in of.items()}
        for name, of in told.items()
    }
