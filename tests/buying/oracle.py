"""
The buying phases exactly as the texts tell them, as slowly as it takes to be obviously right.

This is no part of the product. It was written apart from the engine, from the texts alone, so
that the two can be compared. There are no indexes, no rings and no clever waiting: after every
row of the log, and at every moment at which time alone could change anything, all facts that
hold are looked at and the phase is decided anew. It reads the rule document itself, a plain
dict, so that a misreading there shows, too.

Beside each function stands what it says in code: "M 1.3" is the method's section on semantics,
"D 4" and "D 8" are the sections of the design, "L 2" is the second of the decisions on phases:

- L 1: a subject is an opportunity (the signs of all who have a part) or one contact (his own).
- L 2: a standing is the fold over what holds now, in the order in which it became known.
- L 3: when a sign counts for a condition. L 4: settling. L 5: groups. L 6: the vocabulary.

Where the texts leave it open, it is read so:

- The epoch of a phase holds for its exit as for its entry, and for answers as for events; what
  happens in the very second of a fall is not newer than it.
- An answer breaks a silence. A silence is over as a window is: exactly at the last sign + 30 days.
- Who has a part without a break leaves nothing behind when his role changes; parts that begin and
  end at one moment do so together.
- What is taken away while a purchase is closed moves nothing; it counts at the next fold.
- What puts off an exit is judged anew when `min_stay` ends. Reopening keeps `entered_at`.
- The first stage the CRM tells is a change of stage; the same one told again is none.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.buying.conditions import Rules, Subject, View, holds, lengths, span, view
from tests.buying.holding import Holding, Step, holding
from tests.buying.log import (
    Closed,
    Did,
    Merged,
    Reopened,
    RoleBegins,
    RoleEnds,
    Row,
    Staged,
)

EVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Move:
    """A change of phase, and what kind of fact brought it about."""

    subject: Subject
    come_from: str
    to: str
    at: datetime
    cause: str


@dataclass
class Standing:
    """M 1.3: "State per opportunity: (phase i, entered_at, epoch[0..P-1])"; frozen: "Terminal"."""

    phase: int
    epoch: list[datetime]
    entered_at: datetime = EVER
    frozen: bool = False


# --- settling ---


def enters(model: Rules, j: int, sees: View, epoch: datetime) -> bool:
    """L 5: "union must satisfy `enter` AND" what the phase asks of the group."""
    phase = model["phases"][j]
    if not phase.get("enter") or not holds(phase["enter"], sees, epoch):
        return False
    return not sees.is_opportunity or _group(phase.get("group") or {}, j, sees)


def _group(group: Rules, j: int, sees: View) -> bool:
    """
    L 5: "`quorum: k` = at least k distinct contacts with a part whose *personal* phase is at or
    past this one; `any_role` = one such contact with one of these roles; `weighted` + `at_least`
    = sum of weights of such contacts >= x"; "unless quorum is 1".
    """
    such = [(who, role) for who, role in sees.roles if sees.personal.get(who, 0) >= j]
    if group.get("quorum", 1) > 1 and len({who for who, _ in such}) < group["quorum"]:
        return False
    if group.get("any_role") and not any(role in group["any_role"] for _, role in such):
        return False
    if group.get("weighted"):
        weights = group["weighted"]
        best = {who: max(weights.get(r, 0) for w, r in such if w == who) for who, _ in such}
        return sum(best.values()) >= group["at_least"]
    return True


def settle(model: Rules, standing: Standing, sees: View) -> None:
    """
    M 1.3, literally. L 4: "net change only per settle (one move from first to last)".

    "exit true before min_stay is deferred to entered_at + min_stay"; who left and came back in
    one settling entered anew.
    """
    if standing.frozen:
        return
    while (to := _step(model, standing, sees)) is not None:
        if to < standing.phase:  # "old clicks are spent"
            for later in range(to + 1, len(standing.epoch)):
                standing.epoch[later] = sees.now
        standing.phase, standing.entered_at = to, sees.now


def _step(model: Rules, standing: Standing, sees: View) -> int | None:
    """
    Return the furthest later phase that may be entered, else where one falls to, else None.

    M 1.3: "backward only through exit/expiry"; "`forward_only: true` available per model".
    """
    i = standing.phase
    for j in reversed(range(i + 1, len(model["phases"]))):
        if enters(model, j, sees, standing.epoch[j]):
            return j
    phase = model["phases"][i]
    has_stayed = sees.now >= standing.entered_at + span(phase.get("min_stay") or "0d")
    if model.get("forward_only") or not phase.get("exit"):
        return None
    if has_stayed and holds(phase["exit"], sees, standing.epoch[i]):
        return falls_to(model, i)
    return None


def falls_to(model: Rules, i: int) -> int | None:
    """M 1.2: "falls_to: … default: the previous phase"."""
    named = model["phases"][i].get("falls_to")
    if named is None:
        return i - 1 if i else None
    return [phase["id"] for phase in model["phases"]].index(named)


# --- time ---


@dataclass
class World:
    """Where everybody stands, and all that is needed to see it change."""

    model: Rules
    standings: dict[Subject, Standing]
    lengths: set[timedelta]
    now: datetime = EVER

    def moments(self, held: Holding) -> set[datetime]:
        """
        Return every moment at which time alone could change anything: M 1.4, L 4.

        Each fact's time + each length of time the rules speak of, and the end of each min_stay.
        """
        times = {sign.fact.when for sign in held.signs}
        times |= {known.fact.at for known in held.said} | {stage.at for _, stage in held.stages}
        ends = {time + length for time in times for length in self.lengths}
        for standing in self.standings.values():
            min_stay = self.model["phases"][standing.phase].get("min_stay")
            if min_stay and standing.entered_at > EVER:
                ends.add(standing.entered_at + span(min_stay))
        return ends | times  # what is dated ahead of its arrival begins to count by itself

    def settle_all(self, held: Holding) -> None:
        """Decide anew for everybody: people first, for the groups look at them (L 5)."""
        for subject in sorted(self.standings):  # "contact" comes before "opportunity"
            personal = {
                name: one.phase for (kind, name), one in self.standings.items() if kind == "contact"
            }
            settle(self.model, self.standings[subject], view(held, subject, self.now, personal))

    def let_time_pass(self, held: Holding, until: datetime) -> Iterator[None]:
        """Go through every moment up to ``until``; D 8: "timers due at t fire before rows at t"."""
        while due := [t for t in self.moments(held) if self.now < t <= until]:
            self.now = min(due)
            self.settle_all(held)
            yield

    def hear(self, step: Step, held: Holding) -> None:
        """
        Let one step, by now part of ``held``, have its effect, and settle.

        M 1.3: "CRM closed won/lost freezes the phase; `reopened` clears epochs". L 4: "to the
        moment of reopening (old clicks are spent)".
        """
        row = step[0]
        self.now = row.at
        if isinstance(row, Closed | Reopened):
            standing = self.standings["opportunity", row.opportunity]
            if isinstance(row, Reopened) and standing.frozen:
                standing.epoch = [row.at for _ in standing.epoch]
            standing.frozen = isinstance(row, Closed)
        self.settle_all(held)


def beginning(model: Rules, log: Sequence[Row]) -> World:
    """Return everybody in the first phase: D 8."""
    people = {getattr(row, "contact", None) for row in log}
    people |= {row.kept for row in log if isinstance(row, Merged)}
    opportunities = {getattr(row, "opportunity", None) for row in log}
    subjects = [("contact", name) for name in people if name]
    subjects += [("opportunity", name) for name in opportunities if name]
    epoch = [EVER for _ in model["phases"]]
    standings = {subject: Standing(0, [*epoch]) for subject in subjects}
    return World(model, standings, lengths(model))


def fold(model: Rules, log: Sequence[Row]) -> World:
    """
    Return where everybody stands at the end of a log: L 2's definition.

    "The standing at t is by definition the fold over the signs that hold at t, in the order
    (since, place in the log), settling at each since, with timers between them."
    """
    steps = steps_of(log)
    held = holding(steps)
    world = beginning(model, log)
    for place, step in enumerate(steps):
        for _ in world.let_time_pass(held.until(place - 1), step[0].at):
            pass
        world.hear(step, held.until(place))
    return world


def moves(model: Rules, log: Sequence[Row], until: datetime | None = None) -> list[Move]:
    """Return every move up to a moment."""
    return history(model, log, until)[1]


def history(
    model: Rules, log: Sequence[Row], until: datetime | None = None
) -> tuple[World, list[Move]]:
    """
    Return where everybody stands in the end, and every move on the way: D 4, L 2.

    What is added moves on from where one stands. What takes something away makes the fold be
    done anew; where another phase comes out, that is one move. The past is never rewritten, and
    what is frozen stays so: M 1.3.
    """
    found: list[Move] = []
    world = beginning(model, log)
    steps = steps_of(log)
    for place, step in enumerate(steps):
        known, heard = holding(steps[:place]), holding(steps[: place + 1])
        _after_time(world, known, step[0].at, found)
        before = deepcopy(world)
        poorer = [one for one in world.standings if takes_away(known, heard, one)]
        anew = fold(model, [row for one in steps[: place + 1] for row in one]) if poorer else world
        for subject in poorer:
            if not world.standings[subject].frozen:
                world.standings[subject] = anew.standings[subject]
        world.hear(step, heard)
        found += _changes(before, world, cause(step[0]))
    if until is not None:
        _after_time(world, holding(steps), until, found)
    return world, found


def steps_of(log: Sequence[Row]) -> list[Step]:
    """
    Return a log step by step: D 8, "rows in file order at equal times", one by one.

    Only parts that begin and end at one moment do so together: they hold "in [from, to)", so
    there is no moment between.
    """
    steps: list[Step] = []
    for row in in_order(log):
        parts = (RoleBegins, RoleEnds)
        together = steps and isinstance(row, parts) and isinstance(steps[-1][0], parts)
        if together and steps[-1][0].at == row.at:
            steps[-1] = (*steps[-1], row)
        else:
            steps.append((row,))
    return steps


def in_order(log: Sequence[Row]) -> list[Row]:
    """L 2, 10: by time; at equal times roles, opportunities, deeds, and then the rest."""
    ranks = [(RoleBegins, RoleEnds), (Staged, Closed, Reopened), (Did,), (Row,)]
    rank = {row: next(n for n, of in enumerate(ranks) if isinstance(row, of)) for row in log}
    return sorted(log, key=lambda row: (row.at, rank[row]))


def takes_away(before: Holding, after: Holding, subject: Subject) -> bool:
    """L 2: "anything that takes a sign away (denial, split, verdict machine, role removed, …)"."""
    then, now = (view(held, subject, EVER, {}) for held in (before, after))
    gone = {*then.signs, *then.said} - {*now.signs, *now.said}
    return bool(gone or {who for who, _ in then.roles} - {who for who, _ in now.roles})


def cause(row: Row) -> str:
    """D 8: "`cause`: `event | timer | crm | override | merge | rules`"."""
    if isinstance(row, Merged):
        return "merge"
    crm = (RoleBegins, RoleEnds, Staged, Closed, Reopened)
    return "crm" if isinstance(row, crm) else "event"


def _after_time(world: World, held: Holding, until: datetime, found: list[Move]) -> None:
    """Let time pass, and write down what it moves."""
    before = deepcopy(world)
    for _ in world.let_time_pass(held, until):
        found += _changes(before, world, "timer")
        before = deepcopy(world)


def _changes(before: World, after: World, why: str) -> list[Move]:
    """Return who stands elsewhere now."""
    names = [phase["id"] for phase in after.model["phases"]]
    return [
        Move(subject, names[then.phase], names[now.phase], after.now, why)
        for subject, now in sorted(after.standings.items())
        if (then := before.standings[subject]).phase != now.phase
    ]
