"""What a bench found out, for people and for programs."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from regportal.cli.bench.measure import Goal, Measured


@dataclass(frozen=True, slots=True)
class Report:
    """The rounds as measured, and how far the goals are."""

    name: str
    rounds: Sequence[Measured]
    goals: Sequence[Goal]
    notes: Sequence[str]

    def shown(self) -> str:
        """Read as text."""
        lines = []
        for number, measured in enumerate(self.rounds, 1):
            lines.append(f"round {number}")
            lines += [f"  {name:<18} {figures.shown()}" for name, figures in measured.items()]
        lines += ["goals", *(f"  {goal.shown()}" for goal in self.goals)]
        lines += ["notes", *(f"  {note}" for note in self.notes)]
        return "\n".join(lines)

    def told(self) -> dict[str, Any]:
        """Read as JSON."""
        return {
            "bench": self.name,
            "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
            "rounds": [
                {name: asdict(figures) for name, figures in measured.items()}
                for measured in self.rounds
            ],
            "goals": [goal.told() for goal in self.goals],
            "notes": list(self.notes),
        }
