"""
Who signs? The seller's stage against the customer's phase, as forecasts.

Each Monday a forecast is made for every application that is open: the share of those who signed
among earlier ones that stood there on a Monday and were decided before the test began. Then it is
compared with what became of them.
"""

import csv
import gzip
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

BANDS = (7, 14, 28)
"""Days after which a customer has been in his phase for long."""
DRAWS = 500
Draw = Counter[str]


@dataclass(slots=True)
class Case:
    """An application: its stages and phases by time, and what became of it."""

    stages: list[tuple[datetime, str]]
    phases: list[tuple[datetime, str]]
    ended: datetime | None = None
    is_won: bool = False


@dataclass(slots=True)
class Snapshot:
    """An open application on a Monday."""

    case: str
    at: datetime
    stage: str
    phase: str
    stage_band: int
    phase_band: int
    is_won: bool


def moment(text: str) -> datetime:
    """Return a moment."""
    return datetime.fromisoformat(text)


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table, packed or not."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cases(told: Path, moves: Path) -> dict[str, Case]:
    """Return every application, of what the seller's system said and what the replay found."""
    found: dict[str, Case] = {}
    for row in table(told):
        at = moment(row["time"])
        case = found.setdefault(row["opportunity"], Case([], [(at, "applied")]))
        if row["is_closed"] == "true":
            case.ended, case.is_won = at, row["is_won"] == "true"
        else:
            case.stages.append((at, row["stage"]))
    for row in table(moves):
        found[row["opportunity"]].phases.append((moment(row["at"]), row["to"]))
    return found


def band(days: float) -> int:
    """Return how long that is: a week, two, four, or more."""
    return sum(days >= limit for limit in BANDS)


def snapshots(found: dict[str, Case]) -> list[Snapshot]:
    """Return how every application that was decided in the end stood on each Monday."""
    taken = []
    for name, case in found.items():
        if case.ended is None:
            continue
        begun = case.phases[0][0]
        monday = (begun - timedelta(days=begun.weekday())).replace(
            hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC
        )
        while (monday := monday + timedelta(days=7)) < case.ended:
            since, stage = [one for one in case.stages if one[0] <= monday][-1]
            entered, phase = [one for one in case.phases if one[0] <= monday][-1]
            bands = (band((monday - each) / timedelta(days=1)) for each in (since, entered))
            taken.append(Snapshot(name, monday, stage, phase, *bands, case.is_won))
    return taken


Key = Callable[[Snapshot], object]
KEYS: dict[str, Key] = {
    "all alike": lambda _: None,
    "seller's stage": lambda one: one.stage,
    "stage x age": lambda one: (one.stage, one.stage_band),
    "customer's phase": lambda one: one.phase,
    "phase x dwell": lambda one: (one.phase, one.phase_band),
}


def forecasts(train: Sequence[Snapshot], test: Sequence[Snapshot], key: Key) -> list[float]:
    """Return the forecast of each, drawn to the share of all where few stood there before."""
    everybody = sum(one.is_won for one in train) / len(train)
    won: Counter[object] = Counter(key(one) for one in train if one.is_won)
    stood: Counter[object] = Counter(key(one) for one in train)
    strength = 5
    return [(won[key(one)] + strength * everybody) / (stood[key(one)] + strength) for one in test]


def auc(pairs: dict[float, list[int]]) -> float:
    """Return how often who signed was forecast higher than who did not."""
    lost_below, better, won_all = 0, 0.0, 0
    for value in sorted(pairs):
        lost, won = pairs[value]
        better += won * (lost_below + lost / 2)
        lost_below += lost
        won_all += won
    return better / (won_all * lost_below)


def measured(test: Sequence[Snapshot], told: Sequence[float], weight: Draw) -> tuple[float, float]:
    """Return AUC and Brier score, each application counted so often."""
    pairs: defaultdict[float, list[int]] = defaultdict(lambda: [0, 0])
    wrong, often = 0.0, 0
    for one, value in zip(test, told, strict=True):
        times = weight[one.case]
        pairs[value][one.is_won] += times
        wrong += times * (value - one.is_won) ** 2
        often += times
    return auc(pairs), wrong / often


def between(values: list[float]) -> tuple[float, float]:
    """Return where 95 of 100 lie."""
    values.sort()
    return values[len(values) * 25 // 1000], values[len(values) * 975 // 1000]


def compare(told: Path, moves: Path, split: datetime) -> dict[str, object]:
    """Return AUC and Brier score of every forecast, and how far phase x dwell is ahead."""
    found = cases(told, moves)
    every = snapshots(found)
    test = [one for one in every if one.at >= split]
    train = [one for one in every if one.at < split and found[one.case].ended < split]
    values = {name: forecasts(train, test, key) for name, key in KEYS.items()}
    once = Counter({one.case: 1 for one in test})
    figures = {name: measured(test, each, once) for name, each in values.items()}
    names = sorted(once)
    draws = random.Random(2012)  # noqa: S311 - which draws, nobody need guess
    ahead: dict[str, list[tuple[float, float]]] = {"seller's stage": [], "stage x age": []}
    for _ in range(DRAWS):
        weight = Counter(draws.choices(names, k=len(names)))
        best = measured(test, values["phase x dwell"], weight)
        for other, so_far in ahead.items():
            theirs = measured(test, values[other], weight)
            so_far.append((best[0] - theirs[0], best[1] - theirs[1]))
    return {
        "snapshots": len(test),
        "cases": len(names),
        "earlier": len(train),
        "figures": figures,
        "ahead": {
            other: tuple(between([one[place] for one in each]) for place in (0, 1))
            for other, each in ahead.items()
        },
    }


def shown(found: dict[str, object]) -> str:
    """Return what was found as text."""
    told = "{snapshots} Mondays of {cases} applications, learned from {earlier} earlier ones"
    lines = [told.format(**found), f"{'':18} {'AUC':>6} {'Brier':>7}"]
    lines += [f"{name:18} {a:6.3f} {b:7.4f}" for name, (a, b) in found["figures"].items()]
    for other, (a, b) in found["ahead"].items():
        lines.append(
            f"phase x dwell against {other}: AUC {a[0]:+.3f}..{a[1]:+.3f},"
            f" Brier {b[0]:+.4f}..{b[1]:+.4f} (95 of 100 draws of applications)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(shown(compare(Path(sys.argv[1]), Path(sys.argv[2]), moment(sys.argv[3]))))
