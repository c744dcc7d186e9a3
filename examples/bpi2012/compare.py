"""
Who signs? The seller's stage against the customer's phase, as forecasts.

Each Monday a forecast is made for every application that is open: the share of those who signed
among earlier ones that stood there on a Monday and were decided before the test began. Then it is
compared with what became of them.
"""

import csv
import gzip
import sys
from datetime import datetime
from pathlib import Path

from regportal.buying.backtest.forecasting import Case, Course, Found, compare, mondays
from regportal.buying.facts import moment

WAYS = ("all alike", "seller's stage", "stage x age", "customer's phase", "phase x dwell")
PAIRS = (("phase x dwell", "seller's stage"), ("phase x dwell", "stage x age"))


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table, packed or not."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cases(told: Path, moves: Path) -> list[Case]:
    """Return every application that was decided, and how it stood on each Monday."""
    stages: dict[str, list[tuple[int, str]]] = {}
    phases: dict[str, list[tuple[int, str]]] = {}
    ended: dict[str, tuple[int, bool]] = {}
    for row in table(told):
        name, at = row["opportunity"], moment(datetime.fromisoformat(row["time"]))
        phases.setdefault(name, [(at, "applied")])
        if row["is_closed"] == "true":
            ended[name] = at, row["is_won"] == "true"
        else:
            stages.setdefault(name, []).append((at, row["stage"]))
    for row in table(moves):
        at = moment(datetime.fromisoformat(row["at"]))
        phases[row["opportunity"]].append((at, row["to"]))
    return [
        Case(*ended[name], places(stages.get(name, []), phases[name], ended[name][0]))
        for name in sorted(ended)
    ]


def places(
    stages: list[tuple[int, str]], phases: list[tuple[int, str]], ended: int
) -> list[tuple[int, tuple[object, ...]]]:
    """Return where an application stood on each Monday, by each way."""
    by_seller, by_customer = Course(stages), Course(phases)
    found = []
    for monday in mondays(phases[0][0], ended):
        stage, phase = by_seller.place(monday), by_customer.place(monday)
        found.append((monday, (None, stage[0], stage, phase[0], phase)))
    return found


def compared(told: Path, moves: Path, split: datetime) -> Found | None:
    """Return how good every forecast was from a moment on, and how far phase x dwell is ahead."""
    return compare(cases(told, moves), WAYS, moment(split), PAIRS)


def shown(found: Found) -> str:
    """Return what was found as text."""
    seen = f"{found.mondays} Mondays of {found.opportunities} applications"
    lines = [
        f"{seen}, learned from {found.earlier} earlier ones",
        f"{'':18} {'AUC':>6} {'Brier':>7}",
    ]
    lines += [f"{name:18} {a:6.3f} {b:7.4f}" for name, (a, b) in found.figures.items()]
    for (ahead, other), (a, b) in found.ahead.items():
        lines.append(
            f"{ahead} against {other}: AUC {a[0]:+.3f}..{a[1]:+.3f},"
            f" Brier {b[0]:+.4f}..{b[1]:+.4f} (95 of 100 draws of applications)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    figures = compared(Path(sys.argv[1]), Path(sys.argv[2]), datetime.fromisoformat(sys.argv[3]))
    print(shown(figures) if figures else "There are too few.")
