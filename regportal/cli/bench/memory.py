"""`regportal bench memory`: what the process holds after many requests."""

from collections.abc import Callable
from pathlib import Path

from regportal.cli.bench.contestants import Contestant, install, serving
from regportal.cli.bench.measure import Figures, Goal, figures, memory_of, send
from regportal.cli.bench.report import Report
from regportal.cli.bench.visits import WrongAnswerError, sent, shown

PIECE = 250
WARM = 4


def bench_memory(folder: Path, requests: int, *, progress: Callable[[str], None]) -> Report:
    """Measure the memory of `regportal serve`, its worker included, as requests go by."""
    place = install(folder)
    pieces = max(2 * WARM, requests // (2 * PIECE))
    held: list[float] = []
    last: Figures | None = None
    with serving(place) as ours:
        for piece in range(pieces):
            last = _visits(ours)
            held.append(memory_of(ours.pid))
            progress(f"{(piece + 1) * 2 * PIECE} requests: {held[-1]:.1f} MB")
    if last is None:
        raise WrongAnswerError("nothing was measured")
    goals = [
        Goal("memory at the end, in MB", at_least=False, wanted=150, each=(held[-1],)),
        Goal(
            f"growth after the first {WARM * 2 * PIECE} requests, in MB",
            at_least=False,
            wanted=5,
            each=(held[-1] - held[WARM - 1],),
        ),
    ]
    notes = [
        f"{pieces * 2 * PIECE} requests: half of them forms shown, half taken, worker included",
        "the goal is set for 100,000 requests: --requests 100000",
    ]
    return Report("memory", [{"ours": last}], goals, notes)


def _visits(ours: Contestant) -> Figures:
    """Let so many new visitors see a form and send it."""
    pages = send(ours.port, shown(ours.port, "prices", PIECE), keep=True)[1]
    taken, _ = figures(ours.pid, ours.port, sent(ours.port, "prices", pages))
    return taken
